public import Blocks

extension QCOW2Image {
  public static func describe(_ source: any BlockSource) throws -> ImageDescription {
    let header = try QCOW2Header(of: source)
    var description = ImageDescription(type: name, size: header.state.size)
    description.version = "\(header.version)"
    description.compression = "\(header.compression)"
    description.parentFormat = header.backingFormat
    description.snapshots = try QCOW2Snapshot.list(of: source, header).map {
      ($0.identifier, $0.name, $0.state.size)
    }
    if let parent = header.backingName { description.parents = [parent] }
    if let data = header.dataName { description.files = [data] }
    // Where clusters lie in another file, only that one tells whether they can be there.
    if !header.hasDataFile {
      let map = try QCOW2Map(of: source, data: source, header, header.state)
      try description.count(map, in: source)
    }
    return description
  }
}
