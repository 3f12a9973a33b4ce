internal import Bytes

/// The trees of an allocation group: their magic in versions 4 and 5, and the sizes of what is in
/// their blocks.
///
/// Linux, fs/xfs/libxfs/xfs_format.h; XFS Algorithms & Data Structures, "Allocation Groups".
enum XFSGroupTreeKind {
  /// Free extents by their block: block u32, count u32.
  case freeByBlock
  /// The same by their count.
  case freeBySize
  /// Inode chunks.
  case inodes
  /// Inode chunks with free inodes.
  case freeInodes
  /// What each extent belongs to.
  case reverseMap
  /// How many files share an extent.
  case references

  /// In version 4 and in version 5.
  var magics: (UInt32, UInt32) {
    switch self {
    case .freeByBlock: (0x4142_5442, 0x4142_3342)
    case .freeBySize: (0x4142_5443, 0x4142_3343)
    case .inodes: (0x4941_4254, 0x4941_4233)
    case .freeInodes: (0x4649_4254, 0x4649_4233)
    case .reverseMap: (0, 0x524D_4233)
    case .references: (0, 0x5233_4643)
    }
  }

  var recordByteCount: Int {
    switch self {
    case .freeByBlock, .freeBySize: 8
    case .inodes, .freeInodes: 16
    case .reverseMap: 24
    case .references: 12
    }
  }

  var keyByteCount: Int {
    switch self {
    case .freeByBlock, .freeBySize: 8
    case .inodes, .freeInodes, .references: 4
    // The least and the greatest key of what lies below.
    case .reverseMap: 40
    }
  }
}

/// A block of a tree of an allocation group, its header checked.
///
///     offset size  field
///          0    4  magic
///          4    2  level         0 is a leaf
///          6    2  records
///          8    4  left          block of the group, all ones for none
///         12    4  right
///         16    8  place         from here on in version 5 only: in 512 bytes
///         32   16  UUID
///         48    4  owner         the group
///         52    4  checksum      CRC-32C, little-endian
///
/// Records follow, or keys and, behind room for as many keys as fit, the numbers of blocks.
struct XFSTreeBlock {
  static let none: UInt32 = 0xFFFF_FFFF

  let bytes: [UInt8]
  let level: Int
  let count: Int
  let left: UInt32
  let right: UInt32
  /// Where records or keys begin.
  let start: Int

  /// Reads a block of a group.
  ///
  /// - Parameter block: Lies in the group.
  init(
    _ volume: XFSVolume, _ kind: XFSGroupTreeKind, group: UInt64, block: UInt64
  ) throws {
    let superblock = volume.superblock
    let offset = superblock.byteOffset(group: group, block: block)
    let bytes = try volume.bytes(Int(superblock.blockByteCount), at: offset, of: "XFS tree block")
    var cursor = ByteCursor(bytes.span, of: "XFS tree block", at: offset, .big)
    let magic = try cursor.u32()
    guard magic == (superblock.hasChecksums ? kind.magics.1 : kind.magics.0) else {
      throw FormatError("XFS tree block", at: offset, .badMagic)
    }
    let level = Int(try cursor.u16())
    let count = Int(try cursor.u16())
    left = try cursor.u32()
    right = try cursor.u32()
    if superblock.hasChecksums {
      try volume.verify(bytes, checksumAt: 52, of: "XFS tree block", at: offset)
      let place = try cursor.u64()
      try cursor.skip(8)
      let uuid = try cursor.array(16)
      try volume.require(
        uuid: uuid, block: place, owner: (UInt64(try cursor.u32()), group), of: "XFS tree block",
        at: offset)
      try cursor.skip(4)
    }
    (self.bytes, self.level, self.count) = (bytes, level, count)
    start = cursor.position
    let room = bytes.count - start
    let limit = level == 0 ? room / kind.recordByteCount : room / (kind.keyByteCount + 4)
    guard count <= limit else {
      throw FormatError("XFS tree block", at: offset, .impossible("\(count) records do not fit"))
    }
  }
}
