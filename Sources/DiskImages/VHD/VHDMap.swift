internal import Blocks
internal import Bytes

/// The block table and the sector bitmaps of a dynamic or differencing VHD.
struct VHDMap: BlockMap {
  private let header: VHDDynamicHeader
  private let table: PagedTable
  private let bitmaps: PagedTable
  /// Where the file's footer starts.
  private let end: UInt64
  private let hasParent: Bool

  let size: UInt64
  var blockByteCount: UInt64 { UInt64(header.blockByteCount) }

  /// - Parameters:
  ///   - source: The file.
  ///   - header: Has been found to be sound.
  ///   - size: The disk's size in bytes.
  ///   - end: Where the file's footer starts.
  ///   - hasParent: Whether the bitmaps decide what is the parent's.
  init(
    of source: any BlockSource, _ header: VHDDynamicHeader, size: UInt64, end: UInt64,
    hasParent: Bool
  ) {
    self.header = header
    self.size = size
    self.end = end
    self.hasParent = hasParent
    table = PagedTable(source, of: "VHD block table", .big)
    bitmaps = PagedTable(source, of: "VHD sector bitmap", .big)
  }

  func place(of block: UInt64) throws -> BlockPlace {
    let position = header.tableOffset + block * 4
    let entry = try table.u32(at: position)
    guard entry != VHDBlockTable.absent else { return .parent }
    let start = UInt64(entry) * 512
    // The table was looked through when it was opened; it may have been changed since.
    guard start + header.blockSpan <= end else {
      throw FormatError(
        "VHD block table", at: position,
        .impossible("block \(block) at \(start) goes beyond byte \(end), where the footer starts"))
    }
    let data = start + header.bitmapByteCount
    return hasParent ? .mixed(data) : .stored(data)
  }

  func run(of block: UInt64, from inner: UInt64) throws -> (isHere: Bool, end: UInt64) {
    let start = UInt64(try table.u32(at: header.tableOffset + block * 4)) * 512
    let (isHere, end) = try SectorBitmap.run(from: inner / 512, to: blockByteCount / 512) { word in
      // The first sector's bit is the highest of the first byte.
      try bitmaps.u64(at: start + word * 8).bitsReversed
    }
    return (isHere, end * 512)
  }
}
