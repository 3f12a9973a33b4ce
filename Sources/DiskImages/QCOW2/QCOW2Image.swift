public import Blocks
internal import Bytes

/// A qcow2 image, read as the disk inside it, or as one of its snapshots: deflate and zstd clusters,
/// zero clusters, subclusters, backing files, data files.
///
/// QEMU, docs/interop/qcow2.txt. Encryption is refused by name. A machine's memory, which snapshots keep
/// beyond the disk's end, is never read.
public final class QCOW2Image: DiskFormat {
  public static let name = "qcow2"
  public static let hasSnapshots = true

  public let content: any BlockSource

  public static func recognizes(_ source: any BlockSource) throws -> Bool {
    try source.bytes(4, at: 0) == QCOW2Header.magic
  }

  public init(opening source: any BlockSource, _ options: OpeningOptions) throws {
    let header = try QCOW2Header(of: source)
    let state = try options.snapshot.map { try QCOW2Snapshot.named($0, in: source, header).state }
    let data = try QCOW2Image.dataFile(header, options) ?? source
    let parent = try header.backingName.map {
      try BackingFile.open($0, format: header.backingFormat, options)
    }
    let map = try QCOW2Map(of: source, data: data, header, state ?? header.state)
    content = MappedDisk(data, map, parent: parent)
  }

  /// The file in which clusters lie; nil for the image itself.
  private static func dataFile(
    _ header: QCOW2Header, _ options: OpeningOptions
  ) throws -> (any BlockSource)? {
    guard header.hasDataFile else { return nil }
    guard let name = header.dataName, !name.isEmpty else {
      throw FormatError("qcow2 header", at: 72, .impossible("the data file has no name"))
    }
    let companion = try options.companions.open([name], as: .dataFile)
    return ParentDisk(companion.source, in: companion, as: .dataFile)
  }
}
