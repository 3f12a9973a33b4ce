internal import Blocks
internal import Bytes

/// The block allocation table of a VHDX.
///
/// Entries of 64 bits: a state in bits 0 to 2, the place in the file from bit 20 on. After the entries
/// of each chunk of blocks stands one for the chunk's sector bitmaps, of which a differencing disk has
/// 1 MiB each: one bit a sector, the first sector's bit the lowest. [MS-VHDX] 2.5, 2.4.
struct VHDXBlockMap: BlockMap {
  private enum State: UInt64 {
    case notPresent = 0
    case undefined = 1
    case zero = 2
    case unmapped = 3
    /// `unmapped` in drafts of the format.
    case oldUnmapped = 5
    case present = 6
    case partlyPresent = 7
  }

  let blockByteCount: UInt64
  let size: UInt64
  private let sectorByteCount: UInt64
  private let hasParent: Bool
  private let ratio: UInt64
  private let region: Range<UInt64>
  private let table: PagedTable
  private let bitmaps: PagedTable
  private let fileByteCount: UInt64
  /// What no block may lie on.
  private let taken: [Range<UInt64>]

  /// - Parameters:
  ///   - file: The file, with its log replayed.
  ///   - metadata: What it says of the disk.
  ///   - region: The table's.
  ///   - taken: The regions of the file.
  init(
    of file: any BlockSource, _ metadata: VHDXMetadata, _ region: Range<UInt64>,
    _ taken: [Range<UInt64>]
  ) throws(FormatError) {
    blockByteCount = metadata.blockByteCount
    size = metadata.size
    sectorByteCount = UInt64(metadata.logicalSectorSize)
    hasParent = metadata.hasParent
    ratio = metadata.chunkRatio
    self.region = region
    self.taken = taken
    fileByteCount = file.size
    table = PagedTable(file, of: "VHDX block table", .little)
    bitmaps = PagedTable(file, of: "VHDX sector bitmap", .little)
    let count = blockCount
    let entries = metadata.tableEntryCount
    guard entries * 8 <= region.upperBound - region.lowerBound else {
      throw FormatError(
        "VHDX region table", at: VHDX.tableOffsets[0],
        .impossible("a block table for \(count) blocks does not fit into \(region.count) bytes"))
    }
    guard region.lowerBound + entries * 8 <= file.size else {
      throw FormatError("VHDX block table", at: region.lowerBound, .truncated)
    }
  }

  func place(of block: UInt64) throws -> BlockPlace {
    let position = region.lowerBound + (block + block / ratio) * 8
    let entry = try table.u64(at: position)
    guard let state = State(rawValue: entry & 7) else {
      throw refusal(position, "state \(entry & 7) of block \(block)")
    }
    switch state {
    case .notPresent: return .parent
    case .undefined, .zero, .unmapped, .oldUnmapped: return .zero
    case .partlyPresent:
      guard hasParent else {
        throw refusal(position, "block \(block) is partly present, but there is no parent")
      }
      // Told here, where the block is met, rather than where it is read.
      _ = try bitmap(of: block / ratio)
    case .present: break
    }
    let start = entry & ~(VHDX.alignment - 1)
    try check(start, needs: byteCount(of: block), of: blockByteCount, "block \(block)", position)
    return state == .present ? .stored(start) : .mixed(start)
  }

  func run(of block: UInt64, from inner: UInt64) throws -> (isHere: Bool, end: UInt64) {
    let start = try bitmap(of: block / ratio)
    // Both are multiples of 64: a block has 256 sectors at least.
    let sectors = blockByteCount / sectorByteCount
    let firstByte = start + block % ratio * sectors / 8
    let (isHere, end) = try SectorBitmap.run(from: inner / sectorByteCount, to: sectors) { word in
      try bitmaps.u64(at: firstByte + word * 8)
    }
    return (isHere, end * sectorByteCount)
  }

  /// Where the sector bitmaps of a chunk of blocks start in the file.
  private func bitmap(of chunk: UInt64) throws -> UInt64 {
    let position = region.lowerBound + (chunk * (ratio + 1) + ratio) * 8
    let entry = try table.u64(at: position)
    guard State(rawValue: entry & 7) == .present else {
      throw refusal(
        position, "blocks are partly present, but the bitmaps of chunk \(chunk) are not")
    }
    let start = entry & ~(VHDX.alignment - 1)
    let count = VHDX.bitmapByteCount
    try check(start, needs: count, of: count, "the bitmaps of chunk \(chunk)", position)
    return start
  }

  /// - Parameters:
  ///   - start: Where something lies in the file.
  ///   - needed: How many bytes of it must be there.
  ///   - byteCount: How many bytes it takes.
  ///   - what: Its name.
  ///   - position: The entry that says so.
  private func check(
    _ start: UInt64, needs needed: UInt64, of byteCount: UInt64, _ what: @autoclosure () -> String,
    _ position: UInt64
  ) throws(FormatError) {
    guard start >= VHDX.alignment, start <= .max - byteCount, start + needed <= fileByteCount else {
      throw refusal(position, "\(what()) at \(start) lies outside the file")
    }
    let range = start..<start + byteCount
    guard !taken.contains(where: { $0.overlaps(range) }) else {
      throw refusal(position, "\(what()) at \(start) lies on the file's own tables")
    }
  }

  private func refusal(_ position: UInt64, _ text: String) -> FormatError {
    FormatError("VHDX block table", at: position, .impossible(text))
  }
}
