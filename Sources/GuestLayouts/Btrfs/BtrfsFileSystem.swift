internal import Blocks
internal import Bytes

/// A btrfs file system on one device.
///
/// What is not in use is what no chunk covers, and what no extent covers in chunks of one or two
/// whole copies; chunks of other kinds are kept whole. btrfs never overwrites what its last
/// committed trees refer to, so they are what counts, unless there is a log to be replayed. All
/// blocks on the way have their checksums checked, and three counts have to agree: of each chunk's
/// extents, of all of them, and of the device's chunks.
struct BtrfsFileSystem: GuestFileSystem {
  let source: any BlockSource
  let superblock: BtrfsSuperblock

  private static let extentTree: UInt64 = 2
  private static let deviceTree: UInt64 = 4
  private static let blockGroupTree: UInt64 = 11
  private static let rootItem: UInt8 = 132
  private static let deviceExtent: UInt8 = 204

  var byteCount: UInt64 { superblock.deviceByteCount }

  /// What is stored twice (DUP) counts once here.
  var usedByteCount: UInt64? { superblock.usedByteCount }

  var fileDoubt: String? { "vpipe does not read the files of btrfs" }

  func files() throws -> (any FileTree)? { nil }

  func freeSpace() throws -> FreeSpace {
    if superblock.hasLog { throw GuestDoubt("its log has not been replayed") }
    do {
      var volume = BtrfsVolume(source, superblock)
      try volume.mapChunks()
      let reader = BtrfsTreeReader(volume: volume)
      try requireChunksOnDevice(reader)
      let extents = try root(BtrfsFileSystem.extentTree, reader)
      let hasGroupTree = superblock.writerFeatures & BtrfsSuperblock.blockGroupTreeFeature != 0
      let groups = hasGroupTree ? try root(BtrfsFileSystem.blockGroupTree, reader) : nil
      let scan = BtrfsScan(
        reader: reader, extents: extents, groups: groups,
        roots: [superblock.root, superblock.chunkRoot, extents])
      return try scan.freeSpace()
    } catch let error as FormatError {
      throw GuestDoubt("\(error)")
    }
  }

  /// Where a tree is, as the tree of trees has it.
  ///
  ///     offset size  field
  ///        160    8  generation
  ///        176    8  address
  ///        238    1  level
  private func root(_ tree: UInt64, _ reader: BtrfsTreeReader) throws -> BtrfsTreePlace {
    var found: BtrfsTreePlace?
    try reader.forEachItem(
      in: superblock.root, from: BtrfsKey(tree, BtrfsFileSystem.rootItem, 0),
      to: BtrfsKey(tree, BtrfsFileSystem.rootItem + 1, 0)
    ) { _, node, data in
      guard data.count >= 239, found == nil else { throw GuestDoubt("tree \(tree) is damaged") }
      let span = node.bytes.span.extracting(data)
      found = BtrfsTreePlace(
        address: span.little64(at: 176), level: span[238], generation: span.little64(at: 160))
    }
    guard let found else { throw GuestDoubt("it has no tree \(tree)") }
    return found
  }

  /// Requires that the device's own list of what is taken is that of the chunks.
  ///
  ///     offset size  field, of an item whose key's offset is a byte of the device
  ///         16    8  address of the chunk
  ///         24    8  bytes
  private func requireChunksOnDevice(_ reader: BtrfsTreeReader) throws {
    var sum: UInt64 = 0
    var count = 0
    let tree = try root(BtrfsFileSystem.deviceTree, reader)
    try reader.forEachItem(
      in: tree, from: BtrfsKey(superblock.device, BtrfsFileSystem.deviceExtent, 0),
      to: BtrfsKey(superblock.device, BtrfsFileSystem.deviceExtent + 1, 0)
    ) { key, node, data in
      guard data.count >= 32 else { throw GuestDoubt("its list of chunks is damaged") }
      let span = node.bytes.span.extracting(data)
      guard let chunk = reader.volume.chunk(at: span.little64(at: 16)),
        chunk.logical.lowerBound == span.little64(at: 16), chunk.copies.contains(key.offset),
        !chunk.isPlain || chunk.byteCount == span.little64(at: 24)
      else { throw GuestDoubt("its two lists of chunks do not agree") }
      let (next, isTooLarge) = sum.addingReportingOverflow(span.little64(at: 24))
      guard !isTooLarge else { throw GuestDoubt("its chunks are too large") }
      sum = next
      count += 1
    }
    let copies = reader.volume.chunks.reduce(0) { $0 + $1.copies.count }
    guard sum == superblock.chunkByteCount, count == copies else {
      throw GuestDoubt("its two lists of chunks do not agree")
    }
  }
}
