public import Bytes

/// Where the parts of a dynamic VHD lie while it is written, and the bytes of those that are no
/// disk content.
///
///     0       footer's copy
///     512     dynamic header
///     1536    block allocation table
///             paths to the parent, of a differencing disk
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
  /// What stands behind the table: the paths to a parent, in whole sectors.
  private let locators: [UInt8]
  /// Where the next block goes, or the footer.
  public private(set) var end: UInt64

  /// - Parameters:
  ///   - size: The disk's size in bytes, a multiple of 512.
  ///   - blockByteCount: A power of two.
  ///   - parent: What a differencing disk builds on.
  /// - Throws: When the disk is too large.
  public init(
    size: UInt64, blockByteCount: UInt32, parent: VHDParentReference? = nil
  ) throws(FormatError) {
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
    var header = VHDDynamicHeader(
      tableOffset: VHDDynamicLayout.tableOffset, entryCount: UInt32(count),
      blockByteCount: blockByteCount)
    let tableEnd = VHDDynamicLayout.tableOffset + header.tableByteCount
    locators = parent.map { header.refer(to: $0, from: tableEnd) } ?? []
    self.header = header
    entries = [UInt32](repeating: VHDBlockTable.absent, count: Int(count))
    end = tableEnd + UInt64(locators.count)
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
    let full = Int(VHDDynamicLayout.tableOffset + header.tableByteCount)
    var builder = ByteBuilder(.big, capacity: full + locators.count)
    builder.raw(footer.bytes)
    builder.raw(header.bytes)
    for entry in entries { builder.u32(entry) }
    builder.raw([UInt8](repeating: 0xff, count: full - builder.bytes.count))
    builder.raw(locators)
    return builder.bytes
  }
}

extension VHDDynamicHeader {
  /// Takes up what a differencing disk says of its parent.
  ///
  /// - Parameter offset: Where the paths to it go, in the file.
  /// - Returns: Their bytes, in whole sectors.
  fileprivate mutating func refer(to parent: VHDParentReference, from offset: UInt64) -> [UInt8] {
    parentIdentifier = parent.footer.identifier
    parentTimestamp = UInt32(clamping: parent.changed - VHDFooter.epoch)
    parentName = parent.nameBytes
    var bytes: [UInt8] = []
    for (index, path) in parent.locators.enumerated() {
      let space = (path.bytes.count + 511) / 512 * 512
      locators[index].platform = path.platform
      // Sectors in the specification, bytes in what Hyper-V writes.
      locators[index].space = UInt32(space)
      locators[index].byteCount = UInt32(path.bytes.count)
      locators[index].offset = offset + UInt64(bytes.count)
      bytes += path.bytes + [UInt8](repeating: 0, count: space - path.bytes.count)
    }
    checksum = computedChecksum
    return bytes
  }
}
