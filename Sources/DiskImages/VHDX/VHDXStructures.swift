internal import Bytes

/// The parts of a VHDX file: where they lie and what names them.
///
/// All integers are little-endian.
///
///     0         file identifier: "vhdxfile", creator (512 bytes of UTF-16)
///     64 KiB    header 1, 128 KiB header 2
///     192 KiB   region table 1, 256 KiB region table 2
///     1 MiB ..  log, block allocation table, metadata, blocks: each at a multiple of 1 MiB
///
/// [MS-VHDX] 2.1.
enum VHDX {
  static let signature = Array("vhdxfile".utf8)
  static let headerOffsets: [UInt64] = [64 << 10, 128 << 10]
  static let tableOffsets: [UInt64] = [192 << 10, 256 << 10]
  static let alignment: UInt64 = 1 << 20
  /// The largest disk: 64 TiB.
  static let sizeLimit: UInt64 = 64 << 40
  /// Bytes of a sector bitmap block, of which there is one for each chunk of blocks.
  static let bitmapByteCount: UInt64 = 1 << 20

  static let tableRegion = GUID("2DC27766-F623-4200-9D64-115E9BFD4A08")
  static let metadataRegion = GUID("8B7CA206-4790-4B9A-B8FE-575F050F886E")

  static let fileParameters = GUID("CAA16737-FA36-4D43-B3B6-33F0AA44E76B")
  static let diskSize = GUID("2FA54224-CD1B-4876-B211-5DBED83BF4B8")
  static let diskIdentifier = GUID("BECA12AB-B2E6-4523-93EF-C309E000C746")
  static let logicalSectorSize = GUID("8141BF1D-A96F-4709-BA47-F233A8FAAB5F")
  static let physicalSectorSize = GUID("CDA348C7-445D-4471-9CC9-E9885251C556")
  static let parentLocator = GUID("A8D35F2D-B30B-454D-ABF7-D3D84834AB0C")
}

/// A Microsoft GUID as its 16 bytes in a file, of which the first three fields are little-endian.
struct GUID: Equatable, Hashable, Sendable, CustomStringConvertible {
  static let zero = GUID(bytes: [UInt8](repeating: 0, count: 16))
  /// The order in which the bytes of the text stand in a file.
  private static let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]

  let bytes: [UInt8]

  /// - Parameter bytes: 16 bytes as they stand in a file.
  init(bytes: [UInt8]) { self.bytes = bytes }

  /// - Parameter text: 32 hexadecimal digits with dashes.
  init(_ text: String) {
    let plain = Hex.bytes(text.filter { $0 != "-" }.lowercased()) ?? []
    precondition(plain.count == 16)
    bytes = GUID.order.map { plain[$0] }
  }

  var description: String {
    let text = Hex.text(GUID.order.map { bytes[$0] })
    var result = ""
    for (index, digit) in text.enumerated() {
      if [8, 12, 16, 20].contains(index) { result.append("-") }
      result.append(digit)
    }
    return result
  }
}

extension ByteCursor {
  mutating func guid() throws(FormatError) -> GUID { GUID(bytes: try array(16)) }
}

/// One of a VHDX's two headers, of 4 KiB.
///
///     offset size  field
///          0    4  signature "head"
///          4    4  CRC-32C of the 4 KiB with this field zero
///          8    8  sequence number: the higher of two is in force
///         16   16  file write GUID, 32: data write GUID, 48: log GUID, all zero without a log
///         64    2  log version 0, 66: version 1
///         68    4  log length, 72 (8): log offset
///
/// [MS-VHDX] 2.2.2.
struct VHDXHeader: Equatable, Sendable {
  static let byteCount = 4096

  let sequence: UInt64
  let fileWrite: GUID
  let dataWrite: GUID
  let log: GUID
  let logVersion: UInt16
  let version: UInt16
  let logRange: Range<UInt64>
  let bytes: [UInt8]

  /// - Parameter offset: Where the header lies in the file.
  init(parsing bytes: [UInt8], at offset: UInt64) throws(FormatError) {
    var cursor = ByteCursor(bytes.span, of: "VHDX header", at: offset, .little)
    try cursor.expect("head")
    try VHDXChecksum.require(bytes, of: "VHDX header", at: offset)
    try cursor.skip(4)
    sequence = try cursor.u64()
    fileWrite = try cursor.guid()
    dataWrite = try cursor.guid()
    log = try cursor.guid()
    logVersion = try cursor.u16()
    version = try cursor.u16()
    let length = try cursor.u32()
    let start = try cursor.u64()
    guard start <= .max - UInt64(length) else {
      throw FormatError("VHDX header", at: offset + 72, .impossible("the log has no end"))
    }
    logRange = start..<start + UInt64(length)
    self.bytes = bytes
  }
}

/// The checksum that VHDX structures hold in their bytes 4 to 7.
enum VHDXChecksum {
  /// - Throws: When the stored one does not fit `bytes`.
  static func require(
    _ bytes: [UInt8], of structure: String, at offset: UInt64
  ) throws(FormatError) {
    let stored = bytes.span.little32(at: 4)
    let computed = checksum(of: bytes)
    guard stored == computed else {
      throw FormatError(
        structure, at: offset + 4,
        .badChecksum(stored: UInt64(stored), computed: UInt64(computed)))
    }
  }

  /// `bytes` with their checksum in its place.
  static func sealed(_ bytes: [UInt8]) -> [UInt8] {
    var builder = ByteBuilder(.little)
    builder.u32(checksum(of: bytes))
    var sealed = bytes
    sealed.replaceSubrange(4..<8, with: builder.bytes)
    return sealed
  }

  /// What bytes 4 to 7 must hold.
  static func checksum(of bytes: [UInt8]) -> UInt32 {
    var running = RunningCRC32(.castagnoli)
    running.add(bytes[0..<4])
    running.add([0, 0, 0, 0])
    running.add(bytes[8...])
    return running.value
  }
}

/// A region of the file, as a region table names it.
///
/// [MS-VHDX] 2.2.3.
struct VHDXRegionTable: Sendable {
  static let byteCount = 64 << 10
  private static let countLimit: UInt32 = 2047

  /// The regions by their identifiers.
  private(set) var regions: [GUID: Range<UInt64>] = [:]

  /// - Parameter offset: Where the table lies in the file.
  /// - Throws: Also for a region that is not known here and yet required.
  init(parsing bytes: [UInt8], at offset: UInt64) throws(FormatError) {
    for entry in try VHDXRegionTable.entries(of: bytes, at: offset) {
      guard [VHDX.tableRegion, VHDX.metadataRegion].contains(entry.id) else {
        guard !entry.isRequired else {
          throw FormatError(
            "VHDX region table", at: entry.place, .unsupported("region \(entry.id)"))
        }
        continue
      }
      guard let range = entry.range else {
        throw FormatError(
          "VHDX region table", at: entry.place,
          .impossible("a region of \(entry.length) bytes at \(entry.start)"))
      }
      guard regions.updateValue(range, forKey: entry.id) == nil else {
        throw FormatError(
          "VHDX region table", at: entry.place, .impossible("region \(entry.id) stands twice"))
      }
    }
  }

  /// The entries of a table whose signature and checksum are right, possible or not.
  static func entries(of bytes: [UInt8], at offset: UInt64) throws(FormatError) -> [VHDXRegionEntry]
  {
    var cursor = ByteCursor(bytes.span, of: "VHDX region table", at: offset, .little)
    try cursor.expect("regi")
    try VHDXChecksum.require(bytes, of: "VHDX region table", at: offset)
    try cursor.skip(4)
    let count = try cursor.u32()
    guard count <= countLimit else {
      throw FormatError("VHDX region table", at: offset + 8, .impossible("\(count) entries"))
    }
    try cursor.skip(4)
    var entries: [VHDXRegionEntry] = []
    for _ in 0..<count {
      let place = offset + UInt64(cursor.position)
      entries.append(
        VHDXRegionEntry(
          place: place, id: try cursor.guid(), start: try cursor.u64(),
          length: UInt64(try cursor.u32()), flags: try cursor.u32()))
    }
    return entries
  }

  /// The region of that identifier.
  func range(_ id: GUID, _ name: String, at offset: UInt64) throws(FormatError) -> Range<UInt64> {
    guard let range = regions[id] else {
      throw FormatError("VHDX region table", at: offset, .impossible("there is no \(name) region"))
    }
    return range
  }
}

/// What a region table says of one region.
struct VHDXRegionEntry: Sendable {
  /// Where the entry lies in the file.
  let place: UInt64
  let id: GUID
  let start: UInt64
  let length: UInt64
  /// Bit 0: who does not know the region must not open the file.
  let flags: UInt32

  var isRequired: Bool { flags & 1 == 1 }

  /// Where the region lies; nil for what no region can have.
  var range: Range<UInt64>? {
    guard start >= VHDX.alignment, start % VHDX.alignment == 0, length > 0,
      length % VHDX.alignment == 0, start <= .max - length
    else { return nil }
    return start..<start + length
  }
}
