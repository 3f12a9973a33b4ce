public import Bytes

/// Where the parts of a dynamic VHD lie while it is written, and the bytes of those that are no
/// disk content.
///
///     0       footer's copy
///     512     dynamic header
///     1536    block allocation table
///             blocks, in the order in which they were allocated
///     end     footer
///
/// Blocks are placed so that their data starts at a multiple of 4 KiB, as Hyper-V does it since
/// 2012: the bitmap of 512 bytes would otherwise put every sector of the guest across two of the
/// medium's.
public struct VHDDynamicLayout: Sendable {
  public static let tableOffset: UInt64 = 1536
  static let alignment: UInt64 = 4096

  public let size: UInt64
  public let header: VHDDynamicHeader
  private var entries: [UInt32]
  /// Where the next block goes, or the footer.
  public private(set) var end: UInt64

  /// - Parameters:
  ///   - size: The disk's size in bytes, a multiple of 512.
  ///   - blockByteCount: A power of two.
  /// - Throws: When the disk is too large.
  public init(size: UInt64, blockByteCount: UInt32) throws(FormatError) {
    let block = UInt64(blockByteCount)
    precondition(size % 512 == 0 && block >= 512 && block & (block - 1) == 0)
    let count = size / block + (size % block == 0 ? 0 : 1)
    guard size <= VHDLimits.dynamicSize else {
      throw FormatError(
        "dynamic VHD", at: 0, .unsupported("a disk of more than \(VHDLimits.dynamicSize) bytes"))
    }
    guard count <= VHDLimits.entryCount else {
      throw FormatError(
        "dynamic VHD", at: 0,
        .unsupported("a disk of \(count) blocks instead of \(VHDLimits.entryCount)"))
    }
    self.size = size
    header = VHDDynamicHeader(
      tableOffset: VHDDynamicLayout.tableOffset, entryCount: UInt32(count),
      blockByteCount: blockByteCount)
    entries = [UInt32](repeating: VHDBlockTable.absent, count: Int(count))
    end = VHDDynamicLayout.tableOffset + header.tableByteCount
    end = aligned(end)
  }

  /// The first place at or after `offset` for a block, or for a footer where a block may come later.
  private func aligned(_ offset: UInt64) -> UInt64 {
    let unit = VHDDynamicLayout.alignment
    return (offset + header.bitmapByteCount + unit - 1) / unit * unit - header.bitmapByteCount
  }

  /// Where a block's data starts in the file; nil when it has no place yet.
  public func dataOffset(_ block: Int) -> UInt64? {
    let entry = entries[block]
    return entry == VHDBlockTable.absent ? nil : UInt64(entry) * 512 + header.bitmapByteCount
  }

  /// Gives a block its place.
  ///
  /// - Returns: Where its bitmap starts in the file.
  public mutating func allocate(_ block: Int) throws(FormatError) -> UInt64 {
    precondition(entries[block] == VHDBlockTable.absent)
    let start = end
    // Sector numbers have 32 bits, and all ones mean that there is no block.
    guard start / 512 < UInt64(UInt32.max) else {
      throw FormatError(
        "dynamic VHD", at: start, .unsupported("a file of more than 2 TiB"))
    }
    entries[block] = UInt32(start / 512)
    end = aligned(start + header.blockSpan)
    return start
  }

  /// The bitmap of a block that is there: every sector is.
  public var bitmap: [UInt8] { [UInt8](repeating: 0xff, count: Int(header.bitmapByteCount)) }

  /// What the file starts with: the footer's copy, the header and the table.
  public func start(_ footer: VHDFooter) -> [UInt8] {
    var builder = ByteBuilder(.big, capacity: Int(end))
    builder.raw(footer.bytes)
    builder.raw(header.bytes)
    for entry in entries { builder.u32(entry) }
    let full = Int(VHDDynamicLayout.tableOffset + header.tableByteCount)
    builder.raw([UInt8](repeating: 0xff, count: full - builder.bytes.count))
    return builder.bytes
  }
}
