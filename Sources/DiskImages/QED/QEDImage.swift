public import Blocks
internal import Bytes

/// A QED image, read as the disk inside it.
///
///     offset size  field
///          0    4  signature "QED" 0
///          4    4  bytes of a cluster, 4 KiB to 64 MiB
///          8    4  clusters of a table, 1 to 16, 12 (4): of the header
///         16    8  features: 1 a backing file, 2 to be checked, 4 the backing file is raw
///         40    8  offset of the level 1 table, 48 (8): size of the disk
///         56    4  offset of the backing file's name, 60 (4): its length
///
/// Little-endian; tables of 8 bytes an entry, a place in the file: 0 for nothing, in level 2 tables 1
/// for a cluster of zeros. QEMU, docs/interop/qed_spec.rst.
public final class QEDImage: DiskFormat {
  public static let name = "qed"

  public let content: any BlockSource

  public static func recognizes(_ source: any BlockSource) throws -> Bool {
    try source.bytes(4, at: 0) == Array("QED\0".utf8)
  }

  public init(opening source: any BlockSource, _ options: OpeningOptions) throws {
    guard let head = try source.bytes(64, at: 0) else {
      throw FormatError("QED header", at: 0, .truncated)
    }
    let map = try QEDMap(parsing: head, of: source)
    let parent = try map.backing.map {
      try BackingFile.open($0.name, format: $0.isRaw ? "raw" : nil, options)
    }
    content = MappedDisk(source, map, parent: parent)
  }

  public static func describe(_ source: any BlockSource) throws -> ImageDescription {
    guard let head = try source.bytes(64, at: 0) else {
      throw FormatError("QED header", at: 0, .truncated)
    }
    let map = try QEDMap(parsing: head, of: source)
    var description = ImageDescription(type: name, size: map.size)
    if let parent = map.backing { description.parents = [parent.name] }
    try description.count(map, in: source)
    return description
  }
}

/// The two levels of tables of a QED image.
struct QEDMap: BlockMap {
  private static let structure = "QED header"
  private static let hasBackingFile: UInt64 = 1
  private static let hasRawBackingFile: UInt64 = 4
  private static let knownFeatures: UInt64 = 7
  private static let nameLimit: UInt32 = 1023

  let size: UInt64
  let blockByteCount: UInt64
  private let tables: TwoLevelTable
  /// The disk below: its name, and whether it is raw for sure.
  let backing: (name: String, isRaw: Bool)?

  init(parsing head: [UInt8], of file: any BlockSource) throws {
    func refuse(_ offset: UInt64, _ reason: FormatError.Reason) -> FormatError {
      FormatError(QEDMap.structure, at: offset, reason)
    }
    func isPower(_ value: UInt64) -> Bool { value != 0 && value & (value - 1) == 0 }
    var cursor = ByteCursor(head.span, of: "QED header", .little)
    try cursor.skip(4)
    blockByteCount = UInt64(try cursor.u32())
    guard (4096...64 << 20).contains(blockByteCount), isPower(blockByteCount) else {
      throw refuse(4, .impossible("clusters of \(blockByteCount) bytes"))
    }
    let clusters = UInt64(try cursor.u32())
    guard (1...16).contains(clusters), isPower(clusters) else {
      throw refuse(8, .impossible("tables of \(clusters) clusters"))
    }
    try cursor.skip(4)
    let features = try cursor.u64()
    guard features & ~QEDMap.knownFeatures == 0 else {
      throw refuse(
        16,
        .unsupported("feature \((features & ~QEDMap.knownFeatures).trailingZeroBitCount)"))
    }
    try cursor.skip(16)
    let tableOffset = try cursor.u64()
    size = try cursor.u64()
    let nameOffset = try cursor.u32()
    let nameLength = try cursor.u32()
    if features & QEDMap.hasBackingFile != 0 {
      guard nameLength > 0, nameLength <= QEDMap.nameLimit,
        let name = try file.bytes(Int(nameLength), at: UInt64(nameOffset))
      else {
        throw refuse(56, .impossible("a backing file's name of \(nameLength) bytes"))
      }
      backing = (
        String(decoding: name, as: UTF8.self), features & QEDMap.hasRawBackingFile != 0
      )
    } else {
      backing = nil
    }
    let tableByteCount = clusters * blockByteCount
    let cluster = blockByteCount
    tables = try TwoLevelTable(
      of: file, .init(firstEntry: 8, secondEntry: 8, secondCount: tableByteCount / 8),
      at: tableOffset, for: size / cluster + (size % cluster == 0 ? 0 : 1), header: cluster,
      ("QED level 1 table", "QED level 2 table"), .little
    ) { (place: UInt64) throws(TwoLevelTable.Misplaced) in
      guard place != 0 else { return nil }
      guard place % cluster == 0 else { throw .init(text: "a table at byte \(place)") }
      return place
    }
    let covered = (tableByteCount / 8).multipliedReportingOverflow(
      by: tableByteCount / 8 * blockByteCount)
    guard covered.overflow || size <= covered.partialValue else {
      throw refuse(48, .impossible("a disk of \(size) bytes"))
    }
    guard tableOffset >= blockByteCount, tableOffset % blockByteCount == 0 else {
      throw refuse(40, .impossible("a level 1 table at byte \(tableOffset)"))
    }
    guard tableOffset <= file.size, tableByteCount <= file.size - tableOffset else {
      throw FormatError("QED level 1 table", at: tableOffset, .truncated)
    }
  }

  func place(of block: UInt64) throws -> BlockPlace {
    guard let position = try tables.position(of: block) else { return .parent }
    let place = try tables.second.u64(at: position)
    if place == 0 { return .parent }
    if place == 1 { return .zero }
    guard place % blockByteCount == 0 else {
      throw tables.refusal(position, "cluster \(block) at byte \(place)")
    }
    try tables.check(block, at: place, byteCount(of: block), position)
    return .stored(place)
  }

  func endOfMissingTable(at block: UInt64) throws -> UInt64? {
    try tables.endOfMissingTable(at: block)
  }
}
