internal import Bytes

/// What VHDX files that we write have in common: where their parts lie, and the bytes of those that
/// are no blocks.
///
///     0        file identifier
///     64 KiB   header 1, 128 KiB: header 2
///     192 KiB  region table 1, 256 KiB: region table 2
///     1 MiB    log of 1 MiB, empty
///     2 MiB    metadata
///     3 MiB    block allocation table, in whole MiB
///              blocks
///
/// [MS-VHDX] 2.
public struct VHDXShape: Sendable {
  /// The largest disk: 64 TiB.
  public static let sizeLimit = VHDX.sizeLimit
  /// Sizes of blocks that the format knows: powers of two from 1 MiB to 256 MiB.
  public static let blockByteCounts: ClosedRange<UInt64> = 1 << 20...256 << 20
  /// The most blocks: the writer keeps the place of each in memory, in four bytes.
  public static let blockCountLimit: UInt64 = 1 << 23
  /// What Hyper-V makes dynamic disks with.
  public static let usualBlockByteCount: UInt64 = 32 << 20
  static let logOffset = VHDX.alignment
  static let metadataOffset = 2 * VHDX.alignment
  static let tableOffset = 3 * VHDX.alignment
  /// States of blocks.
  private static let isZero: UInt64 = 2
  private static let isPresent: UInt64 = 6
  /// Entries of the table that are written at once.
  private static let pieceEntryCount: UInt64 = 1 << 17

  /// The disk's size in bytes.
  public let size: UInt64
  public let blockByteCount: UInt64
  let sectorSize: UInt32
  private let isFixed: Bool
  /// Of the last change of the file, of the last change of its disk, and of the disk.
  private let identifiers: [GUID]

  /// - Parameters:
  ///   - size: The disk's size in bytes, a multiple of `sectorSize`.
  ///   - blockByteCount: One of `blockByteCounts`.
  ///   - sectorSize: Bytes of a logical sector, 512 or 4096.
  ///   - isFixed: Whether all blocks stay allocated.
  ///   - identifiers: 48 random bytes.
  /// - Throws: When the disk is too large.
  public init(
    size: UInt64, blockByteCount: UInt64, sectorSize: UInt32, isFixed: Bool, identifiers: [UInt8]
  ) throws(LayoutError) {
    precondition([512, 4096].contains(sectorSize) && size % UInt64(sectorSize) == 0)
    precondition(
      VHDXShape.blockByteCounts.contains(blockByteCount)
        && blockByteCount & (blockByteCount - 1) == 0)
    guard size <= VHDX.sizeLimit else {
      throw LayoutError("a VHDX holds \(VHDX.sizeLimit) bytes at most, the disk has \(size)")
    }
    self.size = size
    self.blockByteCount = blockByteCount
    self.sectorSize = sectorSize
    self.isFixed = isFixed
    self.identifiers = (0..<3).map {
      VHDXShape.randomGUID(Array(identifiers[$0 * 16..<$0 * 16 + 16]))
    }
    guard blockCount <= VHDXShape.blockCountLimit else {
      throw LayoutError(
        "a table of \(blockCount) blocks is beyond the limit of \(VHDXShape.blockCountLimit)",
        hint: "--block-size with a larger size helps")
    }
  }

  /// Marks random bytes as such a GUID: RFC 4122, version 4.
  private static func randomGUID(_ random: [UInt8]) -> GUID {
    var bytes = random
    bytes[7] = bytes[7] & 0x0F | 0x40
    bytes[8] = bytes[8] & 0x3F | 0x80
    return GUID(bytes: bytes)
  }

  /// Blocks of the disk; the last one may reach beyond its end.
  var blockCount: UInt64 { size / blockByteCount + (size % blockByteCount == 0 ? 0 : 1) }

  /// Blocks for which there is one block of sector bitmaps.
  private var chunkRatio: UInt64 { (1 << 23) * UInt64(sectorSize) / blockByteCount }

  /// Entries of the table: those of blocks, and one for bitmaps between two chunks.
  private var entryCount: UInt64 {
    blockCount == 0 ? 0 : blockCount + (blockCount - 1) / chunkRatio
  }

  /// Bytes of the table's region.
  private var tableByteCount: UInt64 {
    max(1, (entryCount * 8 + VHDX.alignment - 1) / VHDX.alignment) * VHDX.alignment
  }

  /// Where the first block may lie.
  var dataOffset: UInt64 { VHDXShape.tableOffset + tableByteCount }

  /// Writes everything that is no block, in the order in which it lies in the file.
  ///
  /// - Parameter place: Where a block lies in the file; nil for one of zeros that is not there.
  func write(_ write: StructureWriter, _ place: (UInt64) -> UInt64?) throws {
    try write(fileIdentifier, 0)
    for (index, offset) in VHDX.headerOffsets.enumerated() {
      try write(header(UInt64(index) + 1), offset)
    }
    for offset in VHDX.tableOffsets { try write(regionTable, offset) }
    try write(metadata, VHDXShape.metadataOffset)
    var first: UInt64 = 0
    while first < entryCount {
      let end = min(entryCount, first + VHDXShape.pieceEntryCount)
      try write(table(first..<end, place), VHDXShape.tableOffset + first * 8)
      first = end
    }
  }

  /// Entries of the block allocation table.
  private func table(_ entries: Range<UInt64>, _ place: (UInt64) -> UInt64?) -> [UInt8] {
    var builder = ByteBuilder(.little, capacity: entries.count * 8)
    for entry in entries {
      let (chunk, inner) = entry.quotientAndRemainder(dividingBy: chunkRatio + 1)
      guard inner < chunkRatio else {
        // No bitmaps: only disks with a parent have any.
        builder.u64(0)
        continue
      }
      // "Not present" would leave it to the reader what the bytes are; "zero" does not.
      builder.u64(
        place(chunk * chunkRatio + inner).map { $0 | VHDXShape.isPresent } ?? VHDXShape.isZero)
    }
    return builder.bytes
  }

  private var fileIdentifier: [UInt8] {
    var builder = ByteBuilder(.little)
    builder.raw(VHDX.signature)
    for unit in "vpipe".utf16 { builder.u16(unit) }
    builder.pad(to: 8 + 512)
    return builder.bytes
  }

  private func header(_ sequence: UInt64) -> [UInt8] {
    var builder = ByteBuilder(.little, capacity: VHDXHeader.byteCount)
    builder.text("head")
    builder.u32(0)
    builder.u64(sequence)
    builder.raw(identifiers[0].bytes)
    builder.raw(identifiers[1].bytes)
    builder.raw(GUID.zero.bytes)
    builder.u16(0)
    builder.u16(1)
    builder.u32(UInt32(VHDX.alignment))
    builder.u64(VHDXShape.logOffset)
    builder.pad(to: VHDXHeader.byteCount)
    return VHDXChecksum.sealed(builder.bytes)
  }

  private var regionTable: [UInt8] {
    var builder = ByteBuilder(.little, capacity: VHDXRegionTable.byteCount)
    builder.text("regi")
    builder.u32(0)
    builder.u32(2)
    builder.u32(0)
    for (id, offset, length) in [
      (VHDX.tableRegion, VHDXShape.tableOffset, tableByteCount),
      (VHDX.metadataRegion, VHDXShape.metadataOffset, VHDX.alignment),
    ] {
      builder.raw(id.bytes)
      builder.u64(offset)
      builder.u32(UInt32(length))
      builder.u32(1)
    }
    builder.pad(to: VHDXRegionTable.byteCount)
    return VHDXChecksum.sealed(builder.bytes)
  }

  private var metadata: [UInt8] {
    let isOfDisk: UInt32 = 2
    var values = ByteBuilder(.little)
    var table = ByteBuilder(.little, capacity: VHDXMetadata.tableByteCount)
    table.text("metadata")
    table.u16(0)
    table.u16(5)
    table.zeros(20)
    func item(_ id: GUID, _ flags: UInt32, _ count: UInt32) {
      table.raw(id.bytes)
      table.u32(UInt32(VHDXMetadata.tableByteCount + values.bytes.count))
      table.u32(count)
      table.u32(flags | VHDXMetadata.isRequired)
      table.u32(0)
    }
    item(VHDX.fileParameters, 0, 8)
    values.u32(UInt32(blockByteCount))
    values.u32(isFixed ? 1 : 0)
    item(VHDX.diskSize, isOfDisk, 8)
    values.u64(size)
    item(VHDX.diskIdentifier, isOfDisk, 16)
    values.raw(identifiers[2].bytes)
    item(VHDX.logicalSectorSize, isOfDisk, 4)
    values.u32(sectorSize)
    item(VHDX.physicalSectorSize, isOfDisk, 4)
    values.u32(4096)
    table.pad(to: VHDXMetadata.tableByteCount)
    return table.bytes + values.bytes
  }
}

/// A fixed VHDX: all blocks, in order.
public struct VHDXFixedLayout: StraightLayout {
  private let shape: VHDXShape

  public init(_ shape: VHDXShape) { self.shape = shape }

  public var dataOffset: UInt64 { shape.dataOffset }
  public var byteCount: UInt64 { dataOffset + shape.blockCount * shape.blockByteCount }

  public func writeStart(_ write: StructureWriter) throws {
    let start = dataOffset
    try shape.write(write) { start + $0 * shape.blockByteCount }
  }

  public func writeEnd(_ write: StructureWriter) {}
}

/// A dynamic VHDX while it is written.
public struct VHDXDynamicBlocks: BlockLayout {
  private let shape: VHDXShape
  /// Where each block lies, in MiB; 0 for those that are not there.
  private var places: [UInt32]
  public private(set) var byteCount: UInt64

  public init(_ shape: VHDXShape) {
    self.shape = shape
    places = [UInt32](repeating: 0, count: Int(shape.blockCount))
    byteCount = shape.dataOffset
  }

  public var blockByteCount: UInt64 { shape.blockByteCount }

  public func dataOffset(_ block: UInt64) -> UInt64? {
    let place = places[Int(block)]
    return place == 0 ? nil : UInt64(place) * VHDX.alignment
  }

  public mutating func allocate(_ block: UInt64, _ write: StructureWriter) -> UInt64 {
    let start = byteCount
    places[Int(block)] = UInt32(start / VHDX.alignment)
    byteCount += shape.blockByteCount
    return start
  }

  public func finish(_ write: StructureWriter) throws {
    try shape.write(write) { dataOffset($0) }
  }
}
