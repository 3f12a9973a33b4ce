import Blocks
import Bytes
import Codecs
import Platform
import TestSupport
import Testing

@testable import ObjectStores
@testable import Repositories

/// Maps: what is built is what is read, whatever the size.
struct MapTests {
  static let step = UInt64(Segment.byteCount)

  /// Consecutive segments with the same target.
  struct Stretch {
    let first: UInt64
    let count: UInt64
    let target: MapTarget
  }

  /// A map in a repository's pack, read back.
  final class Stored {
    let test: TestRepository
    let size: UInt64
    let root: MapTarget
    let nodeCount: Int
    private let context: RestoreContext

    init(_ stretches: [Stretch], size: UInt64) throws {
      test = try TestRepository()
      self.size = size
      var nodes: [Digest: [UInt8]] = [:]
      var builder = MapBuilder(size: size) { bytes in
        let id = SHA256.digest(of: bytes)
        nodes[id] = bytes
        return id
      }
      for stretch in stretches {
        if case .hole(let kind) = stretch.target {
          try builder.append(kind, count: stretch.count)
        } else {
          for _ in 0..<stretch.count { try builder.append(stretch.target) }
        }
      }
      root = try builder.finish()
      nodeCount = nodes.count
      let repository = try test.open()
      try Stored.pack(nodes, repository)
      context = RestoreContext(try repository.openIndex(), PackFiles(repository.store))
    }

    /// Publishes a pack of nodes, which no index covers.
    static func pack(_ nodes: [Digest: [UInt8]], _ repository: Repository) throws {
      let session = try repository.store.beginWriting()
      let writer = PackWriter(session)
      defer { writer.stop() }
      for (id, bytes) in nodes {
        let count = UInt32(bytes.count)
        let entry = ChunkEntry(
          id: id, offset: 0, storedCount: count, plainCount: count, type: .node, codec: .plain,
          check: Checksum.of(bytes), framePlainCount: count, offsetInFrame: 0)
        try writer.append([entry], bytes.span)
      }
      try writer.finish()
      try session.flush()
      try session.end()
    }

    var reader: MapReader { MapReader(context.makeReader(), root: root, size: size) }
  }

  /// A random row of stretches that covers a volume of `count` segments.
  private func stretches(_ count: UInt64, _ noise: inout Noise, longest: UInt64) -> [Stretch] {
    let kinds: [HoleKind] = [.zero, .free, .swap, .excluded, .bad]
    var result: [Stretch] = []
    var first: UInt64 = 0
    while first < count {
      let left = count - first
      if noise.below(3) == 0 {
        let id = digest(noise.next(), noise.next(), noise.next())
        let fingerprint = noise.below(2) == 0 ? nil : UInt128(noise.next()) << 64 | 5
        let length = min(left, 1 + noise.next() % 3)
        result.append(
          Stretch(first: first, count: length, target: .node(id, fingerprint: fingerprint)))
        first += length
      } else {
        // Longer ones are rarer.
        let length = min(left, 1 + noise.next() % (1 + noise.next() % longest))
        result.append(
          Stretch(first: first, count: length, target: .hole(kinds[noise.below(5)])))
        first += length
      }
    }
    return result
  }

  private func compare(_ stored: Stored, _ stretches: [Stretch], _ note: String) throws {
    let reader = stored.reader
    // In order, all of it.
    var next = 0
    try reader.forEachPart { part in
      var position = part.first
      while position < part.first + part.count {
        while next < stretches.count, stretches[next].first + stretches[next].count <= position {
          next += 1
        }
        let stretch = try #require(next < stretches.count ? stretches[next] : nil, "\(note)")
        try #require(stretch.target == part.target, "\(note): segment \(position)")
        position = min(part.first + part.count, stretch.first + stretch.count)
      }
    }
    // And anywhere: at each stretch's edges.
    for stretch in stretches.shuffled().prefix(300) {
      for place in [stretch.first, stretch.first + stretch.count - 1] {
        let part = try stored.reader.part(at: place)
        try #require(part.target == stretch.target, "\(note): segment \(place)")
        try #require(part.first == place, "\(note)")
      }
    }
  }

  @Test(arguments: [1, 2, 1023, 1024, 1025, 5000, 1_048_577] as [UInt64])
  func `a map is read as it was built`(count: UInt64) throws {
    let seed = freshSeed()
    var noise = Noise(seed)
    let stretches = stretches(count, &noise, longest: count / 50 + 2)
    let size = (count - 1) * Self.step + 512
    try compare(Stored(stretches, size: size), stretches, "seed \(seed)")
  }

  @Test func `holes of millions of segments cost nothing`() throws {
    let seed = freshSeed()
    var noise = Noise(seed)
    let count: UInt64 = 1 << 24
    let stretches = stretches(count, &noise, longest: 10_000_000)
    let stored = try Stored(stretches, size: 64 << 40)
    try compare(stored, stretches, "seed \(seed)")
    #expect(stored.nodeCount < stretches.count * 6 + 10)
  }

  @Test func `an empty disk of 64 TiB has no node at all`() throws {
    var builder = MapBuilder(size: 64 << 40) { _ in
      Issue.record("a node was stored")
      return digest(0)
    }
    try builder.append(.zero, count: 10_000_000)
    try builder.append(.zero, count: (1 << 24) - 10_000_000)
    #expect(try builder.finish() == .hole(.zero))
    var none = MapBuilder(size: 0) { _ in digest(0) }
    #expect(try none.finish() == .hole(.zero))
  }

  @Test func `levels are as few as hold the volume`() {
    let most = UInt64(1) << 56
    #expect([0, 1, 1024 * Self.step].map { MapShape.levels($0) } == [1, 1, 1])
    #expect([1024 * Self.step + 1, 1 << 42].map { MapShape.levels($0) } == [2, 2])
    #expect([1 << 42 | 1, 1 << 52].map { MapShape.levels($0) } == [3, 3])
    #expect(MapShape.levels(most) == 4)
    #expect(MapShape.segmentCount(most) == 1 << 34)
  }

  @Test func `leaves and nodes come back as they were`() throws {
    let leaf = Self.leaf
    #expect(try MapLeaf(parsing: leaf.bytes.span, count: Self.leafCount) == leaf)
    let inner = Self.inner
    #expect(try MapInner(parsing: inner.bytes.span, level: 1) == inner)
  }

  static let leafCount = 4096 + 512 + 70_000
  static let leaf = MapLeaf(runs: [
    .init(count: 4096, content: .chunk(digest(1, 2, 3))),
    .init(count: 512, content: .hole(.swap)), .init(count: 70_000, content: .chunk(digest(9))),
  ])
  static let inner = MapInner(
    level: 1,
    children: [
      .node(digest(4), fingerprint: nil), .hole(.free), .node(digest(5), fingerprint: 77),
      .hole(.bad),
    ])

  @Test func `every truncation of a leaf and a node is refused`() {
    let leaf = Self.leaf.bytes
    for count in 0..<leaf.count { #expect(!isLeaf(Array(leaf[..<count])), "\(count)") }
    #expect(!isLeaf(leaf + [0]))
    let inner = Self.inner.bytes
    for count in 0..<inner.count { #expect(!isInner(Array(inner[..<count])), "\(count)") }
    #expect(!isInner(inner + [0]))
  }

  /// Ids and fingerprints may be anything; whatever else is flipped is refused or says otherwise.
  @Test func `flips never pass as the same`() throws {
    let leaf = Self.leaf.bytes
    for place in leaf.indices {
      for mask: UInt8 in [1, 0x80, 0xff] {
        var damaged = leaf
        damaged[place] ^= mask
        let parsed = try? MapLeaf(parsing: damaged.span, count: Self.leafCount)
        #expect(parsed != Self.leaf, "byte \(place)")
        #expect(parsed?.runs.reduce(0) { $0 + $1.count } ?? Self.leafCount == Self.leafCount)
      }
    }
    let inner = Self.inner.bytes
    for place in inner.indices where !Self.isUnread(place) {
      var damaged = inner
      damaged[place] ^= 0xff
      #expect((try? MapInner(parsing: damaged.span, level: 1)) != Self.inner, "byte \(place)")
    }
  }

  /// Reserved bytes of a node, and the id and fingerprint of what has none.
  private static func isUnread(_ place: Int) -> Bool {
    if place == 2 || place == 3 { return true }
    guard place >= 8 else { return false }
    let child = (place - 8) / MapInner.childCount
    let field = (place - 8) % MapInner.childCount
    if case .hole = inner.children[child] { return field >= 8 }
    return child == 0 && field >= 40
  }

  @Test func `noise is no map`() {
    let seed = freshSeed()
    var noise = Noise(seed)
    for turn in 0..<2000 {
      let bytes =
        [UInt8(1 + noise.below(2)), 0, 0, 0, UInt8(noise.below(4)), 0, 0, 0]
        + noise.bytes(noise.below(200))
      #expect(!isLeaf(bytes) && !isInner(bytes), "seed \(seed), turn \(turn)")
    }
  }

  private func isLeaf(_ bytes: [UInt8]) -> Bool {
    (try? MapLeaf(parsing: bytes.span, count: Self.leafCount)) != nil
  }

  private func isInner(_ bytes: [UInt8]) -> Bool {
    (try? MapInner(parsing: bytes.span, level: 1)) != nil
  }

  @Test func `a map that lies about its shape is refused`() throws {
    // A root with two children too few, and one of the wrong level.
    for node in [
      MapInner(level: 2, children: [.hole(.zero)]), MapInner(level: 1, children: [.hole(.zero)]),
    ] {
      let test = try TestRepository()
      let repository = try test.open()
      let id = SHA256.digest(of: node.bytes)
      try Stored.pack([id: node.bytes], repository)
      let context = RestoreContext(try repository.openIndex(), PackFiles(repository.store))
      let reader = MapReader(
        context.makeReader(), root: .node(id, fingerprint: nil), size: 3000 * Self.step)
      #expect(complaint { _ = try reader.part(at: 0) }.contains("map node"))
    }
  }
}
