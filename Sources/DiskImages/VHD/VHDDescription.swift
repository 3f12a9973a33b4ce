public import Blocks
internal import Bytes

extension VHDImage {
  public static func describe(_ source: any BlockSource) throws -> ImageDescription {
    let place = footerOffset(source)
    let footer = try footer(of: source)
    try footer.findings(at: place).refuse()
    let kind = footer.kind ?? .fixed
    var description = ImageDescription(type: kind.name, size: footer.size)
    let version = footer.creatorVersion
    description.creator =
      "\(VHDFooter.text(footer.creator)) \(version >> 16).\(version & 0xffff)"
    description.created = footer.created
    description.identifier = ImageDescription.identifier(footer.identifier)
    description.geometry = ("\(footer.geometry)", footer.geometry.byteCount)
    guard kind != .fixed else {
      guard footer.size == place else { throw wrongLength(footer, place) }
      return description
    }
    let header = try header(of: source, footer)
    try header.findings(at: footer.headerOffset, footer: footer, fileByteCount: place).refuse()
    let table = try VHDBlockTable(of: source, header, size: footer.size, end: place)
    description.blockByteCount = UInt64(header.blockByteCount)
    description.blockCount = UInt64(table.entries.count)
    description.allocatedBlockCount = UInt64(table.allocatedCount)
    if kind == .differencing {
      description.parents = try parentNames(of: source, header)
      description.parentIdentifier = ImageDescription.identifier(header.parentIdentifier)
    }
    return description
  }
}
