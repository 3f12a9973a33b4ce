internal import Bytes

/// The entries that stand for one file or directory.
///
///     85  offset size  field
///              1    1  entries that follow
///              2    2  checksum of the set
///              4    2  attributes        1 read-only, 2 hidden, 4 system, 10 directory
///              8    4  created           DOS time and date
///             12    4  modified
///             16    4  accessed
///             20    1  created, in 10 ms more
///             21    1  modified, in 10 ms more
///             22    1  created: zone     bit 7 known, else quarters of an hour ahead of UTC
///             23    1  modified: zone
///             24    1  accessed: zone
///     C0       1    1  flags             1 may have clusters, 2 they follow each other: no FAT
///              3    1  units of the name
///              8    8  bytes that were written; what follows is zero
///             20    4  first cluster
///             24    8  bytes
///     C1       2   30  15 units of the name, UTF-16
///
/// Then there may be entries of makers' own. Little-endian. exFAT File System Specification,
/// "File Directory Entry" and those that follow it.
struct ExFATEntrySet {
  static let type: UInt8 = 0x85

  /// Where the first entry lies, in bytes of the area.
  let offset: UInt64
  let isDirectory: Bool
  private(set) var created: FileTime?
  private(set) var modified: FileTime?
  private(set) var accessed: FileTime?
  private(set) var first: UInt32 = 0
  private(set) var byteCount: UInt64 = 0
  private(set) var writtenByteCount: UInt64 = 0
  /// Whether its clusters follow each other and the FAT says nothing of them.
  private(set) var isContiguous = false
  private(set) var name: [UInt8] = []

  /// - Parameters:
  ///   - head: The first entry.
  ///   - directory: Where the others come from.
  init(_ head: ClusterDirectory.Entry, from directory: inout ClusterDirectory) throws {
    offset = head.offset
    var sum = ExFATEntrySet.sum(0, head.bytes, isHead: true)
    var cursor = ByteCursor(head.bytes.span, of: "exFAT directory", at: head.offset, .little)
    try cursor.skip(1)
    let count = Int(try cursor.u8())
    let stored = try cursor.u16()
    let attributes = try cursor.u16()
    isDirectory = attributes & 0x10 != 0
    guard count >= 2 else { throw cursor.refusal(.impossible("a set of \(count + 1) entries")) }
    try cursor.skip(2)
    let stamps = [try cursor.u32(), try cursor.u32(), try cursor.u32()]
    let hundredths = [try cursor.u8(), try cursor.u8(), 0]
    let zones = [try cursor.u8(), try cursor.u8(), try cursor.u8()]
    let times = (0..<3).map { ExFATEntrySet.time(stamps[$0], hundredths[$0], zones[$0]) }
    (created, modified, accessed) = (times[0], times[1], times[2])
    var units: [UInt16] = []
    var unitCount = 0
    for index in 0..<count {
      guard let entry = try directory.next() else {
        throw FormatError("exFAT directory", at: offset, .truncated)
      }
      sum = ExFATEntrySet.sum(sum, entry.bytes, isHead: false)
      switch (index, entry.bytes[0]) {
      case (0, 0xC0): unitCount = try take(stream: entry)
      case (1..., 0xC1) where units.count < unitCount:
        units += stride(from: 2, to: 32, by: 2).map {
          UInt16(entry.bytes[$0]) | UInt16(entry.bytes[$0 + 1]) << 8
        }
      // In use, not the first of a set, and may be ignored.
      case (2..., 0xE0...): break
      default:
        throw FormatError(
          "exFAT directory", at: entry.offset, .impossible("entry \(entry.bytes[0]) in a set"))
      }
    }
    guard sum == stored else {
      throw FormatError(
        "exFAT directory", at: offset,
        .badChecksum(stored: UInt64(stored), computed: UInt64(sum)))
    }
    guard units.count >= unitCount else {
      throw FormatError("exFAT directory", at: offset, .impossible("a name without an end"))
    }
    name = Array(String(decoding: units.prefix(unitCount), as: UTF16.self).utf8)
    guard FATName.isUsable(name) else {
      throw FormatError("exFAT directory", at: offset, .impossible("no name of a file"))
    }
  }

  /// Takes over the second entry.
  ///
  /// - Returns: How many units the name has.
  private mutating func take(stream entry: ClusterDirectory.Entry) throws(FormatError) -> Int {
    var cursor = ByteCursor(entry.bytes.span, of: "exFAT directory", at: entry.offset, .little)
    try cursor.skip(1)
    let flags = try cursor.u8()
    try cursor.skip(1)
    let unitCount = Int(try cursor.u8())
    try cursor.skip(4)
    writtenByteCount = try cursor.u64()
    try cursor.skip(4)
    first = try cursor.u32()
    byteCount = try cursor.u64()
    isContiguous = flags & 2 != 0
    guard writtenByteCount <= byteCount, flags & 1 != 0 || byteCount == 0 else {
      throw cursor.refusal(.impossible("sizes of a file"))
    }
    return unitCount
  }

  /// Where its clusters are; nil when it has none.
  func place(clusterCount: UInt32) -> ClusterDirectory.Place? {
    if clusterCount == 0 { return .run(ClusterRun(first: 2, count: 0)) }
    return isContiguous
      ? .run(ClusterRun(first: first, count: clusterCount)) : .chain(first)
  }

  private static func time(_ stamp: UInt32, _ hundredths: UInt8, _ zone: UInt8) -> FileTime? {
    // Seven bits with a sign.
    let quarters = Int64(Int8(bitPattern: zone << 1) / 2)
    return DOSTime.time(
      date: UInt16(stamp >> 16), time: UInt16(stamp & 0xFFFF), hundredths: hundredths,
      quarters: zone & 0x80 == 0 ? 0 : quarters)
  }

  private static func sum(_ start: UInt16, _ bytes: [UInt8], isHead: Bool) -> UInt16 {
    var sum = start
    for (index, byte) in bytes.enumerated() where !isHead || index != 2 && index != 3 {
      sum = (sum << 15 | sum >> 1) &+ UInt16(byte)
    }
    return sum
  }
}
