public import Blocks
internal import Bytes
internal import Codecs
public import Platform
internal import Streams

/// A point's fingerprints in a small file, for a reader at the far end of a pipe.
///
///     offset size  field
///          0    8  magic "VBASE\0\0\1"
///          8    4  number of volumes
///         12    4  0
///         16    8  XXH3-64 of all that follows
///         24   32  the point's id
///         56   32  fingerprint key
///         88    …  for each volume: length of its name (4), number of runs (4), size (8), name
///                  padded with zeros to a multiple of 8; for each run of segments: kind (8: 0
///                  unknown, 1 fingerprints, 2 all zeros), number of segments (8); then 16 bytes
///                  for each segment of runs of kind 1
///
/// Little-endian. docs/repository-format.md, "Baselines".
public final class BaselineFile: Sendable {
  static let headerCount = 88
  static let runCount = 16
  static let fingerprintCount = 16

  /// Segments of one kind, from `first` on.
  fileprivate struct Run: Sendable {
    let first: UInt64
    let count: UInt64
    let kind: UInt64
    /// Where in the file the fingerprints are.
    let offset: Int
  }

  fileprivate struct Volume: Sendable {
    let name: String
    let size: UInt64
    let runs: [Run]
  }

  /// A fingerprinter that one thread at a time uses.
  private final class Shared: @unchecked Sendable {
    let value: Fingerprinter
    init(_ key: FingerprintKey) { value = Fingerprinter(key) }
  }

  private let idle = Locked<[Shared]>([])
  private let map: MemoryMap
  private let volumes: [Volume]
  /// The point that `unchanged` will mean.
  public let pointID: String
  private let key: FingerprintKey

  /// Maps a file that `Repository.baseline` made.
  public init(_ file: FileDescriptor) throws {
    let map = try MemoryMap(file)
    self.map = map
    let span = map.span
    var cursor = ByteCursor(span, of: "baseline", .little)
    try cursor.expect("VBASE\0\0\u{1}")
    let count = try cursor.u32()
    try cursor.skip(4)
    let check = try cursor.u64()
    let computed = Checksum.of(span.extracting(min(24, span.count)..<span.count))
    guard check == computed else {
      throw FormatError("baseline", at: 16, .badChecksum(stored: check, computed: computed))
    }
    pointID = "\(try cursor.digest())"
    key = FingerprintKey(try cursor.array(32))
    var volumes: [Volume] = []
    guard count <= StreamLimits.volumes else {
      throw cursor.refusal(.impossible("\(count) volumes"))
    }
    for _ in 0..<count {
      let volume = try Volume(&cursor)
      guard !volumes.contains(where: { $0.name == volume.name }) else {
        throw cursor.refusal(.impossible("two volumes of one name"))
      }
      volumes.append(volume)
    }
    self.volumes = volumes
  }

  /// What the base knows of one segment.
  enum Known: Equatable, Sendable {
    case unknown
    case fingerprint(UInt128)
    case zero
  }

  /// The names of its volumes.
  public var names: [String] { volumes.map(\.name) }

  /// The base's volume of this name and size.
  public func volume(_ name: String, size: UInt64) -> Int? {
    volumes.firstIndex { $0.name == name && $0.size == size }
  }

  /// Whether a loaded segment holds what the base's volume of that name held there.
  public func isUnchanged(_ segment: Segment, ofVolume name: String) -> Bool {
    guard let volume = volumes.firstIndex(where: { $0.name == name }),
      case .fingerprint(let known) = known(
        volume, segment.offset / UInt64(Segment.byteCount))
    else { return false }
    let fingerprinter = idle.with { $0.popLast() } ?? Shared(key)
    defer { idle.with { $0.append(fingerprinter) } }
    return fingerprinter.value.fingerprint(of: segment) == known
  }

  /// What the base knows of segment `index` of a volume.
  func known(_ volume: Int, _ index: UInt64) -> Known {
    let runs = volumes[volume].runs
    var low = 0
    var high = runs.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if runs[middle].first <= index { low = middle } else { high = middle }
    }
    guard low < runs.count else { return .unknown }
    let run = runs[low]
    // A disk that has grown has segments that the base never had.
    guard index - run.first < run.count else { return .unknown }
    switch run.kind {
    case 1:
      let map = map
      let span = map.span
      let offset = run.offset + Int(index - run.first) * BaselineFile.fingerprintCount
      return .fingerprint(
        UInt128(span.little64(at: offset + 8)) << 64 | UInt128(span.little64(at: offset)))
    case 2: return .zero
    default: return .unknown
    }
  }
}

extension BaselineFile.Volume {
  fileprivate init(_ cursor: inout ByteCursor) throws(FormatError) {
    let nameCount = Int(try cursor.u32())
    let runCount = Int(try cursor.u32())
    size = try cursor.u64()
    guard nameCount <= VolumeHeader.fieldByteLimit, size <= VolumeHeader.sizeLimit,
      runCount <= cursor.remaining / BaselineFile.runCount
    else { throw cursor.refusal(.impossible("a volume beyond the limits")) }
    name = String(decoding: try cursor.array(nameCount), as: UTF8.self)
    try cursor.skip((8 - nameCount % 8) % 8)
    let segments = MapShape.segmentCount(size)
    var rows: [(kind: UInt64, count: UInt64)] = []
    var total: UInt64 = 0
    for _ in 0..<runCount {
      let kind = try cursor.u64()
      let count = try cursor.u64()
      guard kind <= 2, count > 0, count <= segments - total else {
        throw cursor.refusal(.impossible("runs that do not fit the volume"))
      }
      rows.append((kind, count))
      total += count
    }
    guard total == segments else {
      throw cursor.refusal(.impossible("runs that do not cover the volume"))
    }
    var runs: [BaselineFile.Run] = []
    var first: UInt64 = 0
    for row in rows {
      runs.append(
        BaselineFile.Run(
          first: first, count: row.count, kind: row.kind, offset: cursor.position))
      first += row.count
      guard row.kind == 1 else { continue }
      guard row.count <= UInt64(cursor.remaining / BaselineFile.fingerprintCount) else {
        throw cursor.refusal(.truncated)
      }
      try cursor.skip(Int(row.count) * BaselineFile.fingerprintCount)
    }
    self.runs = runs
  }
}

extension Repository {
  /// The bytes of a point's baseline.
  public func baseline(of stored: StoredPoint) throws -> [UInt8] {
    let context = RestoreContext(try openIndex(), PackFiles(store))
    guard let key = Hex.bytes(config.fingerprintKey) else {
      throw RepositoryError.damaged("config: parameters out of bounds")
    }
    var body = ByteBuilder(.little)
    body.digest(stored.name.id)
    body.raw(key)
    for volume in stored.point.volumes {
      guard let target = volume.target else {
        throw RepositoryError.damaged("volume \(volume.name): its map has no root")
      }
      let map = MapReader(context.makeReader(), root: target, size: volume.size)
      try Repository.append(map, name: volume.name, size: volume.size, to: &body)
    }
    var header = ByteBuilder(.little)
    header.text("VBASE\0\0\u{1}")
    header.u32(UInt32(stored.point.volumes.count))
    header.u32(0)
    header.u64(Checksum.of(body.bytes))
    return header.bytes + body.bytes
  }

  private static func append(
    _ map: MapReader, name: String, size: UInt64, to body: inout ByteBuilder
  ) throws {
    var runs: [(kind: UInt64, count: UInt64)] = []
    var fingerprints = ByteBuilder(.little)
    try map.forEachPart { part in
      let kind: UInt64
      switch part.target {
      case .node(_, let fingerprint?):
        kind = 1
        fingerprints.u64(UInt64(truncatingIfNeeded: fingerprint))
        fingerprints.u64(UInt64(truncatingIfNeeded: fingerprint >> 64))
      case .hole(.zero): kind = 2
      default: kind = 0
      }
      if runs.last?.kind == kind {
        runs[runs.count - 1].count += part.count
      } else {
        runs.append((kind, part.count))
      }
    }
    let bytes = Array(name.utf8)
    body.u32(UInt32(bytes.count))
    body.u32(UInt32(runs.count))
    body.u64(size)
    body.raw(bytes)
    body.zeros((8 - bytes.count % 8) % 8)
    for run in runs {
      body.u64(run.kind)
      body.u64(run.count)
    }
    body.raw(fingerprints.bytes)
  }
}
