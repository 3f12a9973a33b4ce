public import Blocks
internal import Bytes

/// A fixed or dynamic VHDX, read as the disk inside it; a log that is in use is replayed in memory.
///
/// [MS-VHDX]. Differencing disks are told and refused.
public final class VHDXImage: DiskFormat {
  public static let name = "vhdx"

  private let metadata: VHDXMetadata
  private let disk: MappedDisk

  public var size: UInt64 { metadata.size }
  public var sectorSize: UInt32 { metadata.logicalSectorSize }

  public static func recognizes(_ source: any BlockSource) throws -> Bool {
    try source.bytes(8, at: 0) == VHDX.signature
  }

  public init(opening source: any BlockSource) throws {
    let header = try VHDXImage.header(of: source)
    guard header.version == 1 else {
      throw FormatError(
        "VHDX header", at: VHDX.headerOffsets[0], .unsupported("version \(header.version)"))
    }
    let file: any BlockSource =
      header.log == .zero ? source : VHDXReplayed(source, try VHDXLog(of: source, header))
    let (table, place) = try VHDXImage.regionTable(of: file)
    let tableRegion = try table.range(VHDX.tableRegion, "block table", at: place)
    let metadataRegion = try table.range(VHDX.metadataRegion, "metadata", at: place)
    metadata = try VHDXMetadata(of: file, metadataRegion)
    if metadata.hasParent {
      throw FormatError(
        "VHDX metadata", at: metadataRegion.lowerBound, .unsupported("a differencing disk"))
    }
    var taken = [tableRegion, metadataRegion]
    if !header.logRange.isEmpty { taken.append(header.logRange) }
    let map = try VHDXBlockMap(of: file, metadata, tableRegion, taken)
    disk = MappedDisk(file, map)
  }

  public func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    try disk.read(into: &bytes, at: offset)
  }

  public func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    try disk.nextData(at: offset)
  }

  /// The header in force: of those that are whole the one with the higher number.
  ///
  /// - Throws: Also where one cannot be read: it may be the newer one, and the other one's log and
  ///   blocks are of the past.
  static func header(of source: any BlockSource) throws -> VHDXHeader {
    var found: VHDXHeader?
    var trouble: FormatError?
    for offset in VHDX.headerOffsets {
      do {
        guard let bytes = try source.bytes(VHDXHeader.byteCount, at: offset) else {
          throw FormatError("VHDX header", at: offset, .truncated)
        }
        let header = try VHDXHeader(parsing: bytes, at: offset)
        // Disk2VHD writes two that are the same; two different ones of one number say nothing.
        if let other = found, other.sequence == header.sequence, other.bytes != header.bytes {
          throw FormatError(
            "VHDX header", at: offset,
            .impossible("it differs from the other one of number \(header.sequence)"))
        }
        if header.sequence >= found?.sequence ?? 0 { found = header }
      } catch let error as FormatError {
        if case .impossible = error.reason { throw error }
        trouble = trouble ?? error
      }
    }
    if let found { return found }
    throw trouble ?? FormatError("VHDX header", at: VHDX.headerOffsets[0], .truncated)
  }

  /// The first region table that is whole, and where it lies.
  private static func regionTable(
    of file: any BlockSource
  ) throws -> (table: VHDXRegionTable, place: UInt64) {
    var trouble: FormatError?
    for offset in VHDX.tableOffsets {
      do {
        guard let bytes = try file.bytes(VHDXRegionTable.byteCount, at: offset) else {
          throw FormatError("VHDX region table", at: offset, .truncated)
        }
        return (try VHDXRegionTable(parsing: bytes, at: offset), offset)
      } catch let error as FormatError {
        // A table that is whole and cannot be used has a copy that says the same.
        switch error.reason {
        case .badMagic, .badChecksum, .truncated: trouble = trouble ?? error
        case .unsupported, .impossible, .ambiguous: throw error
        }
      }
    }
    throw trouble ?? FormatError("VHDX region table", at: VHDX.tableOffsets[0], .truncated)
  }
}

/// The block allocation table of a fixed or dynamic VHDX.
///
/// Entries of 64 bits: a state in bits 0 to 2, the place in the file from bit 20 on. After the entries
/// of each chunk of blocks stands one for the chunk's sector bitmaps. [MS-VHDX] 2.5.
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
  private let ratio: UInt64
  private let region: Range<UInt64>
  private let table: PagedTable
  private let fileByteCount: UInt64
  /// What no block may lie on.
  private let taken: [Range<UInt64>]

  /// - Parameters:
  ///   - file: The file, with its log replayed.
  ///   - region: The table's.
  ///   - taken: The regions of the file.
  init(
    of file: any BlockSource, _ metadata: VHDXMetadata, _ region: Range<UInt64>,
    _ taken: [Range<UInt64>]
  ) throws(FormatError) {
    blockByteCount = metadata.blockByteCount
    size = metadata.size
    ratio = metadata.chunkRatio
    self.region = region
    self.taken = taken
    fileByteCount = file.size
    table = PagedTable(file, of: "VHDX block table", .little)
    let count = blockCount
    let entries = count == 0 ? 0 : count + (count - 1) / ratio
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
    func refuse(_ reason: FormatError.Reason) -> FormatError {
      FormatError("VHDX block table", at: position, reason)
    }
    guard let state = State(rawValue: entry & 7) else {
      throw refuse(.impossible("state \(entry & 7) of block \(block)"))
    }
    switch state {
    case .notPresent, .undefined, .zero, .unmapped, .oldUnmapped: return .zero
    case .partlyPresent:
      throw refuse(.impossible("block \(block) is partly present, but there is no parent"))
    case .present: break
    }
    let start = entry & ~(VHDX.alignment - 1)
    guard start >= VHDX.alignment, start <= .max - blockByteCount,
      start + byteCount(of: block) <= fileByteCount
    else { throw refuse(.impossible("block \(block) at \(start) lies outside the file")) }
    let range = start..<start + blockByteCount
    guard !taken.contains(where: { $0.overlaps(range) }) else {
      throw refuse(.impossible("block \(block) at \(start) lies on the file's own tables"))
    }
    return .stored(start)
  }
}
