internal import Blocks
internal import Bytes

/// A seSparse extent: what ESXi writes for snapshots on VMFS 6 and of disks over 2 TiB.
///
/// Two headers of one sector, in 64-bit numbers; places and lengths in sectors.
///
///     constant header      0 magic 0xCAFEBABE, 8 version 0x200000001, 16 capacity, 24 grain (8),
///                          32 sectors of a grain table (64), 40 flags (0), 80 volatile header,
///                          128 grain directory, 136 its length, 144 grain tables, 152 their length,
///                          192 grains, 200 their length
///     volatile header      0 magic 0xCAFECAFE, 8 free table, 16 next transaction, 24 replay the journal
///
/// A directory's entry: 0, or 1 in the highest four bits and a table's number in the low 32. A table's
/// entry, by its highest four bits: 0 the parent's, 1 and 2 zeros, 3 a grain whose number is made of bits
/// 48 to 59 as the lowest and bits 0 to 47 above them. VMware has not published the format; all
/// this is from QEMU, block/vmdk.c.
struct SESparseMap: BlockMap {
  static let magic: [UInt8] = [0xBE, 0xBA, 0xFE, 0xCA, 0, 0, 0, 0]
  private static let volatileMagic: UInt64 = 0xCAFE_CAFE
  private static let version: UInt64 = 0x2_0000_0001
  private static let grainSectors: UInt64 = 8
  private static let tableSectors: UInt64 = 64
  /// A place that no disk can reach; keeps products of sectors and bytes from overflowing.
  private static let sectorLimit: UInt64 = 1 << 50

  let size: UInt64
  var blockByteCount: UInt64 { SESparseMap.grainSectors * VMDKHeader.sector }
  private let tables: TwoLevelTable
  private let grains: UInt64

  /// - Parameter size: Bytes of the disk that the descriptor says it holds.
  init(of file: any BlockSource, size: UInt64) throws {
    guard let bytes = try file.bytes(512, at: 0) else {
      throw FormatError("seSparse header", at: 0, .truncated)
    }
    let span = bytes.span
    func refuse(_ offset: UInt64, _ reason: FormatError.Reason) -> FormatError {
      FormatError("seSparse header", at: offset, reason)
    }
    guard bytes.starts(with: SESparseMap.magic) else { throw refuse(0, .badMagic) }
    for (offset, wanted, name) in [
      (8, SESparseMap.version, "version"), (24, SESparseMap.grainSectors, "grain size"),
      (32, SESparseMap.tableSectors, "grain table size"), (40, 0, "flags"),
    ] where span.little64(at: offset) != wanted {
      throw refuse(UInt64(offset), .unsupported("\(name) \(span.little64(at: offset))"))
    }
    let capacity = span.little64(at: 16)
    guard capacity == size / VMDKHeader.sector else {
      throw refuse(
        16, .impossible("\(capacity) sectors, but \(size / VMDKHeader.sector) in the descriptor"))
    }
    for offset in [80, 128, 144, 192] where span.little64(at: offset) >= SESparseMap.sectorLimit {
      throw refuse(UInt64(offset), .impossible("a place at sector \(span.little64(at: offset))"))
    }
    self.size = size
    grains = span.little64(at: 192) * VMDKHeader.sector
    try SESparseMap.checkVolatile(file, at: span.little64(at: 80) * VMDKHeader.sector)
    let grain = SESparseMap.grainSectors * VMDKHeader.sector
    let tablesStart = span.little64(at: 144)
    tables = try TwoLevelTable(
      of: file, .init(firstEntry: 8, secondEntry: 8, secondCount: 4096),
      at: span.little64(at: 128) * VMDKHeader.sector,
      for: size / grain + (size % grain == 0 ? 0 : 1), header: VMDKHeader.sector,
      ("seSparse grain directory", "seSparse grain table"), .little
    ) { (entry: UInt64) throws(TwoLevelTable.Misplaced) in
      if entry == 0 { return nil }
      guard entry >> 32 == 0x1000_0000 else {
        throw .init(text: "entry 0x\(String(entry, radix: 16))")
      }
      return (tablesStart + (entry & 0xFFFF_FFFF) * SESparseMap.tableSectors) * VMDKHeader.sector
    }
    guard tables.isWhole else {
      throw refuse(128, .impossible("a grain directory at sector \(span.little64(at: 128))"))
    }
  }

  /// What is in the journal is not in the tables yet.
  private static func checkVolatile(_ file: any BlockSource, at offset: UInt64) throws {
    guard let bytes = try file.bytes(512, at: offset) else {
      throw FormatError("seSparse volatile header", at: offset, .truncated)
    }
    guard bytes.span.little64(at: 0) == volatileMagic else {
      throw FormatError("seSparse volatile header", at: offset, .badMagic)
    }
    guard bytes.span.little64(at: 24) == 0 else {
      throw FormatError(
        "seSparse volatile header", at: offset + 24, .unsupported("a journal to be replayed"))
    }
  }

  func place(of grain: UInt64) throws -> BlockPlace {
    guard let position = try tables.position(of: grain) else { return .parent }
    let entry = try tables.second.u64(at: position)
    switch entry >> 60 {
    case 0:
      guard entry == 0 else { break }
      return .parent
    case 1, 2: return .zero
    case 3:
      let number = (entry >> 48 & 0xFFF) | (entry & 0xFFFF_FFFF_FFFF) << 12
      let (bytes, overflow) = number.multipliedReportingOverflow(by: blockByteCount)
      let (start, beyond) = grains.addingReportingOverflow(bytes)
      guard !overflow, !beyond else {
        throw tables.refusal(position, "grain \(grain) as number \(number) is in no file")
      }
      try tables.check(grain, at: start, byteCount(of: grain), position)
      return .stored(start)
    default: break
    }
    throw tables.refusal(position, "entry 0x\(String(entry, radix: 16))")
  }

  func endOfMissingTable(at block: UInt64) throws -> UInt64? {
    try tables.endOfMissingTable(at: block)
  }
}
