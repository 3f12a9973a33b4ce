import Blocks
import Bytes
import Chunking
import Codecs
import Platform
import Streams
import TestSupport
import Testing

@testable import ObjectStores
@testable import Repositories

/// What is put is what is restored.
struct PutTests {
  private static let step = Segment.byteCount

  static let ways: [(ChunkingParameters.Mode, Int, Int?)] = [
    (.aligned, 65536, 1), (.aligned, 16384, nil), (.fixed, 1 << 20, 3), (.fixed, 4096, nil),
    (.rolling, 65536, 1),
  ]

  @Test(arguments: ways)
  func `a disk comes back byte for byte`(
    mode: ChunkingParameters.Mode, size: Int, level: Int?
  ) throws {
    let parameters = try #require(ChunkingParameters(mode: mode, averageSize: size))
    let test = try TestRepository(parameters, level: level)
    let content = TestDisk.content(2 * Self.step + 123_456, seed: 1)
    try test.put(content)
    #expect(try test.content() == content)
    #expect(try test.findings() == [])
  }

  @Test(arguments: [0, 1, 511, 4096, 4097, 4 << 20, (4 << 20) + 1])
  func `disks of any size come back`(count: Int) throws {
    let test = try TestRepository()
    let content = Noise.bytes(count, seed: 3)
    try test.put(content)
    #expect(try test.content() == content)
    #expect(try test.findings() == [])
  }

  @Test func `several volumes, holes of every kind and attachments come back`() throws {
    let test = try TestRepository()
    let feed = Self.machine(seed: 1)
    let result = try test.put(feed)
    let sent = try Delivery(Self.machine(seed: 1))
    let got = try test.restore()
    #expect(got.headers.map(\.name) == ["root", "data", "empty"])
    #expect(got.headers.map(\.size) == sent.headers.map(\.size))
    #expect(got.headers[0].sectorSize == 4096)
    #expect(got.content == sent.content)
    #expect(got.pieces == sent.pieces)
    #expect(got.attachments == sent.attachments)
    #expect(got.missing == sent.missing)
    #expect(!result.point.complete)
    #expect(result.point.warnings == ["odd"])
    #expect(try test.findings() == [])
    let bytes = result.point.volumes[0].bytes
    #expect(bytes.values.reduce(0, +) == result.point.volumes[0].size)
  }

  /// A machine whose volumes interleave.
  static func machine(seed: UInt64) -> MemoryFeed {
    let feed = MemoryFeed()
    feed.volume(
      0, size: UInt64(5 * step) + 512, name: "root", fields: [.init("sector-size", "4096")])
    feed.volume(1, size: UInt64(step), name: "data")
    feed.volume(2, size: 0, name: "empty")
    feed.segment(
      0, at: 0, Noise.bytes(step, seed: seed),
      runs: [
        .init(0..<100_000, .data), .init(100_000..<204_800, .hole(.free)),
        .init(204_800..<204_801, .hole(.swap)), .init(204_801..<300_000, .data),
        .init(300_000..<step, .hole(.excluded)),
      ])
    feed.add(.warning("odd"))
    feed.segment(1, at: 0, Noise.bytes(step, seed: seed + 1))
    feed.span(0, UInt64(step)..<UInt64(4 * step), .swap)
    feed.add(.attachment(Attachment(name: "a.vmx", bytes: Noise.bytes(2_500_000, seed: 4))))
    feed.add(.attachment(Attachment(name: "none", bytes: [])))
    feed.segment(
      0, at: UInt64(4 * step), Noise.bytes(step, seed: seed + 2),
      runs: [.init(0..<512, .hole(.bad)), .init(512..<step, .data)])
    feed.span(0, UInt64(5 * step)..<UInt64(5 * step) + 512, .free)
    feed.missing = ["root: bytes 16777216 to 16777728"]
    return feed
  }

  @Test func `what is there already is not stored again`() throws {
    let test = try TestRepository()
    let content = TestDisk.content(3 * Self.step, seed: 2)
    let first = try test.put(content)
    let again = try test.put(content)
    #expect(again.unchangedSegments == 3)
    #expect(again.point.addedChunks == 0)
    #expect(again.point.volumes[0].root == first.point.volumes[0].root)
    let other = try test.put(content, name: "another")
    #expect(other.unchangedSegments == 0)
    #expect(other.point.addedChunks == 0)
    #expect(again.point.previous == ["\(first.name)"])
    #expect(again.name.sequence == 2)
    #expect(try test.files("packs").count == 1)
  }

  @Test func `a changed segment is the only one stored`() throws {
    let test = try TestRepository()
    var content = TestDisk.content(4 * Self.step, seed: 2)
    try test.put(content)
    content[2 * Self.step + 5000] ^= 1
    let second = try test.put(content)
    #expect(second.unchangedSegments == 3)
    #expect(second.point.addedChunks <= 4)
    #expect(try test.content("web") == content)
    content[2 * Self.step + 5000] ^= 1
    #expect(try test.content("web~1") == content)
  }

  @Test func `unchanged holes are taken from the base point`() throws {
    let test = try TestRepository()
    let content = TestDisk.content(4 * Self.step, seed: 5)
    let base = try test.put(content)
    let part = Noise.bytes(Self.step, seed: 6)
    let feed = MemoryFeed()
    feed.volume(
      0, size: UInt64(content.count), fields: [.init("base", "\(base.name.id)")])
    feed.span(0, 0..<UInt64(Self.step), .unchanged)
    feed.segment(
      0, at: UInt64(Self.step), part,
      runs: [
        .init(0..<70_001, .hole(.unchanged)), .init(70_001..<90_000, .data),
        .init(90_000..<Self.step, .hole(.unchanged)),
      ])
    feed.span(0, UInt64(2 * Self.step)..<UInt64(4 * Self.step), .unchanged)
    try test.put(feed)
    var wanted = content
    wanted.replaceSubrange(
      Self.step + 70_001..<Self.step + 90_000, with: part[70_001..<90_000])
    #expect(try test.content() == wanted)
    #expect(try test.findings() == [])
  }

  @Test func `unchanged bytes need a base of the same size`() throws {
    let test = try TestRepository()
    let base = try test.put(Noise.bytes(Self.step, seed: 1))
    func feed(_ size: Int, _ base: String?) -> MemoryFeed {
      let feed = MemoryFeed()
      feed.volume(0, size: UInt64(size), fields: base.map { [.init("base", $0)] } ?? [])
      feed.span(0, 0..<UInt64(size), .unchanged)
      return feed
    }
    let id = "\(base.name.id)"
    #expect(complaint { try test.put(feed(Self.step + 512, id)) }.contains("in the base point"))
    let other = "\(digest(1))"
    #expect(complaint { try test.put(feed(Self.step, other)) }.contains("not in this repository"))
    #expect(
      complaint { try test.put(feed(Self.step, nil), name: "new") }.contains("no base point"))
    #expect(try test.files("points").count == 1)
  }

  @Test func `a base that is damaged is done without`() throws {
    let test = try TestRepository(level: nil)
    let content = TestDisk.content(3 * Self.step, seed: 2)
    try test.put(content)
    // All nodes of the map.
    let repository = try test.open()
    let index = try repository.openIndex()
    for table in index.tables {
      for position in 0..<table.count {
        guard let entry = table.entry(at: position), entry.type == .node else { continue }
        let pack = Layout.pack(table.packs[Int(entry.pack)].id)
        try test.flip(pack, Int(entry.offset))
      }
    }
    let warnings = Locked<[String]>([])
    try test.put(MemoryFeed.disk(content), warnings: warnings)
    #expect(warnings.with { $0 }.contains { $0.contains("cannot serve as base") })
  }

  @Test func `a part of a volume can be restored alone`() throws {
    let test = try TestRepository()
    let content = TestDisk.content(5 * Self.step, seed: 12)
    try test.put(content)
    let repository = try test.open()
    let stored = try repository.resolve("web")
    for range in [0..<1, 4095..<4097, Self.step - 1..<Self.step + 1, 3 * Self.step..<5 * Self.step]
    {
      let wanted = UInt64(range.lowerBound)..<UInt64(range.upperBound)
      let feed = try RestoreFeed(
        repository, stored, selections: [.init(volume: 0, range: wanted)])
      let got = try Delivery(feed)
      #expect(got.content[0][range] == content[range], "\(range)")
    }
  }

  @Test func `64 TiB with little in it take little time and room`() throws {
    let test = try TestRepository()
    let feed = MemoryFeed()
    let size: UInt64 = 64 << 40
    let middle: UInt64 = 33 << 40
    feed.volume(0, size: size)
    feed.span(0, 0..<middle, .zero)
    feed.segment(0, at: middle, Noise.bytes(Self.step, seed: 2))
    feed.span(0, middle + UInt64(Self.step)..<size, .zero)
    try test.put(feed)
    let got = try test.restore(keepsContent: false)
    #expect(
      got.pieces == [
        [
          .init(0..<middle, .zero), .init(middle..<middle + UInt64(Self.step), nil),
          .init(middle + UInt64(Self.step)..<size, .zero),
        ]
      ])
    // A node's children at most, on each level of either side.
    #expect(got.itemCount < 5000)
    #expect(try test.findings() == [])
  }

  @Test func `sizes that add up to more than a number holds do no harm`() throws {
    let test = try TestRepository()
    for _ in 0..<5 {
      let feed = MemoryFeed()
      for number: UInt32 in 0..<64 {
        feed.volume(number, size: VolumeHeader.sizeLimit)
        feed.span(number, 0..<VolumeHeader.sizeLimit, .free)
      }
      try test.put(feed)
    }
    #expect(try test.open().figures().volumeBytes == .max)
    #expect(try test.findings() == [])
    let feed = MemoryFeed()
    for number: UInt32 in 0..<65 { feed.volume(number, size: 0) }
    #expect(complaint { try test.put(feed) }.contains("beyond the limits"))
  }

  /// The whole road: cut, deduplicated against the repository, sent as a stream, stored.
  @Test func `references lead to what is there`() throws {
    let test = try TestRepository()
    let content = TestDisk.content(3 * Self.step, seed: 21)
    try test.put(content, name: "old")
    var changed = content
    changed[100] ^= 1
    let stream = try Self.deduplicated(changed, .repository(try test.open()), level: 1)
    let references = stream.runs.filter {
      if case .chunk(_, _, 0) = $0.content { return true }
      return false
    }
    #expect(references.count > 10)
    try test.put(stream.feed)
    #expect(try test.content() == changed)
    #expect(try test.findings() == [])
  }

  /// What the stages before vstore make of a disk, as a feed to put.
  static func deduplicated(
    _ content: [UInt8], _ known: Deduplicator.Known, level: Int?
  ) throws -> (feed: MemoryFeed, runs: [Segment.Run]) {
    let deduplicator = try Deduplicator(known, level: level)
    let source = MemoryFeed.disk(content)
    let feed = MemoryFeed()
    var runs: [Segment.Run] = []
    while let item = try source.next() {
      guard case .segment(let segment) = item else {
        feed.add(item)
        continue
      }
      try deduplicator.identify(segment)
      deduplicator.decide(segment)
      try deduplicator.compress(segment)
      runs += segment.runs
      feed.add(.segment(segment))
    }
    return (feed, runs)
  }

  @Test func `references to chunks of the same stream are good`() throws {
    let block = Noise.bytes(Self.step / 2, seed: 31)
    let content = block + block + Noise.bytes(Self.step, seed: 32) + block + block
    let stream = try Self.deduplicated(content, .nothing, level: 1)
    let test = try TestRepository()
    try test.put(stream.feed)
    #expect(try test.content() == content)
  }

  /// An index file is written in between, so that memory stays bounded; what is under way then
  /// must still be found.
  @Test func `references across an index file of the same stream are good`() throws {
    var content: [UInt8] = []
    for turn in 0..<12 {
      content += Noise.bytes(Self.step / 2, seed: UInt64(100 + turn))
      content += Noise.bytes(Self.step / 2, seed: UInt64(100 + max(turn - 1, 0)))
    }
    let parameters = try #require(ChunkingParameters(mode: .fixed, averageSize: 65536))
    let stream = try Self.deduplicated(content, .nothing, level: nil)
    let test = try TestRepository(parameters)
    try test.put(stream.feed) { $0.indexStep = 50 }
    #expect(try test.content() == content)
    #expect(try test.files("index").count > 3)
    #expect(try test.findings() == [])
  }
}
