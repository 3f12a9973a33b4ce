internal import Bytes

/// The table in a boot record: sector 0 of a disk (MBR), or a link of an extended partition's
/// chain (EBR).
///
///     offset size  field
///        446   64  four entries
///        510    2  signature   55 AA
///
/// One entry:
///
///     offset size  field
///          0    1  boot flag   0x80 bootable, 0 not
///          1    3  first sector as cylinder, head, sector
///          4    1  type
///          5    3  last sector as cylinder, head, sector
///          8    4  first sector
///         12    4  number of sectors
///
/// Little-endian.
struct BootRecord {
  static let byteCount = 512

  struct Entry {
    let bootFlag: UInt8
    let type: UInt8
    let start: UInt64
    let count: UInt64

    var isUsed: Bool { type != 0 && count != 0 }
    var isExtended: Bool { isUsed && (type == 0x05 || type == 0x0F || type == 0x85) }
    var isProtective: Bool { type == 0xEE }
  }

  let entries: [Entry]

  init(parsing bytes: [UInt8], at offset: UInt64) throws(FormatError) {
    var cursor = ByteCursor(bytes.span, of: "boot record", at: offset, .little)
    try cursor.skip(446)
    var entries: [Entry] = []
    for _ in 0..<4 {
      let bootFlag = try cursor.u8()
      try cursor.skip(3)
      let type = try cursor.u8()
      try cursor.skip(3)
      let start = try cursor.u32()
      let count = try cursor.u32()
      entries.append(
        Entry(bootFlag: bootFlag, type: type, start: UInt64(start), count: UInt64(count)))
    }
    self.entries = entries
    guard try cursor.u16() == 0xAA55 else { throw cursor.refusal(.badMagic) }
  }

  /// Whether all boot flags are ones that a table can have; the code of a file system's boot
  /// sector, which ends in the same signature, seldom passes.
  var isPlausible: Bool { entries.allSatisfy { $0.bootFlag == 0 || $0.bootFlag == 0x80 } }
}
