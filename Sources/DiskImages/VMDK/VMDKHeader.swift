internal import Blocks
internal import Bytes

/// The header of a hosted sparse extent.
///
///     offset size  field
///          0    4  signature "KDMV"
///          4    4  version 1 to 3
///          8    4  flags: 1 newline test, 2 redundant tables, 4 grains of zeros, 0x10000 compressed,
///                  0x20000 markers
///         12    8  capacity, 20 (8): grain, 28 (8): descriptor's place, 36 (8): its length; in sectors
///         44    4  entries of a grain table: 512
///         48    8  redundant grain directory, 56 (8): grain directory; all ones: see the footer
///         64    8  sectors before the first grain
///         72    1  unclean shutdown
///         73    4  LF, space, CR, LF: differ after a copy as text
///         77    2  compression: 0 none, 1 deflate
///
/// Little-endian, places in sectors of 512 bytes. VMware Virtual Disk Format 5.0, "Hosted Sparse
/// Extents".
struct VMDKHeader: Sendable {
  static let magic = Array("KDMV".utf8)
  static let sector: UInt64 = 512
  static let inFooter = UInt64.max
  private static let newlines: [UInt8] = [0x0A, 0x20, 0x0D, 0x0A]
  private static let hasNewlineTest: UInt32 = 1
  private static let hasZeroGrains: UInt32 = 4
  private static let isCompressedFlag: UInt32 = 0x10000
  private static let hasMarkersFlag: UInt32 = 0x20000

  let capacity: UInt64
  let grainSectors: UInt64
  let descriptor: Range<UInt64>
  let entries: UInt64
  let directory: UInt64
  let hasZeroGrains: Bool
  let isCompressed: Bool
  private let hasMarkers: Bool
  /// Sectors before the first grain.
  let overhead: UInt64

  /// Whether it can be read from its first byte to its last, grain after grain.
  var isStream: Bool { isCompressed && hasMarkers }
  /// How many grain tables the whole disk has.
  var directoryEntries: UInt64 {
    let covered = entries * grainSectors
    return capacity / covered + (capacity % covered == 0 ? 0 : 1)
  }

  /// Bytes of a grain.
  var grainByteCount: UInt64 { grainSectors * VMDKHeader.sector }

  /// - Parameter offset: Where the 512 bytes of the header lie in the file.
  init(of file: any BlockSource, at offset: UInt64) throws {
    guard let bytes = try file.bytes(512, at: offset) else {
      throw FormatError("VMDK header", at: offset, .truncated)
    }
    func refuse(_ place: UInt64, _ reason: FormatError.Reason) -> FormatError {
      FormatError("VMDK header", at: offset + place, reason)
    }
    var cursor = ByteCursor(bytes.span, of: "VMDK header", at: offset, .little)
    guard try cursor.array(4) == VMDKHeader.magic else { throw refuse(0, .badMagic) }
    let version = try cursor.u32()
    guard (1...3).contains(version) else { throw refuse(4, .unsupported("version \(version)")) }
    let flags = try cursor.u32()
    capacity = try cursor.u64()
    grainSectors = try cursor.u64()
    let start = try cursor.u64()
    let length = try cursor.u64()
    entries = UInt64(try cursor.u32())
    try cursor.skip(8)
    directory = try cursor.u64()
    overhead = try cursor.u64()
    try cursor.skip(1)
    if flags & VMDKHeader.hasNewlineTest != 0, try cursor.array(4) != VMDKHeader.newlines {
      throw refuse(73, .impossible("the file was copied as text"))
    }
    let compression = try {
      var cursor = ByteCursor(bytes.span, of: "VMDK header", at: offset, .little)
      try cursor.skip(77)
      return try cursor.u16()
    }()
    hasZeroGrains = flags & VMDKHeader.hasZeroGrains != 0
    isCompressed = flags & VMDKHeader.isCompressedFlag != 0
    hasMarkers = flags & VMDKHeader.hasMarkersFlag != 0
    guard compression == 1 || !isCompressed else {
      throw refuse(77, .unsupported("compression \(compression)"))
    }
    guard (8...4096).contains(grainSectors), grainSectors & (grainSectors - 1) == 0 else {
      throw refuse(20, .impossible("grains of \(grainSectors) sectors"))
    }
    guard entries == 512 else {
      throw refuse(44, .unsupported("grain tables of \(entries) entries"))
    }
    guard capacity <= VolumeHeader.sizeLimit / VMDKHeader.sector else {
      throw refuse(12, .impossible("a disk of \(capacity) sectors"))
    }
    guard overhead < 1 << 54 else {
      throw refuse(64, .impossible("\(overhead) sectors before the first grain"))
    }
    let limit = UInt64(VMDKDescriptor.byteLimit) / VMDKHeader.sector
    guard start < 1 << 54, length <= limit else {
      throw refuse(28, .impossible("a descriptor of \(length) sectors at \(start)"))
    }
    descriptor = start * VMDKHeader.sector..<(start + length) * VMDKHeader.sector
  }
}
