public import Blocks
internal import Bytes

/// A fixed, dynamic or differencing VHDX, read as the disk inside it; a log that is in use is
/// replayed in memory.
///
/// [MS-VHDX]. The parent of a differencing disk must be in the state that the child was made of: the
/// linkage says so. It may be of another size; beyond its end there are zeros.
public final class VHDXImage: DiskFormat {
  public static let name = "vhdx"

  let metadata: VHDXMetadata
  /// Changes whenever the disk's data does: children name it.
  let dataWrite: GUID
  public let content: any BlockSource

  public static func recognizes(_ source: any BlockSource) throws -> Bool {
    try source.bytes(8, at: 0) == VHDX.signature
  }

  public init(opening source: any BlockSource, _ options: OpeningOptions) throws {
    let header = try VHDXImage.header(of: source)
    dataWrite = header.dataWrite
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
    let parent = try VHDXImage.parent(file, metadata, at: metadataRegion.lowerBound, options)
    var taken = [tableRegion, metadataRegion]
    if !header.logRange.isEmpty { taken.append(header.logRange) }
    let map = try VHDXBlockMap(of: file, metadata, tableRegion, taken)
    content = MappedDisk(file, map, sectorSize: metadata.logicalSectorSize, parent: parent)
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
  static func regionTable(
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
        case .unsupported, .impossible, .ambiguous, .misnamed: throw error
        }
      }
    }
    throw trouble ?? FormatError("VHDX region table", at: VHDX.tableOffsets[0], .truncated)
  }
}
