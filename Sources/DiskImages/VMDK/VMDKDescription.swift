public import Blocks
internal import Bytes

extension VMDKImage {
  public static func describe(_ source: any BlockSource) throws -> ImageDescription {
    let head = try source.bytes(Int(min(source.size, 32)), at: 0) ?? []
    let isSparse = head.starts(with: VMDKHeader.magic)
    let descriptor =
      isSparse
      ? try embedded(in: source, try VMDKHeader(of: source, at: 0))
      : try VMDKDescriptor(in: source, 0..<source.size)
    var description = ImageDescription(type: descriptor.createType, size: try descriptor.size)
    description.identifier = descriptor.identifier
    description.parentIdentifier = descriptor.parentIdentifier
    if descriptor.parentIdentifier != nil {
      description.parents = [descriptor.values["parentfilenamehint"] ?? ""].distinct
    }
    if isSparse {
      try description.count(try map(of: source, descriptor.extents[0]), in: source)
    } else {
      description.files = descriptor.extents.map(\.file).distinct
    }
    return description
  }
}
