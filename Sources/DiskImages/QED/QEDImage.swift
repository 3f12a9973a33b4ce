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

  private let map: QEDMap
  private let disk: MappedDisk

  public var size: UInt64 { map.size }
  public var sectorSize: UInt32 { 512 }

  public static func recognizes(_ source: any BlockSource) throws -> Bool {
    try source.bytes(4, at: 0) == Array("QED\0".utf8)
  }

  public init(opening source: any BlockSource) throws {
    guard let head = try source.bytes(64, at: 0) else {
      throw FormatError("QED header", at: 0, .truncated)
    }
    map = try QEDMap(parsing: head, of: source)
    disk = MappedDisk(source, map)
  }

  public func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    try disk.read(into: &bytes, at: offset)
  }

  public func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    try disk.nextData(at: offset)
  }
}

/// The two levels of tables of a QED image.
struct QEDMap: BlockMap {
  private static let structure = "QED header"
  private static let hasBackingFile: UInt64 = 1
  private static let knownFeatures: UInt64 = 7

  let size: UInt64
  let blockByteCount: UInt64
  private let tableByteCount: UInt64
  private let tableOffset: UInt64
  private let first: PagedTable
  private let second: PagedTable
  private let fileByteCount: UInt64
  private var entries: UInt64 { tableByteCount / 8 }

  init(parsing head: [UInt8], of file: any BlockSource) throws(FormatError) {
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
    guard features & QEDMap.hasBackingFile == 0 else {
      throw refuse(16, .unsupported("a backing file"))
    }
    try cursor.skip(16)
    tableOffset = try cursor.u64()
    size = try cursor.u64()
    tableByteCount = clusters * blockByteCount
    fileByteCount = file.size
    first = PagedTable(file, of: "QED level 1 table", .little)
    second = PagedTable(file, of: "QED level 2 table", .little)
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

  private func table(of block: UInt64) throws -> UInt64? {
    let position = tableOffset + block / entries * 8
    let place = try first.u64(at: position)
    guard place != 0 else { return nil }
    guard place % blockByteCount == 0, place <= fileByteCount,
      tableByteCount <= fileByteCount - place
    else {
      throw FormatError(
        "QED level 1 table", at: position,
        .impossible("a table at byte \(place) that is not all in the file"))
    }
    return place
  }

  func place(of block: UInt64) throws -> BlockPlace {
    guard let table = try table(of: block) else { return .zero }
    let position = table + block % entries * 8
    let place = try second.u64(at: position)
    guard place > 1 else { return .zero }
    guard place % blockByteCount == 0, place <= fileByteCount,
      byteCount(of: block) <= fileByteCount - place
    else {
      throw FormatError(
        "QED level 2 table", at: position,
        .impossible("cluster \(block) at byte \(place) is not all in the file"))
    }
    return .stored(place)
  }

  func endOfMissingTable(at block: UInt64) throws -> UInt64? {
    let place = try table(of: block)
    return place == nil ? (block / entries + 1) * entries : nil
  }
}
