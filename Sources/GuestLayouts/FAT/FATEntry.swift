internal import Bytes

/// One entry of a directory.
///
///     offset size  field
///          0   11  name              byte 0: 00 end, E5 deleted
///         11    1  attributes        1 read-only, 2 hidden, 4 system, 8 label, 10 directory
///         12    1  lower case        8 the name, 10 the extension
///         13    1  created, in 10 ms more
///         14    2  created, time
///         16    2  created, date
///         18    2  last access, date
///         20    2  first cluster, upper half   FAT32 only
///         22    2  modified, time
///         24    2  modified, date
///         26    2  first cluster, lower half
///         28    4  bytes
///
/// Little-endian. Microsoft FAT Specification, "Directory Structure". Entries with all of the
/// attributes 1, 2, 4 and 8 hold pieces of a long name.
struct FATEntry {
  let offset: UInt64
  let name: [UInt8]
  let attributes: UInt8
  let caseFlags: UInt8
  let created: FileTime?
  let modified: FileTime?
  let accessed: FileTime?
  private let upperCluster: UInt16
  private let lowerCluster: UInt16
  let byteCount: UInt32

  init(parsing entry: ClusterDirectory.Entry) throws(FormatError) {
    offset = entry.offset
    var cursor = ByteCursor(entry.bytes.span, of: "FAT directory", at: entry.offset, .little)
    name = try cursor.array(11)
    attributes = try cursor.u8()
    caseFlags = try cursor.u8()
    let hundredths = try cursor.u8()
    let createdTime = try cursor.u16()
    created = DOSTime.time(date: try cursor.u16(), time: createdTime, hundredths: hundredths)
    accessed = DOSTime.time(date: try cursor.u16(), time: 0)
    upperCluster = try cursor.u16()
    let modifiedTime = try cursor.u16()
    modified = DOSTime.time(date: try cursor.u16(), time: modifiedTime)
    lowerCluster = try cursor.u16()
    byteCount = try cursor.u32()
  }

  /// No entry follows.
  var isEnd: Bool { name[0] == 0 }
  var isDeleted: Bool { name[0] == 0xE5 }
  var isLongName: Bool { attributes & 0x3F == 0x0F }
  var isLabel: Bool { !isDeleted && !isLongName && attributes & 0x18 == 0x08 }
  var isDirectory: Bool { attributes & 0x10 != 0 }
  /// Whether it is a file or a directory.
  var isFile: Bool { !isEnd && !isDeleted && !isLongName && attributes & 0x08 == 0 }
  /// Whether it stands for the directory itself or the one above.
  var isDot: Bool {
    name.starts(with: [0x2E, 0x20]) || name.starts(with: [0x2E, 0x2E, 0x20])
  }

  /// The upper half means something else in FAT12 and FAT16.
  func firstCluster(_ kind: FATBootSector.Kind) -> UInt32 {
    UInt32(lowerCluster) | (kind == .fat32 ? UInt32(upperCluster) << 16 : 0)
  }
}
