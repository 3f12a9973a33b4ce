internal import Bytes

/// The sizes and counts of a file system, each compared with its limits; all places are blocks.
///
/// Blocks are numbered from the area's start. Groups of `blocksPerGroup` begin at `firstDataBlock`;
/// a bit of a group's bitmap is a cluster of one or more blocks. Limits as Linux has them,
/// fs/ext4/super.c, `ext4_block_group_meta_init` and `ext4_check_geometry`.
struct ExtGeometry: Equatable {
  /// The most groups that are looked at: 128 TiB in blocks of 4 KiB.
  static let groupLimit: UInt64 = 1 << 20

  let blockSize: UInt64
  let blockCount: UInt64
  let firstDataBlock: UInt64
  /// Blocks per cluster, as a power of two.
  let clusterShift: UInt64
  let blocksPerGroup: UInt64
  let clustersPerGroup: UInt64
  let groupCount: Int
  let inodesPerGroup: UInt64
  let inodeSize: UInt64
  let inodeTableBlockCount: UInt64
  let descriptorSize: Int
  let descriptorsPerBlock: Int
  /// Blocks of descriptors, in one copy.
  let descriptorBlockCount: Int

  private let reservedDescriptorBlockCount: UInt64
  /// From this block of descriptors on, each lies in the groups that it describes.
  private let firstMetaGroup: Int
  private let isSparse: Bool
  private let sparseBackups: [UInt32]?

  /// - Parameters:
  ///   - superblock: All of its features are known.
  ///   - byteCount: The area's size.
  init(_ superblock: ExtSuperblock, in byteCount: UInt64) throws(FormatError) {
    let features = superblock.features
    guard superblock.blockSizeShift <= 6 else {
      throw ExtGeometry.refusal("blocks of 1024 << \(superblock.blockSizeShift) bytes")
    }
    let blockSize = UInt64(1024) << UInt64(superblock.blockSizeShift)
    self.blockSize = blockSize
    blockCount = superblock.blockCount
    guard blockCount <= byteCount / blockSize else {
      throw ExtGeometry.refusal(
        "\(blockCount) blocks of \(blockSize) bytes, which is more than there is")
    }
    // Thereby no block's place in bytes overflows.
    let isClustered = features.readOnly.contains(.clusters)
    clusterShift = try ExtGeometry.clusterShift(superblock, isClustered: isClustered)
    firstDataBlock = UInt64(superblock.firstDataBlock)
    guard firstDataBlock == (blockSize == 1024 && !isClustered ? 1 : 0),
      firstDataBlock < blockCount
    else { throw ExtGeometry.refusal("first data block \(firstDataBlock) of \(blockCount)") }
    blocksPerGroup = UInt64(superblock.blocksPerGroup)
    clustersPerGroup = UInt64(superblock.clustersPerGroup)
    guard clustersPerGroup > 0, clustersPerGroup % 8 == 0, clustersPerGroup <= blockSize * 8,
      blocksPerGroup == clustersPerGroup << clusterShift
    else {
      throw ExtGeometry.refusal(
        "\(blocksPerGroup) blocks and \(clustersPerGroup) clusters per group")
    }
    let groups = (blockCount - firstDataBlock + (blocksPerGroup - 1)) / blocksPerGroup
    guard groups <= ExtGeometry.groupLimit else {
      throw ExtGeometry.refusal(.unsupported("a file system of \(groups) block groups"))
    }
    groupCount = Int(groups)
    (inodesPerGroup, inodeSize) = try ExtGeometry.inodes(superblock, blockSize, groups)
    let inodesPerBlock = blockSize / inodeSize
    inodeTableBlockCount = (inodesPerGroup + inodesPerBlock - 1) / inodesPerBlock

    let size = features.incompatible.contains(.wide) ? UInt64(superblock.descriptorSize) : 32
    guard size.isPowerOfTwo, size == 32 || (64...1024).contains(size) else {
      throw ExtGeometry.refusal("group descriptors of \(size) bytes")
    }
    descriptorSize = Int(size)
    descriptorsPerBlock = Int(blockSize / size)
    descriptorBlockCount = (groupCount + descriptorsPerBlock - 1) / descriptorsPerBlock
    reservedDescriptorBlockCount = UInt64(superblock.reservedDescriptorBlocks)
    firstMetaGroup =
      features.incompatible.contains(.metaGroups)
      ? Int(superblock.firstMetaGroup) : descriptorBlockCount
    guard firstMetaGroup <= descriptorBlockCount else {
      throw ExtGeometry.refusal("first meta block group \(firstMetaGroup)")
    }
    isSparse = features.readOnly.contains(.sparseSuper)
    sparseBackups = features.compatible.contains(.sparseSuper2) ? superblock.backupGroups : nil
    guard 2 + UInt64(firstMetaGroup) + reservedDescriptorBlockCount < blocksPerGroup,
      descriptorBlock(0) < blockCount
    else { throw ExtGeometry.refusal("its group descriptors fill a whole group") }
  }

  private static func clusterShift(
    _ superblock: ExtSuperblock, isClustered: Bool
  ) throws(FormatError) -> UInt64 {
    let block = superblock.blockSizeShift
    let cluster = superblock.clusterSizeShift
    // Clusters are of 1 GiB at most. Without them the fields are those of fragments, which never
    // came to be.
    guard isClustered ? cluster >= block && cluster <= 20 : cluster == block else {
      throw refusal("clusters of 1024 << \(cluster) bytes")
    }
    return UInt64(cluster - block)
  }

  private static func inodes(
    _ superblock: ExtSuperblock, _ blockSize: UInt64, _ groups: UInt64
  ) throws(FormatError) -> (perGroup: UInt64, size: UInt64) {
    let size = superblock.revision == 0 ? 128 : UInt64(superblock.inodeSize)
    guard size.isPowerOfTwo, size >= 128, size <= blockSize else {
      throw refusal("inodes of \(size) bytes")
    }
    let perGroup = UInt64(superblock.inodesPerGroup)
    guard perGroup >= blockSize / size, perGroup <= blockSize * 8,
      perGroup * groups == UInt64(superblock.inodeCount)
    else { throw refusal("\(perGroup) inodes per group, \(superblock.inodeCount) in all") }
    return (perGroup, size)
  }

  private static func refusal(_ text: String) -> FormatError { refusal(.impossible(text)) }

  private static func refusal(_ reason: FormatError.Reason) -> FormatError {
    FormatError("ext superblock", at: ExtSuperblock.offset, reason)
  }

  var byteCount: UInt64 { blockCount * blockSize }
  var inodeCount: UInt64 { inodesPerGroup * UInt64(groupCount) }

  // MARK: Groups

  func firstBlock(of group: Int) -> UInt64 { firstDataBlock + UInt64(group) * blocksPerGroup }

  /// The last group may be shorter.
  func blocks(of group: Int) -> Range<UInt64> {
    let start = firstBlock(of: group)
    return start..<min(start + blocksPerGroup, blockCount)
  }

  func clusterCount(of group: Int) -> Int {
    let blocks = blocks(of: group)
    let mask = UInt64(1) << clusterShift - 1
    return Int((blocks.upperBound - blocks.lowerBound + mask) >> clusterShift)
  }

  /// Whether a copy of the superblock is at the group's start.
  func hasSuperblock(_ group: Int) -> Bool {
    if group == 0 { return true }
    if let sparseBackups { return sparseBackups.contains(UInt32(group)) }
    if !isSparse || group == 1 { return true }
    return [3, 5, 7].contains { base in
      var power = base
      while power < group { power *= base }
      return power == group
    }
  }

  /// The block after the superblock in group 0.
  private var superblockEnd: UInt64 { ExtSuperblock.offset / blockSize + 1 }

  /// Copies of superblock and group descriptors at the group's start, with what is kept free for
  /// more descriptors.
  func superblockAndDescriptors(of group: Int) -> Range<UInt64> {
    let hasSuperblock = hasSuperblock(group)
    let start = firstBlock(of: group)
    var end = start + (hasSuperblock ? 1 : 0)
    if group == 0 { end = superblockEnd }
    let index = group / descriptorsPerBlock
    if index < firstMetaGroup {
      if hasSuperblock { end += UInt64(firstMetaGroup) + reservedDescriptorBlockCount }
    } else if [0, 1, descriptorsPerBlock - 1].contains(group % descriptorsPerBlock) {
      end += 1
    }
    return start..<min(end, blocks(of: group).upperBound)
  }

  // MARK: Descriptors

  /// Where the `index`th block of group descriptors lies: its first copy.
  func descriptorBlock(_ index: Int) -> UInt64 {
    if index < firstMetaGroup { return superblockEnd + UInt64(index) }
    let group = index * descriptorsPerBlock
    if group == 0 { return superblockEnd }
    return firstBlock(of: group) + (hasSuperblock(group) ? 1 : 0)
  }

  /// Blocks of descriptors from the `index`th on that follow each other, and so can be read at once.
  func descriptorRun(_ index: Int) -> Int {
    index < firstMetaGroup ? firstMetaGroup - index : 1
  }

  /// Which block of group descriptors `block` is; nil when it is none, or a copy.
  func descriptorIndex(of block: UInt64) -> Int? {
    guard block >= superblockEnd, block < blockCount else { return nil }
    if block - superblockEnd < UInt64(firstMetaGroup) { return Int(block - superblockEnd) }
    let index = Int((block - firstDataBlock) / blocksPerGroup) / descriptorsPerBlock
    return descriptorBlock(index) == block ? index : nil
  }
}

extension UInt64 {
  /// Whether exactly one bit is set.
  var isPowerOfTwo: Bool { nonzeroBitCount == 1 }
}
