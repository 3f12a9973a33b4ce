internal import Bytes

/// The superblock of the extended file systems, 1,024 bytes into the area.
///
///     offset size  field
///       0x00    4  inodes
///       0x04    4  blocks, lower half
///       0x0C    4  free blocks, lower half
///       0x14    4  first data block     1 with blocks of 1 KiB and no clusters, else 0
///       0x18    4  block size           1,024 << n
///       0x1C    4  cluster size         1,024 << n
///       0x20    4  blocks per group
///       0x24    4  clusters per group
///       0x28    4  inodes per group
///       0x38    2  magic                0xEF53
///       0x3A    2  state                1 unmounted cleanly, 2 errors were seen
///       0x4C    4  revision             0 or 1; what follows counts in 1 only
///       0x54    4  first inode that is not reserved
///       0x58    2  bytes per inode
///       0x5C   12  features             compatible, incompatible, read-only
///       0x68   16  UUID
///       0x78   16  label
///       0xCE    2  blocks that are kept for more group descriptors
///       0xE0    4  inode of the journal
///       0xE8    4  first orphaned inode
///       0xFE    2  bytes per group descriptor
///      0x104    4  first meta block group
///      0x150    4  blocks, upper half
///      0x158    4  free blocks, upper half
///      0x168    8  block of the multi-mount protection
///      0x175    1  kind of checksum     1: CRC-32C
///      0x24C    8  two groups with copies of the superblock, with `sparse_super2`
///      0x270    4  seed of checksums
///      0x3FC    4  checksum             of all before, started with ones
///
/// Little-endian. Linux, fs/ext4/ext4.h, `struct ext4_super_block`.
struct ExtSuperblock {
  static let offset: UInt64 = 1024
  static let byteCount = 1024
  static let magic: UInt16 = 0xEF53

  var inodeCount: UInt32
  var blockCount: UInt64
  var freeBlockCount: UInt64
  var firstDataBlock: UInt32
  var blockSizeShift: UInt32
  var clusterSizeShift: UInt32
  var blocksPerGroup: UInt32
  var clustersPerGroup: UInt32
  var inodesPerGroup: UInt32
  var state: UInt16
  var revision: UInt32
  var firstInode: UInt32
  var inodeSize: UInt16
  var features: ExtFeatures
  var uuid: [UInt8]
  var label: [UInt8]
  var reservedDescriptorBlocks: UInt16
  var journalInode: UInt32
  var descriptorSize: UInt16
  var firstMetaGroup: UInt32
  var protectionBlock: UInt64
  var checksumKind: UInt8
  var backupGroups: [UInt32]
  var checksumSeed: UInt32
  var checksum: UInt32
  /// What the checksum is of these bytes.
  var computedChecksum: UInt32

  /// - Parameter bytes: All 1,024 of them.
  init(parsing bytes: [UInt8]) throws(FormatError) {
    var cursor = ByteCursor(
      bytes.span, of: "ext superblock", at: ExtSuperblock.offset, .little)
    inodeCount = try cursor.u32()
    let blockCountLow = try cursor.u32()
    try cursor.skip(4)
    let freeBlockCountLow = try cursor.u32()
    try cursor.skip(4)
    firstDataBlock = try cursor.u32()
    blockSizeShift = try cursor.u32()
    clusterSizeShift = try cursor.u32()
    blocksPerGroup = try cursor.u32()
    clustersPerGroup = try cursor.u32()
    inodesPerGroup = try cursor.u32()
    try cursor.skip(12)
    guard try cursor.u16() == ExtSuperblock.magic else { throw cursor.refusal(.badMagic) }
    state = try cursor.u16()
    try cursor.skip(16)
    revision = try cursor.u32()
    try cursor.skip(4)
    firstInode = try cursor.u32()
    inodeSize = try cursor.u16()
    try cursor.skip(2)
    features = ExtFeatures(
      compatible: ExtCompatible(rawValue: try cursor.u32()),
      incompatible: ExtIncompatible(rawValue: try cursor.u32()),
      readOnly: ExtReadOnly(rawValue: try cursor.u32()))
    uuid = try cursor.array(16)
    label = try cursor.array(16)
    try cursor.skip(0xCE - 0x88)
    reservedDescriptorBlocks = try cursor.u16()
    try cursor.skip(16)
    journalInode = try cursor.u32()
    try cursor.skip(0xFE - 0xE4)
    descriptorSize = try cursor.u16()
    try cursor.skip(4)
    firstMetaGroup = try cursor.u32()
    try cursor.skip(0x150 - 0x108)
    let isWide = features.incompatible.contains(.wide)
    let blockCountHigh = isWide ? try cursor.u32() : try cursor.skippedU32()
    try cursor.skip(4)
    let freeBlockCountHigh = isWide ? try cursor.u32() : try cursor.skippedU32()
    blockCount = UInt64(blockCountHigh) << 32 | UInt64(blockCountLow)
    freeBlockCount = UInt64(freeBlockCountHigh) << 32 | UInt64(freeBlockCountLow)
    try cursor.skip(0x168 - 0x15C)
    protectionBlock = try cursor.u64()
    try cursor.skip(5)
    checksumKind = try cursor.u8()
    try cursor.skip(0x24C - 0x176)
    backupGroups = [try cursor.u32(), try cursor.u32()]
    try cursor.skip(0x270 - 0x254)
    checksumSeed = try cursor.u32()
    try cursor.skip(0x3FC - 0x274)
    checksum = try cursor.u32()
    computedChecksum = ExtChecksum.crc32c(~0, bytes.span.extracting(0..<0x3FC))
  }

  /// Where all checksums but the superblock's start.
  var seed: UInt32 {
    if features.incompatible.contains(.checksumSeed) { return checksumSeed }
    return ExtChecksum.crc32c(~0, uuid.span)
  }

  var hasErrors: Bool { state & 2 != 0 }
  var isClean: Bool { state & 1 != 0 }
  var needsRecovery: Bool { features.incompatible.contains(.needsRecovery) }
}

extension ByteCursor {
  /// Passes over a field that means nothing here.
  fileprivate mutating func skippedU32() throws(FormatError) -> UInt32 {
    try skip(4)
    return 0
  }
}
