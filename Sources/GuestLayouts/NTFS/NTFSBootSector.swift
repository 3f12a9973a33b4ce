internal import Bytes

/// The first sector of an NTFS volume; a copy is in the sector behind its last one.
///
///     offset size  field
///          0    3  jump
///          3    8  signature             "NTFS    "
///         11    2  bytes of a sector
///         13    1  sectors of a cluster  above 128: two to the power of 256 less that
///         14    7  reserved sectors, FATs, root entries, sectors: zero
///         21    1  media
///         22    2  sectors of a FAT      zero
///         24   16  geometry, hidden sectors, flags
///         40    8  sectors               without the copy of this one
///         48    8  first cluster of $MFT
///         56    8  first cluster of $MFTMirr
///         64    1  clusters of a record  negative: two to the power of the positive, in bytes
///         68    1  clusters of an index block, likewise; each index says it again
///         72    8  serial number
///        510    2  0xAA55
///
/// Little-endian. Linux-NTFS documentation, "$Boot"; libfsntfs, "The volume header".
struct NTFSBootSector: Equatable, Sendable {
  static let byteCount = 512
  static let signature = "NTFS    "
  /// The largest cluster: 2 MiB, as Windows 10 makes them.
  static let clusterSizeLimit: UInt64 = 2 << 20
  /// The largest record of the master file table; usual are 1 and 4 KiB.
  static let recordSizeLimit: UInt64 = 64 << 10

  var sectorSize: UInt64
  var clusterSize: UInt64
  var sectorCount: UInt64
  var tableCluster: UInt64
  var mirrorCluster: UInt64
  var recordSize: Int
  var serialNumber: UInt64

  /// Whole clusters; what is left of the sectors belongs to none.
  var clusterCount: UInt64 { sectorCount / (clusterSize / sectorSize) }
}

extension NTFSBootSector {
  /// - Parameter areaSize: Bytes of the area that the sector opens.
  init(parsing bytes: [UInt8], areaSize: UInt64) throws(FormatError) {
    var cursor = ByteCursor(bytes.span, of: "NTFS boot sector", at: 0, .little)
    try cursor.skip(3)
    try cursor.expect("NTFS    ")
    sectorSize = UInt64(try cursor.u16())
    guard [512, 1024, 2048, 4096].contains(sectorSize) else {
      throw cursor.refusal(.unsupported("a sector of \(sectorSize) bytes"))
    }
    let perCluster = try cursor.u8()
    guard let factor = NTFSBootSector.sectorsPerCluster(perCluster),
      factor * sectorSize <= NTFSBootSector.clusterSizeLimit
    else { throw cursor.refusal(.unsupported("a cluster of \(perCluster) sectors")) }
    clusterSize = factor * sectorSize
    let zeros = try cursor.array(7)
    try cursor.skip(1)
    let fatSectors = try cursor.u16()
    guard zeros.allSatisfy({ $0 == 0 }), fatSectors == 0 else {
      throw cursor.refusal(.impossible("fields of FAT are set"))
    }
    try cursor.skip(16)
    sectorCount = try cursor.u64()
    guard sectorCount <= areaSize / sectorSize else {
      throw cursor.refusal(
        .impossible("\(sectorCount) sectors of \(sectorSize) bytes in an area of \(areaSize)"))
    }
    tableCluster = try cursor.u64()
    mirrorCluster = try cursor.u64()
    let count = sectorCount / factor
    guard tableCluster > 0, tableCluster < count, mirrorCluster > 0, mirrorCluster < count else {
      throw cursor.refusal(.impossible("$MFT or its mirror outside the volume"))
    }
    let perRecord = try cursor.u8()
    guard let size = NTFSBootSector.recordSize(perRecord, clusterSize: clusterSize) else {
      throw cursor.refusal(.unsupported("a record size of code \(perRecord)"))
    }
    recordSize = Int(size)
    try cursor.skip(7)
    serialNumber = try cursor.u64()
    try cursor.skip(510 - 80)
    guard try cursor.u16() == 0xAA55 else { throw cursor.refusal(.badMagic) }
  }

  private static func sectorsPerCluster(_ code: UInt8) -> UInt64? {
    if code > 0x80 {
      let shift = 256 - UInt64(code)
      return shift <= 12 ? 1 << shift : nil
    }
    return code.nonzeroBitCount == 1 ? UInt64(code) : nil
  }

  private static func recordSize(_ code: UInt8, clusterSize: UInt64) -> UInt64? {
    let size: UInt64
    if code > 0x80 {
      let shift = 256 - UInt64(code)
      guard shift <= 16 else { return nil }
      size = 1 << shift
    } else {
      size = UInt64(code) * clusterSize
    }
    guard size.nonzeroBitCount == 1, size >= 512, size <= recordSizeLimit else { return nil }
    return size
  }

  /// The serial number as Windows and `blkid` show it.
  var serialText: String {
    let digits = String(serialNumber, radix: 16, uppercase: true)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
