internal import Blocks
internal import Bytes

/// An exFAT volume's bytes with its geometry.
struct ExFATVolume: Sendable {
  /// The most bytes of a directory, as the specification has it.
  static let directoryByteLimit: UInt64 = 256 << 20

  let source: any BlockSource
  let boot: ExFATBootSector

  var heap: ClusterHeap { boot.heap }

  var table: ClusterTable {
    ClusterTable(source: source, offset: boot.fatOffset, width: .bits32, heap: heap)
  }

  /// The root directory, of which nothing but the FAT tells how long it is.
  func root() throws(FormatError) -> ClusterDirectory {
    try ClusterDirectory(
      .chain(boot.rootCluster), of: table, byteLimit: ExFATVolume.directoryByteLimit,
      isLimitDamage: true)
  }

  /// A directory that an entry set stands for.
  func directory(_ set: ExFATEntrySet) throws(FormatError) -> ClusterDirectory {
    guard set.isDirectory, set.byteCount <= ExFATVolume.directoryByteLimit,
      let count = heap.clusterCount(of: set.byteCount), let place = set.place(clusterCount: count)
    else { throw FormatError("exFAT directory", at: set.offset, .impossible("no directory")) }
    return try ClusterDirectory(place, of: table, byteLimit: set.byteCount, isLimitDamage: false)
  }
}

/// What the root directory says of the volume, besides files.
///
///     type  entry
///       81  allocation bitmap   1 flags, 20 first cluster (4), 24 bytes (8)
///       82  up-case table       4 checksum (4), 20 first cluster (4), 24 bytes (8)
///       83  label               1 characters, 2 UTF-16 (22)
///
/// exFAT File System Specification, "Allocation Bitmap Directory Entry" and those that follow it.
struct ExFATRoot {
  struct Stream: Equatable {
    let first: UInt32
    let byteCount: UInt64
    /// What its content must sum up to, where that is known.
    let checksum: UInt32?
  }

  private(set) var bitmaps: [Stream] = []
  private(set) var upcases: [Stream] = []
  private(set) var label: String?
  /// Types of entries that nobody may ignore and that are not known.
  private(set) var unknown: UInt8?

  /// - Parameter entryLimit: How many entries are looked at.
  init(of volume: ExFATVolume, entryLimit: Int) throws {
    var directory = try volume.root()
    for _ in 0..<entryLimit {
      guard let entry = try directory.next(), entry.bytes[0] != 0 else { return }
      try note(entry)
    }
  }

  private mutating func note(_ entry: ClusterDirectory.Entry) throws(FormatError) {
    let type = entry.bytes[0]
    switch type {
    case 0x81 where bitmaps.count < 2: bitmaps.append(try ExFATRoot.stream(entry))
    case 0x82 where upcases.count < 2: upcases.append(try ExFATRoot.stream(entry))
    case 0x83:
      let count = Int(min(entry.bytes[1], 11))
      label = GuestText.wideLabel(Array(entry.bytes[2..<2 + 2 * count]))
    // In use, of the first of a set, and critical.
    case _ where type & 0xE0 == 0x80 && type != 0x85 && type != 0x81 && type != 0x82:
      unknown = type
    default: break
    }
  }

  private static func stream(_ entry: ClusterDirectory.Entry) throws(FormatError) -> Stream {
    let bytes = entry.bytes
    var cursor = ByteCursor(bytes.span, of: "exFAT directory", at: entry.offset, .little)
    try cursor.skip(4)
    let sum = try cursor.u32()
    try cursor.skip(12)
    let first = try cursor.u32()
    return Stream(
      first: first, byteCount: try cursor.u64(), checksum: entry.bytes[0] == 0x82 ? sum : nil)
  }
}
