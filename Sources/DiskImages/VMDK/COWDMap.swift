internal import Blocks
internal import Bytes

/// A vmfsSparse extent: what ESX writes for snapshots of disks below 2 TiB.
///
///     offset size  field
///          0    4  signature "COWD"
///          4    4  version 1, 8 (4): flags 3
///         12    4  sectors of the disk, 16 (4): of a grain
///         20    4  grain directory's sector, 24 (4): its entries
///         28    4  first free sector
///
/// Little-endian. Tables of 4,096 entries of 4 bytes; 0 leaves a grain to the parent. VMware Virtual Disk
/// Format 5.0, "ESX Server Sparse Extents"; QEMU, block/vmdk.c.
struct COWDMap: BlockMap {
  static let magic = Array("COWD".utf8)
  private static let entries: UInt64 = 4096

  let size: UInt64
  let blockByteCount: UInt64
  private let tables: TwoLevelTable

  /// - Parameter size: Bytes of the disk that the descriptor says it holds.
  init(of file: any BlockSource, size: UInt64) throws {
    guard let bytes = try file.bytes(2048, at: 0) else {
      throw FormatError("COWD header", at: 0, .truncated)
    }
    func refuse(_ offset: UInt64, _ reason: FormatError.Reason) -> FormatError {
      FormatError("COWD header", at: offset, reason)
    }
    guard bytes.starts(with: COWDMap.magic) else { throw refuse(0, .badMagic) }
    let span = bytes.span
    guard span.little32(at: 4) == 1 else {
      throw refuse(4, .unsupported("version \(span.little32(at: 4))"))
    }
    guard span.little32(at: 8) == 3 else {
      throw refuse(8, .unsupported("flags \(span.little32(at: 8))"))
    }
    let sectors = UInt64(span.little32(at: 12))
    let grain = UInt64(span.little32(at: 16))
    guard grain > 0, grain <= 4096, grain & (grain - 1) == 0 else {
      throw refuse(16, .impossible("grains of \(grain) sectors"))
    }
    guard size / VMDKHeader.sector == sectors else {
      throw refuse(
        12, .impossible("\(sectors) sectors, but \(size / VMDKHeader.sector) in the descriptor"))
    }
    self.size = size
    blockByteCount = grain * VMDKHeader.sector
    let start = UInt64(span.little32(at: 20))
    tables = try TwoLevelTable(
      of: file, .init(firstEntry: 4, secondEntry: 4, secondCount: COWDMap.entries),
      at: start * VMDKHeader.sector,
      for: size / blockByteCount + (size % blockByteCount == 0 ? 0 : 1), header: 2048,
      ("COWD grain directory", "COWD grain table"), .little
    ) { sector in
      sector == 0 ? nil : sector * VMDKHeader.sector
    }
    let covered = UInt64(span.little32(at: 24)).multipliedReportingOverflow(by: COWDMap.entries)
    guard start >= 4, covered.overflow || covered.partialValue >= blockCount,
      tables.isWhole
    else {
      throw refuse(20, .impossible("a grain directory at sector \(start)"))
    }
  }

  func place(of grain: UInt64) throws -> BlockPlace {
    guard let position = try tables.position(of: grain) else { return .parent }
    let sector = UInt64(try tables.second.u32(at: position))
    if sector == 0 { return .parent }
    let start = sector * VMDKHeader.sector
    try tables.check(grain, at: start, byteCount(of: grain), position)
    return .stored(start)
  }

  func endOfMissingTable(at block: UInt64) throws -> UInt64? {
    try tables.endOfMissingTable(at: block)
  }
}
