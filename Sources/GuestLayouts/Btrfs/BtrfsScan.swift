internal import Bytes

/// Looks through the chunks in the order in which they lie on the device.
struct BtrfsScan {
  private static let extentItem: UInt8 = 168
  private static let metadataItem: UInt8 = 169
  private static let groupItem: UInt8 = 192
  /// References to extents, each in an item of its own.
  private static let referenceItems: Set<UInt8> = [172, 176, 178, 182, 184]

  let reader: BtrfsTreeReader
  let extents: BtrfsTreePlace
  /// The tree of block groups, where they are not among the extents.
  let groups: BtrfsTreePlace?
  /// Blocks that are known to be in use.
  let roots: [BtrfsTreePlace]

  private var superblock: BtrfsSuperblock { reader.volume.superblock }

  /// One copy of a chunk on the device.
  private struct Copy {
    let start: UInt64
    let chunk: BtrfsChunk
    let isFirst: Bool
  }

  func freeSpace() throws -> FreeSpace {
    var copies: [Copy] = []
    for chunk in reader.volume.chunks {
      for (index, start) in chunk.copies.enumerated() {
        copies.append(Copy(start: start, chunk: chunk, isFirst: index == 0))
      }
    }
    copies.sort { $0.start < $1.start }
    var free = BtrfsFreeSpace()
    var position: UInt64 = 0
    var used: UInt64 = 0
    for copy in copies {
      guard copy.start >= position else { throw GuestDoubt("its chunks overlap on the device") }
      free.add(position..<copy.start)
      let sum = try scan(copy, into: &free)
      if copy.isFirst {
        // Chunks do not overlap, so their sum is an address.
        used += sum
      }
      // Chunks lie on the device, so nothing overflows.
      position = copy.start + copy.chunk.byteCount
    }
    if position < superblock.deviceByteCount { free.add(position..<superblock.deviceByteCount) }
    guard used == superblock.usedByteCount else {
      throw GuestDoubt("its extents are not as many bytes as its superblock says")
    }
    return free.found
  }

  /// Adds the gaps between the extents of a copy of a chunk.
  ///
  /// - Returns: Bytes in use.
  private func scan(_ copy: Copy, into free: inout BtrfsFreeSpace) throws -> UInt64 {
    let logical = copy.chunk.logical
    var position = logical.lowerBound
    var used: UInt64 = 0
    var claimed = try groups.map { try groupUse(copy.chunk, in: $0) }
    try reader.forEachItem(
      in: extents, from: BtrfsKey(logical.lowerBound, 0, 0), to: BtrfsKey(logical.upperBound, 0, 0)
    ) { key, node, data in
      if BtrfsScan.referenceItems.contains(key.type) { return }
      if key.type == BtrfsScan.groupItem {
        guard claimed == nil else { throw GuestDoubt("a block group does not fit its chunk") }
        claimed = try BtrfsScan.use(key, node, data, of: copy.chunk)
        return
      }
      let length = try extentByteCount(key)
      guard key.object >= position, length > 0, length <= logical.upperBound - key.object else {
        throw GuestDoubt("its extents overlap")
      }
      try addGap(position..<key.object, of: copy, to: &free)
      position = key.object + length
      used += length
    }
    try addGap(position..<logical.upperBound, of: copy, to: &free)
    guard let claimed, claimed == used else {
      throw GuestDoubt("the extents of a block group are not as many bytes as it says")
    }
    return used
  }

  private func extentByteCount(_ key: BtrfsKey) throws -> UInt64 {
    let unit = superblock.sectorByteCount
    switch key.type {
    case BtrfsScan.metadataItem where key.object % unit == 0: return superblock.nodeByteCount
    case BtrfsScan.extentItem where key.object % unit == 0 && key.offset % unit == 0:
      return key.offset
    default: throw GuestDoubt("its extent tree has an item of the unknown type \(key.type)")
    }
  }

  private func addGap(
    _ gap: Range<UInt64>, of copy: Copy, to free: inout BtrfsFreeSpace
  ) throws {
    guard !gap.isEmpty else { return }
    guard !roots.contains(where: { gap.contains($0.address) }) else {
      throw GuestDoubt("a tree lies in free space")
    }
    guard copy.chunk.isPlain else { return }
    let start = copy.start + (gap.lowerBound - copy.chunk.logical.lowerBound)
    free.add(start..<start + (gap.upperBound - gap.lowerBound))
  }

  /// What the tree of block groups says of a chunk.
  private func groupUse(_ chunk: BtrfsChunk, in tree: BtrfsTreePlace) throws -> UInt64 {
    var found: UInt64?
    let address = chunk.logical.lowerBound
    try reader.forEachItem(
      in: tree, from: BtrfsKey(address, BtrfsScan.groupItem, 0),
      to: BtrfsKey(address, BtrfsScan.groupItem + 1, 0)
    ) { key, node, data in
      guard found == nil else { throw GuestDoubt("a block group does not fit its chunk") }
      found = try BtrfsScan.use(key, node, data, of: chunk)
    }
    guard let found else { throw GuestDoubt("a chunk has no block group") }
    return found
  }

  /// Bytes in use that a block group has: the first 8 of its item.
  private static func use(
    _ key: BtrfsKey, _ node: BtrfsNode, _ data: Range<Int>, of chunk: BtrfsChunk
  ) throws -> UInt64 {
    guard key.object == chunk.logical.lowerBound, key.offset == chunk.byteCount, data.count >= 8
    else { throw GuestDoubt("a block group does not fit its chunk") }
    return node.bytes.span.little64(at: data.lowerBound)
  }
}

/// Free ranges of a device, without what is kept whatever the trees say.
private struct BtrfsFreeSpace {
  /// Boot loaders live in the first mebibyte.
  ///
  /// No list shows the superblock's copies and what is
  /// around them; Linux, fs/btrfs/block-group.c `exclude_super_stripes`.
  private static let kept: [Range<UInt64>] = [
    0..<1 << 20, 64 << 20..<(64 << 20) + (64 << 10), 256 << 30..<(256 << 30) + (64 << 10),
  ]

  private(set) var found = FreeSpace()

  mutating func add(_ range: Range<UInt64>) {
    var position = range.lowerBound
    for kept in BtrfsFreeSpace.kept where kept.overlaps(range) {
      if position < kept.lowerBound { found.add(position..<kept.lowerBound) }
      position = max(position, kept.upperBound)
    }
    if position < range.upperBound { found.add(position..<range.upperBound) }
  }
}
