public import Bytes

/// The 1,024-byte header of a dynamic or differencing VHD.
///
///     offset size  field
///          0    8  cookie           "cxsparse"
///          8    8  next             all ones
///         16    8  table offset     of the block allocation table
///         24    4  version          0x00010000
///         28    4  entry count      of the table
///         32    4  block size       a power of two; without the block's bitmap
///         36    4  checksum         complement of the sum of all other bytes
///         40   16  parent identifier
///         56    4  parent timestamp
///         60    4  reserved         zero
///         64  512  parent name      UTF-16, big-endian
///        576  192  parent locators  8 of 24 bytes
///        768  256  reserved         zero
///
/// Big-endian. Virtual Hard Disk Image Format Specification 1.0, "Dynamic Disk Header Format"; that
/// the specification's 0xFFFFFFFF for `next` means all 64 bits is what Microsoft's tools write.
public struct VHDDynamicHeader: Equatable, Sendable {
  public static let byteCount = 1024

  public var next: UInt64 = .max
  public var tableOffset: UInt64
  public var version: UInt32 = 0x0001_0000
  public var entryCount: UInt32
  public var blockByteCount: UInt32
  public var checksum: UInt32 = 0
  public var parentIdentifier = [UInt8](repeating: 0, count: 16)
  public var parentTimestamp: UInt32 = 0
  public var reserved: UInt32 = 0
  public var parentName = [UInt8](repeating: 0, count: 512)
  public var locators = [VHDParentLocator](repeating: VHDParentLocator(), count: 8)
  public var reservedEnd = [UInt8](repeating: 0, count: 256)

  public init(tableOffset: UInt64, entryCount: UInt32, blockByteCount: UInt32) {
    self.tableOffset = tableOffset
    self.entryCount = entryCount
    self.blockByteCount = blockByteCount
    checksum = computedChecksum
  }

  /// The checksum that the other fields ask for.
  public var computedChecksum: UInt32 {
    var copy = self
    copy.checksum = 0
    return vhdChecksum(copy.bytes)
  }

  /// Bytes of the bitmap in front of each block: one bit a sector, in whole sectors.
  public var bitmapByteCount: UInt64 { (UInt64(blockByteCount) / 512 / 8 + 511) / 512 * 512 }

  /// Bytes that an allocated block takes, with its bitmap.
  public var blockSpan: UInt64 { bitmapByteCount + UInt64(blockByteCount) }

  /// Bytes of the whole table, in whole sectors.
  public var tableByteCount: UInt64 { (UInt64(entryCount) * 4 + 511) / 512 * 512 }
}

/// Where a differencing VHD keeps one form of its parent's path.
public struct VHDParentLocator: Equatable, Sendable {
  public var platform: UInt32 = 0
  public var space: UInt32 = 0
  public var byteCount: UInt32 = 0
  public var reserved: UInt32 = 0
  public var offset: UInt64 = 0

  public init() {}
}

extension VHDDynamicHeader {
  /// - Parameters:
  ///   - bytes: 1,024 bytes.
  ///   - offset: Their place in the file, in bytes.
  /// - Throws: When the signature is missing or the bytes are too few.
  public init(parsing bytes: Span<UInt8>, at offset: UInt64) throws(FormatError) {
    var cursor = ByteCursor(bytes, of: "VHD dynamic header", at: offset, .big)
    try cursor.expect("cxsparse")
    next = try cursor.u64()
    tableOffset = try cursor.u64()
    version = try cursor.u32()
    entryCount = try cursor.u32()
    blockByteCount = try cursor.u32()
    checksum = try cursor.u32()
    parentIdentifier = try cursor.array(16)
    parentTimestamp = try cursor.u32()
    reserved = try cursor.u32()
    parentName = try cursor.array(512)
    for index in locators.indices {
      locators[index].platform = try cursor.u32()
      locators[index].space = try cursor.u32()
      locators[index].byteCount = try cursor.u32()
      locators[index].reserved = try cursor.u32()
      locators[index].offset = try cursor.u64()
    }
    reservedEnd = try cursor.array(256)
  }

  /// The 1,024 bytes, with the checksum as it is in `checksum`.
  public var bytes: [UInt8] {
    var builder = ByteBuilder(.big, capacity: VHDDynamicHeader.byteCount)
    builder.text("cxsparse")
    builder.u64(next)
    builder.u64(tableOffset)
    builder.u32(version)
    builder.u32(entryCount)
    builder.u32(blockByteCount)
    builder.u32(checksum)
    builder.raw(parentIdentifier)
    builder.u32(parentTimestamp)
    builder.u32(reserved)
    builder.raw(parentName)
    for locator in locators {
      builder.u32(locator.platform)
      builder.u32(locator.space)
      builder.u32(locator.byteCount)
      builder.u32(locator.reserved)
      builder.u64(locator.offset)
    }
    builder.raw(reservedEnd)
    return builder.bytes
  }
}
