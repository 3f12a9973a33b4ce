internal import Bytes

/// The superblock of XFS, in the first sector of each allocation group; the first one counts.
///
///     offset size  field
///          0    4  magic          "XFSB"
///          4    4  block size     512 to 65,536, a power of two
///          8    8  data blocks
///         16    8  realtime blocks
///         32   16  UUID
///         48    8  log start      a block; 0 when the log is on another device
///         56    8  root inode
///         84    4  blocks of a group; the last group may have fewer
///         88    4  groups
///         96    4  log blocks
///        100    2  version        the number in the lower four bits, features in the others
///        102    2  sector size
///        104    2  inode size
///        106    2  inodes of a block
///        108   12  label
///        120    6  base-2 logarithms: block, sector, inode, inodes of a block, group (rounded up)
///        126    1  in progress    1 while mkfs works
///        144    8  free blocks
///        192    1  logarithm of a directory block, in blocks
///        194    2  sector size of the log
///        200    4  more features, and once more at 204
///        208   16  features of version 5: compatible, read-only, incompatible, of the log
///        224    4  checksum       CRC-32C of the sector, little-endian
///        248   16  UUID of metadata, where it is not the file system's
///
/// Big-endian. XFS Algorithms & Data Structures, 3rd edition, "Superblocks"; Linux,
/// fs/xfs/libxfs/xfs_format.h and xfs_sb.c.
struct XFSSuperblock: Equatable {
  static let byteCount = 264
  static let checksumOffset = 224

  var blockByteCount: UInt64 = 0
  var blockCount: UInt64 = 0
  var realtimeBlockCount: UInt64 = 0
  var uuid: [UInt8] = []
  var logStart: UInt64 = 0
  var rootInode: UInt64 = 0
  var groupBlockCount: UInt64 = 0
  var groupCount: UInt64 = 0
  var logBlockCount: UInt64 = 0
  var version: UInt16 = 0
  var sectorByteCount = 0
  var inodeByteCount = 0
  var inodesOfBlock: UInt64 = 0
  var label: String?
  var blockLog = 0
  var sectorLog = 0
  var inodeLog = 0
  var inodesOfBlockLog = 0
  var groupLog = 0
  var isInProgress = false
  var freeBlockCount: UInt64 = 0
  var directoryLog = 0
  var moreFeatures: UInt32 = 0
  var compatible: UInt32 = 0
  var readOnly: UInt32 = 0
  var incompatible: UInt32 = 0
  var logFeatures: UInt32 = 0
  /// The UUID that metadata carries.
  var metadataUUID: [UInt8] = []

  /// Takes the structure apart; only its magic and version are checked.
  init(parsing bytes: [UInt8]) throws(FormatError) {
    var cursor = ByteCursor(bytes.span, of: "XFS superblock", .big)
    try cursor.expect("XFSB")
    blockByteCount = UInt64(try cursor.u32())
    blockCount = try cursor.u64()
    realtimeBlockCount = try cursor.u64()
    try cursor.skip(8)
    uuid = try cursor.array(16)
    logStart = try cursor.u64()
    rootInode = try cursor.u64()
    try cursor.skip(20)
    groupBlockCount = UInt64(try cursor.u32())
    groupCount = UInt64(try cursor.u32())
    try cursor.skip(4)
    logBlockCount = UInt64(try cursor.u32())
    version = try cursor.u16()
    guard number == 4 || number == 5 else {
      throw cursor.refusal(.unsupported("version \(number)"))
    }
    sectorByteCount = Int(try cursor.u16())
    inodeByteCount = Int(try cursor.u16())
    inodesOfBlock = UInt64(try cursor.u16())
    label = GuestText.label(try cursor.array(12))
    blockLog = Int(try cursor.u8())
    sectorLog = Int(try cursor.u8())
    inodeLog = Int(try cursor.u8())
    inodesOfBlockLog = Int(try cursor.u8())
    groupLog = Int(try cursor.u8())
    try cursor.skip(1)
    isInProgress = try cursor.u8() != 0
    try cursor.skip(17)
    freeBlockCount = try cursor.u64()
    try cursor.skip(40)
    directoryLog = Int(try cursor.u8())
    try cursor.skip(7)
    try parseFeatures(&cursor)
  }

  private mutating func parseFeatures(_ cursor: inout ByteCursor) throws(FormatError) {
    // Old kernels wrote the second word in the wrong place; Linux takes both together, too.
    moreFeatures = try cursor.u32()
    moreFeatures |= try cursor.u32()
    metadataUUID = uuid
    guard number == 5 else { return }
    compatible = try cursor.u32()
    readOnly = try cursor.u32()
    incompatible = try cursor.u32()
    logFeatures = try cursor.u32()
    try cursor.skip(24)
    let other = try cursor.array(16)
    if incompatible & Incompatible.metadataUUID != 0 { metadataUUID = other }
  }

  /// The version of the format, 4 or 5.
  var number: Int { Int(version & 0xF) }
  /// Whether metadata carries checksums and says where it belongs.
  var hasChecksums: Bool { number == 5 }
}

/// Features, as far as something depends on them.
extension XFSSuperblock {
  enum Version {
    static let shared: UInt16 = 0x200
    static let secondLog: UInt16 = 0x400
    static let directories: UInt16 = 0x2000
    static let ignoringCase: UInt16 = 0x4000
    static let more: UInt16 = 0x8000
    /// Set once there is an attribute, a file with many links, a quota: nothing lies elsewhere then.
    static let inUse: UInt16 = 0x70
  }

  enum More {
    static let lazyCounters: UInt32 = 0x2
    static let fileTypes: UInt32 = 0x200
    /// Lazy counters, attributes of the second kind, 32-bit project ids, checksums, file types.
    static let known: UInt32 = 0x2 | 0x8 | 0x80 | 0x100 | 0x200
  }

  enum ReadOnly {
    static let freeInodes: UInt32 = 1
    static let reverseMap: UInt32 = 2
    static let references: UInt32 = 4
    /// With the counters of inode trees' blocks.
    static let known: UInt32 = 0xF
  }

  enum Incompatible {
    static let fileTypes: UInt32 = 0x1
    static let sparseInodes: UInt32 = 0x2
    static let metadataUUID: UInt32 = 0x4
    static let needsRepair: UInt32 = 0x10
    /// With large times, large extent counts, exchanged ranges and parent pointers; but not the
    /// metadata directory nor zones, which come with realtime devices.
    static let known: UInt32 = 0xFF
  }

  /// Attributes of the log: only those that replay them have to know them.
  static let knownLogFeatures: UInt32 = 1

  var hasFileTypes: Bool {
    number == 5
      ? incompatible & Incompatible.fileTypes != 0
      : version & Version.more != 0 && moreFeatures & More.fileTypes != 0
  }

  var hasSecondLog: Bool { number == 5 || version & Version.secondLog != 0 }

  /// Whether the AGFs count the blocks of their trees.
  var hasLazyCounters: Bool {
    number == 5 || version & Version.more != 0 && moreFeatures & More.lazyCounters != 0
  }

  var ignoresCase: Bool { version & Version.ignoringCase != 0 }

  /// The feature that is not known, as listings show it; nil when all are.
  var unknownFeature: String? {
    func hex(_ value: some BinaryInteger) -> String { "0x\(String(value, radix: 16))" }
    if number == 4 {
      guard version & Version.directories != 0 else { return "old directories" }
      guard version & Version.shared == 0 else { return "version bit \(hex(Version.shared))" }
      let unknown = version & Version.more == 0 ? 0 : moreFeatures & ~More.known
      return unknown == 0 ? nil : "feature \(hex(unknown))"
    }
    let words = [
      ("compatible", compatible), ("read-only", readOnly & ~ReadOnly.known),
      ("incompatible", incompatible & ~Incompatible.known),
      ("log", logFeatures & ~XFSSuperblock.knownLogFeatures),
    ]
    return words.first { $0.1 != 0 }.map { "\($0.0) feature \(hex($0.1))" }
  }
}
