internal import Bytes
internal import Codecs

/// The header of a GUID partition table: in the second sector, and again in the disk's last one.
///
///     offset size  field
///          0    8  signature         "EFI PART"
///          8    4  revision          0x00010000
///         12    4  header size       92 at least, a sector at most
///         16    4  header checksum   CRC-32 of the header with this field zero
///         20    4  reserved
///         24    8  own sector
///         32    8  sector of the other copy
///         40    8  first usable sector
///         48    8  last usable sector
///         56   16  disk GUID
///         72    8  first sector of the entries
///         80    4  number of entries
///         84    4  size of an entry  128 at least
///         88    4  entries' checksum CRC-32
///
/// Little-endian. UEFI Specification, "GUID Partition Table (GPT) Disk Layout".
struct GPTHeader: Equatable {
  static let signature = "EFI PART"
  /// The most bytes that all entries may take; usual are 16 KiB.
  static let entriesByteLimit: UInt64 = 1 << 20
  /// The most bytes of one entry.
  static let entryByteLimit: UInt64 = 4096

  var sector: UInt64
  var otherSector: UInt64
  var diskIdentifier: [UInt8]
  var entriesSector: UInt64
  var entryCount: UInt64
  var entrySize: UInt64
  var entriesChecksum: UInt32
}

extension GPTHeader {
  /// Parses the header in one sector, whose number is `number`.
  init(parsing bytes: [UInt8], sector number: UInt64) throws(FormatError) {
    let place = number * UInt64(bytes.count)
    var cursor = ByteCursor(bytes.span, of: "GPT header", at: place, .little)
    try cursor.expect("EFI PART")
    let revision = try cursor.u32()
    guard revision == 0x0001_0000 else {
      throw cursor.refusal(.unsupported("revision 0x\(String(revision, radix: 16))"))
    }
    let headerSize = try cursor.u32()
    guard headerSize >= 92, Int(headerSize) <= bytes.count else {
      throw cursor.refusal(.impossible("header of \(headerSize) bytes"))
    }
    let checksum = try cursor.u32()
    var summed = Array(bytes[0..<Int(headerSize)])
    for index in 16..<20 { summed[index] = 0 }
    let computed = CRC32.of(summed.span)
    guard checksum == computed else {
      throw cursor.refusal(.badChecksum(stored: UInt64(checksum), computed: UInt64(computed)))
    }
    try cursor.skip(4)
    sector = try cursor.u64()
    guard sector == number else {
      throw cursor.refusal(.impossible("header of sector \(sector) in sector \(number)"))
    }
    otherSector = try cursor.u64()
    try cursor.skip(16)
    diskIdentifier = try cursor.array(16)
    entriesSector = try cursor.u64()
    entryCount = UInt64(try cursor.u32())
    entrySize = UInt64(try cursor.u32())
    guard entrySize >= 128, entrySize <= GPTHeader.entryByteLimit,
      entryCount <= GPTHeader.entriesByteLimit / entrySize
    else {
      throw cursor.refusal(.impossible("\(entryCount) entries of \(entrySize) bytes"))
    }
    entriesChecksum = try cursor.u32()
  }

  /// The bytes that all entries take.
  var entriesByteCount: Int { Int(entryCount * entrySize) }
}

/// One entry of the table.
///
///     offset size  field
///          0   16  type GUID     all zero: unused
///         16   16  partition GUID
///         32    8  first sector
///         40    8  last sector   inclusive
///         48    8  attributes
///         56   72  name          UTF-16LE
struct GPTEntry {
  var type: [UInt8]
  var uuid: String?
  var first: UInt64
  var last: UInt64
  var name: String?

  init(parsing bytes: Span<UInt8>, at offset: UInt64) throws(FormatError) {
    var cursor = ByteCursor(bytes, of: "GPT entry", at: offset, .little)
    type = try cursor.array(16)
    uuid = GuestText.guid(try cursor.array(16))
    first = try cursor.u64()
    last = try cursor.u64()
    try cursor.skip(8)
    name = GuestText.wideLabel(try cursor.array(72))
  }

  var isUsed: Bool { type.contains { $0 != 0 } }
}
