internal import Blocks
internal import Bytes
internal import Codecs

/// The superblock of btrfs, 64 KiB into the device; copies are at 64 MiB and 256 GiB.
///
///     offset size  field
///          0   32  checksum           of all that follows, padded with zeros
///         32   16  UUID
///         48    8  own place
///         56    8  flags              1 written, 2 relocated; others: something is under way
///         64    8  "_BHRfS_M"
///         72    8  generation
///         80    8  root tree          a logical address, as the next two
///         88    8  chunk tree
///         96    8  log tree           0: nothing is to be replayed
///        120    8  bytes used         of files and metadata, each counted once
///        136    8  devices
///        144    4  bytes of a sector
///        148    4  bytes of a tree block
///        160    4  bytes of the list of system chunks
///        164    8  chunk tree's generation
///        180    8  features that a writer must know
///        188    8  features that anybody must know
///        196    2  kind of checksum   0 CRC-32C, 1 XXH64, 2 SHA-256, 3 BLAKE2b
///        198    1  root tree's level
///        199    1  chunk tree's level
///        201    8  this device's number
///        209    8  its bytes
///        217    8  its bytes in chunks
///        267   16  its UUID
///        299  256  label
///        571   16  UUID in tree blocks, where feature 0x400 is set
///        811 2048  system chunks: a key and a chunk item each
///
/// Little-endian. btrfs documentation, "On-disk Format"; Linux, include/uapi/linux/btrfs_tree.h.
struct BtrfsSuperblock: Equatable {
  static let offset: UInt64 = 64 << 10
  static let byteCount = 4096
  static let magic = "_BHRfS_M"
  /// Mixed references and groups, default subvolume, compression, large metadata, more links,
  /// RAID 5 and 6, skinny metadata, no holes, another UUID in tree blocks, three and four copies.
  static let knownFeatures: UInt64 = 0xFFF
  /// The free space tree and its being valid, verity, the tree of block groups.
  static let knownWriterFeatures: UInt64 = 0xF
  /// The tree of block groups.
  static let blockGroupTreeFeature: UInt64 = 8

  let uuid: [UInt8]
  let flags: UInt64
  let generation: UInt64
  let root: BtrfsTreePlace
  let chunkRoot: BtrfsTreePlace
  let hasLog: Bool
  let usedByteCount: UInt64
  let deviceCount: UInt64
  let sectorByteCount: UInt64
  let nodeByteCount: UInt64
  let writerFeatures: UInt64
  let features: UInt64
  let checksumKind: UInt16
  let device: UInt64
  let deviceByteCount: UInt64
  let chunkByteCount: UInt64
  let deviceUUID: [UInt8]
  let label: String?
  /// The UUID that tree blocks carry.
  let blockUUID: [UInt8]
  let systemChunks: [UInt8]

  /// - Parameter bytes: All of its 4,096 bytes.
  init(parsing bytes: [UInt8]) throws(FormatError) {
    let place = BtrfsSuperblock.offset
    var cursor = ByteCursor(bytes.span, of: "btrfs superblock", at: place, .little)
    try cursor.skip(32)
    uuid = try cursor.array(16)
    guard try cursor.u64() == place else { throw cursor.refusal(.impossible("it is a copy")) }
    flags = try cursor.u64()
    try cursor.expect("_BHRfS_M")
    generation = try cursor.u64()
    let rootAddress = try cursor.u64()
    let chunkAddress = try cursor.u64()
    hasLog = try cursor.u64() != 0
    try cursor.skip(16)
    usedByteCount = try cursor.u64()
    try cursor.skip(8)
    deviceCount = try cursor.u64()
    sectorByteCount = UInt64(try cursor.u32())
    nodeByteCount = UInt64(try cursor.u32())
    try cursor.skip(8)
    let systemByteCount = Int(try cursor.u32())
    let chunkGeneration = try cursor.u64()
    try cursor.skip(8)
    writerFeatures = try cursor.u64()
    features = try cursor.u64()
    checksumKind = try cursor.u16()
    let rootLevel = try cursor.u8()
    root = BtrfsTreePlace(address: rootAddress, level: rootLevel, generation: generation)
    chunkRoot = BtrfsTreePlace(
      address: chunkAddress, level: try cursor.u8(), generation: chunkGeneration)
    try cursor.skip(1)
    device = try cursor.u64()
    deviceByteCount = try cursor.u64()
    chunkByteCount = try cursor.u64()
    try cursor.skip(42)
    deviceUUID = try cursor.array(16)
    try cursor.skip(16)
    label = GuestText.label(try cursor.array(256))
    try cursor.skip(16)
    let other = try cursor.array(16)
    blockUUID = features & 0x400 != 0 ? other : uuid
    try cursor.skip(224)
    guard systemByteCount <= 2048 else {
      throw cursor.refusal(.impossible("system chunks of \(systemByteCount) bytes"))
    }
    systemChunks = try cursor.array(systemByteCount)
    let sizes: [UInt64] = [4096, 8192, 16384, 32768, 65536]
    guard sizes.contains(sectorByteCount), sizes.contains(nodeByteCount),
      nodeByteCount >= sectorByteCount
    else { throw cursor.refusal(.impossible("tree blocks of \(nodeByteCount) bytes")) }
  }

  /// Why nothing can be left out; nil when that is to be seen from the trees.
  func doubt(areaByteCount: UInt64) -> String? {
    if features & ~BtrfsSuperblock.knownFeatures != 0 {
      return
        "feature 0x\(String(features & ~BtrfsSuperblock.knownFeatures, radix: 16)) is not known"
    }
    if writerFeatures & ~BtrfsSuperblock.knownWriterFeatures != 0 {
      let unknown = writerFeatures & ~BtrfsSuperblock.knownWriterFeatures
      return "feature 0x\(String(unknown, radix: 16)) of writers is not known"
    }
    if flags & ~3 != 0 { return "its flags 0x\(String(flags, radix: 16)) are not known" }
    if deviceCount != 1 { return "it is spread over \(deviceCount) devices" }
    if deviceByteCount > areaByteCount { return "it is larger than the place that it is in" }
    return nil
  }
}

/// Where a tree's uppermost block is.
struct BtrfsTreePlace: Equatable, Sendable {
  let address: UInt64
  let level: UInt8
  let generation: UInt64
}

/// The checksums that begin each block.
enum BtrfsChecksum {
  /// Whether a block's checksum holds; nil when its kind is not known.
  static func holds(_ bytes: [UInt8], kind: UInt16) -> Bool? {
    let span = bytes.span
    guard span.count > 32 else { return false }
    let summed = span.extracting(32..<span.count)
    switch kind {
    case 0:
      var sum = RunningCRC32(.castagnoli)
      sum.add(summed)
      return sum.value == span.little32(at: 0)
    case 1: return XXH64.of(summed) == span.little64(at: 0)
    case 2: return SHA256().digest(of: summed) == span.digest(at: 0)
    default: return nil
    }
  }
}
