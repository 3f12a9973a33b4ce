internal import Blocks
internal import Bytes

/// What an entry of a map stands for.
enum MapTarget: Equatable, Sendable {
  /// A node, with the segment's fingerprint where the node is a leaf and it is known.
  case node(Digest, fingerprint: UInt128?)
  /// All below is one kind of hole.
  case hole(HoleKind)
}

/// One segment's runs: the leaf of a map.
///
///     offset size  field
///          0    1  1
///          4    4  number of runs
///          8    …  for each run: plain length (4), content (1: 0 chunk, else hole kind), 0 (3),
///                  for a chunk its id (32)
///
/// docs/repository-format.md, "Maps".
struct MapLeaf: Equatable, Sendable {
  enum Content: Equatable, Sendable {
    case chunk(Digest)
    case hole(HoleKind)
  }

  struct Run: Equatable, Sendable {
    let count: Int
    let content: Content
  }

  static let runLimit: UInt32 = 8192
  var runs: [Run]

  var bytes: [UInt8] {
    var builder = ByteBuilder(.little, capacity: 8 + runs.count * 40)
    builder.u32(1)
    builder.u32(UInt32(runs.count))
    for run in runs {
      builder.u32(UInt32(run.count))
      switch run.content {
      case .chunk(let id):
        builder.u32(0)
        builder.digest(id)
      case .hole(let kind): builder.u32(UInt32(kind.rawValue))
      }
    }
    return builder.bytes
  }

  init(runs: [Run]) { self.runs = runs }

  /// - Parameter count: How many bytes the segment has, which the runs must cover.
  init(parsing bytes: Span<UInt8>, count: Int) throws(FormatError) {
    var cursor = ByteCursor(bytes, of: "map leaf", .little)
    guard try cursor.u32() == 1 else { throw cursor.refusal(.badMagic) }
    let runCount = try cursor.u32()
    guard runCount <= MapLeaf.runLimit else {
      throw cursor.refusal(.impossible("\(runCount) runs"))
    }
    runs = []
    runs.reserveCapacity(Int(runCount))
    var covered = 0
    for _ in 0..<runCount {
      let length = Int(try cursor.u32())
      guard length > 0, length <= count - covered else {
        throw cursor.refusal(.impossible("runs that do not fit the segment"))
      }
      covered += length
      let content = try cursor.u32()
      if content == 0 {
        runs.append(Run(count: length, content: .chunk(try cursor.digest())))
      } else if let kind = UInt8(exactly: content).flatMap({ HoleKind(rawValue: $0) }),
        kind != .unchanged
      {
        runs.append(Run(count: length, content: .hole(kind)))
      } else {
        throw cursor.refusal(.unsupported("content \(content)"))
      }
    }
    guard covered == count, cursor.remaining == 0 else {
      throw cursor.refusal(.impossible("runs that do not cover the segment"))
    }
  }
}

/// Up to 1,024 children: the inner node of a map.
///
///     offset size  field
///          0    1  2
///          1    1  level
///          4    4  number of children
///          8    …  for each child 56 bytes: content (1: 0 node, else hole kind), flags (1),
///                  0 (6), node id (32), fingerprint (16)
///
/// docs/repository-format.md, "Maps".
struct MapInner: Equatable, Sendable {
  static let childLimit = 1024
  static let childCount = 56
  /// 1024^5 segments are more than any volume has.
  static let levelLimit = 5

  let level: Int
  var children: [MapTarget]

  init(level: Int, children: [MapTarget]) {
    self.level = level
    self.children = children
  }

  var bytes: [UInt8] {
    var builder = ByteBuilder(.little, capacity: 8 + children.count * MapInner.childCount)
    builder.u8(2)
    builder.u8(UInt8(level))
    builder.u16(0)
    builder.u32(UInt32(children.count))
    for child in children {
      switch child {
      case .hole(let kind):
        builder.u64(UInt64(kind.rawValue))
        builder.zeros(48)
      case .node(let id, let fingerprint):
        builder.u64(fingerprint == nil ? 0 : 0x100)
        builder.digest(id)
        let value = fingerprint ?? 0
        builder.u64(UInt64(truncatingIfNeeded: value))
        builder.u64(UInt64(truncatingIfNeeded: value >> 64))
      }
    }
    return builder.bytes
  }

  init(parsing bytes: Span<UInt8>, level: Int) throws(FormatError) {
    var cursor = ByteCursor(bytes, of: "map node", .little)
    guard try cursor.u8() == 2 else { throw cursor.refusal(.badMagic) }
    let stored = Int(try cursor.u8())
    guard stored == level else {
      throw cursor.refusal(.impossible("level \(stored) where level \(level) should be"))
    }
    try cursor.skip(2)
    let count = Int(try cursor.u32())
    guard count > 0, count <= MapInner.childLimit,
      cursor.remaining == count * MapInner.childCount
    else { throw cursor.refusal(.impossible("\(count) children")) }
    self.level = level
    children = []
    children.reserveCapacity(count)
    for _ in 0..<count {
      let kinds = try cursor.u64()
      let id = try cursor.digest()
      let low = try cursor.u64()
      let high = try cursor.u64()
      if kinds & ~0x100 == 0 {
        let fingerprint = kinds == 0 ? nil : UInt128(high) << 64 | UInt128(low)
        children.append(.node(id, fingerprint: fingerprint))
      } else if let kind = UInt8(exactly: kinds).flatMap({ HoleKind(rawValue: $0) }),
        kind != .unchanged
      {
        children.append(.hole(kind))
      } else {
        throw cursor.refusal(.unsupported("content \(kinds)"))
      }
    }
  }
}

/// How a volume's address space is divided among nodes.
enum MapShape {
  /// How many segments a volume of `size` bytes has.
  static func segmentCount(_ size: UInt64) -> UInt64 {
    let step = UInt64(Segment.byteCount)
    return size / step + (size % step == 0 ? 0 : 1)
  }

  /// The level of the root: the least whose nodes hold all segments.
  static func levels(_ size: UInt64) -> Int {
    var level = 1
    var capacity = UInt64(MapInner.childLimit)
    while capacity < segmentCount(size) {
      capacity *= UInt64(MapInner.childLimit)
      level += 1
    }
    return level
  }

  /// How many segments lie below one child of a node of `level`.
  static func segments(belowChildOf level: Int) -> UInt64 {
    (1..<level).reduce(1) { product, _ in product * UInt64(MapInner.childLimit) }
  }

  /// How many bytes the segment at `index` of a volume of `size` bytes has.
  static func segmentBytes(_ index: UInt64, of size: UInt64) -> Int {
    Int(min(UInt64(Segment.byteCount), size - index * UInt64(Segment.byteCount)))
  }
}
