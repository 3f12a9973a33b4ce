internal import Blocks
internal import Bytes

/// The header of a qcow2 image, version 2 or 3.
///
///     offset size  field
///          0    4  signature "QFI" 0xFB
///          4    4  version
///          8    8  offset of the backing file's name, 16 (4): its length
///         20    4  bits of a cluster's size, 9 to 21
///         24    8  size of the disk
///         32    4  encryption: 0 none
///         36    4  entries of the level 1 table, 40 (8): its offset
///         48    8  refcount table, 56 (4): its clusters
///         60    4  snapshots, 64 (8): their table
///         72    8  version 3: incompatible features, 80 (8): compatible, 88 (8): autoclear
///         96    4  version 3: refcount order, 100 (4): length of the header
///        104    1  version 3: compression, 0 deflate, 1 zstd
///
/// Extensions follow: type (4), length (4), data, padding to 8 bytes; type 0 ends them. Big-endian. QEMU,
/// docs/interop/qcow2.txt, "Header" and "Header extensions".
struct QCOW2Header: Sendable {
  static let magic: [UInt8] = [0x51, 0x46, 0x49, 0xFB]
  private static let structure = "qcow2 header"
  private static let nameLimit: UInt32 = 1023
  private static let snapshotLimit: UInt32 = 65536
  private static let shortLength: UInt32 = 72
  private static let backingFormatType: UInt32 = 0xE279_2ACA
  private static let dataFileType: UInt32 = 0x4441_5441

  /// What a reader has to know, or must not read the image.
  private struct Features: OptionSet {
    let rawValue: UInt64
    /// Refcounts may be wrong; the tables are not.
    static let dirty = Features(rawValue: 1)
    static let corrupt = Features(rawValue: 2)
    static let dataFile = Features(rawValue: 4)
    static let compression = Features(rawValue: 8)
    static let extendedTables = Features(rawValue: 16)
    static let known: Features = [.dirty, .corrupt, .dataFile, .compression, .extendedTables]
  }

  /// How clusters are compressed.
  enum Compression: UInt8, Sendable {
    case deflate = 0
    case zstd = 1
  }

  let version: UInt32
  let clusterBits: UInt32
  let compression: Compression
  /// Whether entries of level 2 tables say of each 32nd of a cluster whether it is there.
  let hasSubclusters: Bool
  /// Whether clusters lie in another file, at their places on the disk.
  let hasDataFile: Bool
  /// The disk's present state.
  let state: QCOW2State
  let snapshotCount: UInt32
  let snapshotOffset: UInt64
  /// As the image has it; nil for a disk of its own.
  private(set) var backingName: String?
  /// In QEMU's words; nil when the image does not tell.
  private(set) var backingFormat: String?
  private(set) var dataName: String?

  var clusterByteCount: UInt64 { 1 << UInt64(clusterBits) }
  /// Bytes of an entry of a level 2 table.
  var entryByteCount: UInt64 { hasSubclusters ? 16 : 8 }
  /// Entries of a level 2 table.
  var entries: UInt64 { clusterByteCount / entryByteCount }

  /// - Throws: `FormatError` for what is damaged or not supported, with the reason's name.
  init(of file: any BlockSource) throws {
    let head = try file.bytes(Int(min(file.size, 112)), at: 0) ?? []
    var cursor = ByteCursor(head.span, of: "qcow2 header", .big)
    guard try cursor.array(4) == QCOW2Header.magic else {
      throw FormatError(QCOW2Header.structure, at: 0, .badMagic)
    }
    version = try cursor.u32()
    guard version == 2 || version == 3 else {
      throw FormatError(QCOW2Header.structure, at: 4, .unsupported("version \(version)"))
    }
    let nameOffset = try cursor.u64()
    let nameLength = try cursor.u32()
    clusterBits = try cursor.u32()
    guard (9...21).contains(clusterBits) else {
      throw FormatError(
        QCOW2Header.structure, at: 20, .impossible("clusters of 2^\(clusterBits) bytes"))
    }
    let size = try cursor.u64()
    let encryption = try cursor.u32()
    guard encryption == 0 else {
      throw FormatError(QCOW2Header.structure, at: 32, .unsupported("an encrypted image"))
    }
    let tableEntries = UInt64(try cursor.u32())
    let tableOffset = try cursor.u64()
    try cursor.skip(12)
    snapshotCount = try cursor.u32()
    snapshotOffset = try cursor.u64()
    guard snapshotCount <= QCOW2Header.snapshotLimit else {
      throw FormatError(QCOW2Header.structure, at: 60, .impossible("\(snapshotCount) snapshots"))
    }
    let features = version == 3 ? Features(rawValue: try cursor.u64()) : []
    hasSubclusters = features.contains(.extendedTables)
    hasDataFile = features.contains(.dataFile)
    let length: UInt32
    (compression, length) = try QCOW2Header.compression(head, version, features)
    if let reason = QCOW2Header.refusal(of: features) {
      throw FormatError(QCOW2Header.structure, at: 72, .unsupported(reason))
    }
    if hasSubclusters, clusterBits < 14 {
      throw FormatError(
        QCOW2Header.structure, at: 20, .impossible("subclusters of 2^\(clusterBits) / 32 bytes"))
    }
    state = QCOW2State(size: size, tableEntries: tableEntries, tableOffset: tableOffset)
    try readExtensions(of: file, from: length, to: nameOffset)
    if nameOffset != 0, nameLength > 0 {
      guard nameLength <= QCOW2Header.nameLimit,
        let name = try file.bytes(Int(nameLength), at: nameOffset)
      else {
        throw FormatError(
          QCOW2Header.structure, at: 8, .impossible("a backing file's name of \(nameLength) bytes"))
      }
      backingName = String(decoding: name, as: UTF8.self)
    }
    try state.check(self, of: file.size, "qcow2 header", at: 36)
  }

  private static func compression(
    _ head: [UInt8], _ version: UInt32, _ features: Features
  ) throws(FormatError) -> (Compression, length: UInt32) {
    guard version == 3 else { return (.deflate, shortLength) }
    var cursor = ByteCursor(head.span, of: "qcow2 header", .big)
    try cursor.skip(100)
    let length = try cursor.u32()
    guard length >= 104, length % 8 == 0, length <= 4096 else {
      throw FormatError(structure, at: 100, .impossible("a header of \(length) bytes"))
    }
    let type = length > 104 ? try cursor.u8() : 0
    guard let compression = Compression(rawValue: type) else {
      throw FormatError(structure, at: 104, .unsupported("compression \(type)"))
    }
    guard (compression != .deflate) == features.contains(.compression) else {
      throw FormatError(
        structure, at: 104, .impossible("compression \(type) does not fit the feature bits"))
    }
    return (compression, length)
  }

  /// What keeps an image with these features from being read; nil when nothing does.
  private static func refusal(of features: Features) -> String? {
    if features.contains(.corrupt) { return "an image that is marked corrupt" }
    let unknown = features.subtracting(.known).rawValue
    return unknown == 0 ? nil : "incompatible feature \(unknown.trailingZeroBitCount)"
  }

  /// Takes what extensions say of other files; they end with the first cluster at the latest.
  ///
  /// - Parameter name: Where the backing file's name lies, which ends them, too; 0 without any.
  private mutating func readExtensions(
    of file: any BlockSource, from start: UInt32, to name: UInt64
  ) throws {
    var place = UInt64(start)
    let end = min(clusterByteCount, file.size, name == 0 ? .max : name)
    while place + 8 <= end, let head = try file.bytes(8, at: place) {
      let type = head.span.little32(at: 0).byteSwapped
      let length = UInt64(head.span.little32(at: 4).byteSwapped)
      if type == 0 { return }
      guard length <= end - place - 8 else {
        throw FormatError(
          "qcow2 header extension", at: place + 4, .impossible("\(length) bytes"))
      }
      if type == QCOW2Header.backingFormatType || type == QCOW2Header.dataFileType {
        guard length <= UInt64(QCOW2Header.nameLimit),
          let bytes = try file.bytes(Int(length), at: place + 8)
        else {
          throw FormatError(
            "qcow2 header extension", at: place + 4, .impossible("a name of \(length) bytes"))
        }
        let text = String(decoding: bytes, as: UTF8.self)
        if type == QCOW2Header.dataFileType { dataName = text } else { backingFormat = text }
      }
      place += 8 + (length + 7) / 8 * 8
    }
  }
}

/// A state of the disk, present or of a snapshot: its size and its level 1 table.
struct QCOW2State: Sendable {
  /// QEMU's own limit, in bytes.
  private static let tableLimit: UInt64 = 32 << 20

  let size: UInt64
  let tableEntries: UInt64
  let tableOffset: UInt64

  /// - Parameters:
  ///   - fileByteCount: The file's length.
  ///   - structure: What told the table's place, at `offset`.
  func check(
    _ header: QCOW2Header, of fileByteCount: UInt64, _ structure: String, at offset: UInt64
  ) throws(FormatError) {
    let covered = header.clusterByteCount * header.entries
    let needed = size / covered + (size % covered == 0 ? 0 : 1)
    guard tableEntries >= needed, tableEntries * 8 <= QCOW2State.tableLimit else {
      throw FormatError(
        structure, at: offset,
        .impossible("a level 1 table of \(tableEntries) entries for a disk of \(size) bytes"))
    }
    guard tableOffset % header.clusterByteCount == 0 else {
      throw FormatError(
        structure, at: offset, .impossible("a level 1 table at byte \(tableOffset)"))
    }
    guard tableEntries == 0 || tableOffset <= fileByteCount,
      tableEntries * 8 <= fileByteCount - min(tableOffset, fileByteCount)
    else { throw FormatError("qcow2 level 1 table", at: tableOffset, .truncated) }
  }
}
