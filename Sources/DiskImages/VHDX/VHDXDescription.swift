public import Blocks
internal import Bytes

extension VHDXImage {
  public static func describe(_ source: any BlockSource) throws -> ImageDescription {
    let header = try header(of: source)
    let isClean = header.log == .zero
    let file: any BlockSource =
      isClean ? source : VHDXReplayed(source, try VHDXLog(of: source, header))
    let (table, place) = try regionTable(of: file)
    let metadata = try VHDXMetadata(
      of: file, try table.range(VHDX.metadataRegion, "metadata", at: place))
    let type = metadata.hasParent ? "differencing" : metadata.isFixed ? "fixed" : "dynamic"
    var description = ImageDescription(type: type, size: metadata.size)
    description.sectorSize = metadata.logicalSectorSize
    description.physicalSectorSize = metadata.physicalSectorSize
    description.identifier = "\(metadata.identifier)"
    description.state = "\(header.dataWrite)"
    description.log = isClean ? "empty" : "in use"
    description.creator = try creator(of: source)
    let block = metadata.blockByteCount
    description.blockByteCount = block
    description.blockCount = metadata.size / block + (metadata.size % block == 0 ? 0 : 1)
    var blocks = VHDXTableCheck(
      file, metadata, try table.range(VHDX.tableRegion, "block table", at: place), [])
    try blocks.run()
    try blocks.findings.refuse()
    description.allocatedBlockCount = blocks.presentCount
    if metadata.hasParent, let range = metadata.parentLocator {
      let bytes = try file.bytes(range.count, at: range.lowerBound) ?? []
      let locator = try VHDXParentLocator(parsing: bytes, at: range.lowerBound)
      description.parents = locator.names
      description.parentIdentifier = locator.linkages.first
    }
    return description
  }

  /// What wrote the file, in its own words; nil where it says nothing.
  private static func creator(of source: any BlockSource) throws -> String? {
    guard let bytes = try source.bytes(512, at: 8) else { return nil }
    let text = UTF16Text.decode(bytes, .little).printable
    return text.isEmpty ? nil : text
  }
}
