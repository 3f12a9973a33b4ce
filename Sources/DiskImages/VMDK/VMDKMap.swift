internal import Blocks
internal import Bytes
internal import Codecs
internal import Platform

/// The grain directory and the grain tables of a sparse extent; its blocks are grains.
struct VMDKMap: BlockMap {
  /// A grain marker: the grain's first sector (8), bytes of compressed data (4), which follow.
  private static let markerByteCount: UInt64 = 12

  private let file: any BlockSource
  private let header: VMDKHeader
  private let tables: TwoLevelTable
  private let inflaters = Pool { Inflater() }
  let size: UInt64
  var blockByteCount: UInt64 { header.grainByteCount }

  /// - Parameter size: Bytes of the disk that the extent holds.
  init(of file: any BlockSource, _ header: VMDKHeader, size: UInt64) throws {
    self.file = file
    self.header = header
    self.size = size
    let shape = TwoLevelTable.Shape(firstEntry: 4, secondEntry: 4, secondCount: header.entries)
    let start = header.directory.multipliedReportingOverflow(by: VMDKHeader.sector)
    tables = try TwoLevelTable(
      of: file, shape, at: start.overflow ? .max : start.partialValue,
      for: size / header.grainByteCount + (size % header.grainByteCount == 0 ? 0 : 1),
      header: VMDKHeader.sector, ("VMDK grain directory", "VMDK grain table"), .little
    ) { sector in
      sector == 0 ? nil : sector * VMDKHeader.sector
    }
    guard size == 0 || header.directory > 0, tables.isWhole else {
      throw FormatError(
        "VMDK header", at: 56, .impossible("a grain directory at sector \(header.directory)"))
    }
  }

  func place(of grain: UInt64) throws -> BlockPlace {
    guard let position = try tables.position(of: grain) else { return .parent }
    let sector = UInt64(try tables.second.u32(at: position))
    if sector == 0 { return .parent }
    if sector == 1, header.hasZeroGrains { return .zero }
    let start = sector * VMDKHeader.sector
    let needed = header.isCompressed ? VMDKMap.markerByteCount : byteCount(of: grain)
    try tables.check(grain, at: start, needed, position)
    return header.isCompressed
      ? .packed(start..<start + VMDKMap.markerByteCount, at: 0) : .stored(start)
  }

  func unpack(_ grain: UInt64, _ range: Range<UInt64>) throws -> [UInt8] {
    func refuse(_ text: String) -> FormatError {
      FormatError("VMDK grain", at: range.lowerBound, .impossible(text))
    }
    let marker = try file.bytes(range.count, at: range.lowerBound) ?? []
    var cursor = ByteCursor(marker.span, of: "VMDK grain", at: range.lowerBound, .little)
    let sector = try cursor.u64()
    let count = UInt64(try cursor.u32())
    guard sector == grain * header.grainSectors else {
      throw refuse("it is marked as sector \(sector), not \(grain * header.grainSectors)")
    }
    // What does not compress becomes a little longer.
    guard count > 0, count <= 2 * header.grainByteCount,
      let packed = try file.bytes(Int(count), at: range.upperBound)
    else { throw refuse("\(count) compressed bytes") }
    do {
      return try inflaters.with { try inflate(packed, Int(byteCount(of: grain)), $0) }
    } catch let error as CodecError {
      throw refuse("\(error)")
    }
  }

  /// - Parameter needed: Bytes of the grain that belong to the disk: the last grain may be cut off.
  private func inflate(
    _ packed: [UInt8], _ needed: Int, _ inflater: Inflater
  ) throws(CodecError) -> [UInt8] {
    var plain = [UInt8](repeating: 0, count: Int(header.grainByteCount))
    var target = plain.mutableSpan
    let count = try inflater.decompress(packed.span, .zlib, into: &target)
    guard count >= needed else {
      throw CodecError(description: "deflate: only \(count) bytes come out")
    }
    return plain
  }

  func endOfMissingTable(at block: UInt64) throws -> UInt64? {
    try tables.endOfMissingTable(at: block)
  }
}
