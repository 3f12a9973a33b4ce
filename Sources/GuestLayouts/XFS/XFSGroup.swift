internal import Blocks
internal import Bytes

/// The headers of an allocation group: what they say of free space and of inodes.
///
/// AGF, in the second sector:
///
///     offset size  field
///          0    8  magic "XAGF", version 1
///          8    4  group
///         12    4  blocks of the group
///         16   12  roots: free by block, free by size, reverse map
///         28   12  levels of the same
///         40   12  free list: first and last place in it, blocks
///         52    4  free blocks
///         56    4  the most in a row
///         60    4  blocks of the free-space trees besides their roots
///         64   16  UUID
///         88    8  root and levels of the references
///        216    4  checksum
///
/// AGI, in the third:
///
///          0    8  magic "XAGI", version 1
///          8    8  group, blocks of the group
///         16    4  inodes
///         20    8  root and levels of the inodes' tree
///         28    4  free inodes
///        296   16  UUID
///        312    4  checksum
///        328    8  root and levels of the free inodes' tree
///
/// Big-endian, checksums (version 5 only) CRC-32C of the sector and little-endian. Linux,
/// fs/xfs/libxfs/xfs_format.h.
struct XFSGroup {
  let number: UInt64
  let freeByBlock: XFSGroupTree
  let freeBySize: XFSGroupTree
  let inodes: XFSGroupTree
  /// Trees of which only the places matter.
  let others: [XFSGroupTree]
  let listFirst: UInt32
  let listLast: UInt32
  let listCount: UInt32
  let freeBlockCount: UInt64
  let longestCount: UInt64
  let treeBlockCount: UInt64
  let inodeCount: UInt64

  init(_ volume: XFSVolume, _ number: UInt64) throws {
    let superblock = volume.superblock
    self.number = number
    func tree(_ kind: XFSGroupTreeKind, _ root: UInt32, _ levels: UInt32) -> XFSGroupTree {
      XFSGroupTree(
        volume: volume, kind: kind, group: number, root: UInt64(root),
        levels: Int(min(levels, UInt32(XFSGroupTree.levelLimit + 1))))
    }
    let free = try XFSGroup.header(volume, number, sector: 1, "XFS AGF", checksumAt: 216)
    var cursor = ByteCursor(free.bytes.span, of: "XFS AGF", at: free.offset, .big)
    try cursor.expect("XAGF\0\0\0\u{1}")
    try XFSGroup.place(&cursor, volume, number)
    let roots = (try cursor.u32(), try cursor.u32(), try cursor.u32())
    let levels = (try cursor.u32(), try cursor.u32(), try cursor.u32())
    (listFirst, listLast, listCount) = (try cursor.u32(), try cursor.u32(), try cursor.u32())
    freeBlockCount = UInt64(try cursor.u32())
    longestCount = UInt64(try cursor.u32())
    treeBlockCount = UInt64(try cursor.u32())
    try XFSGroup.belongs(try cursor.array(16), volume, "XFS AGF", at: free.offset)
    try cursor.skip(8)
    let references = (try cursor.u32(), try cursor.u32())
    freeByBlock = tree(.freeByBlock, roots.0, levels.0)
    freeBySize = tree(.freeBySize, roots.1, levels.1)

    let chunks = try XFSGroup.header(volume, number, sector: 2, "XFS AGI", checksumAt: 312)
    cursor = ByteCursor(chunks.bytes.span, of: "XFS AGI", at: chunks.offset, .big)
    try cursor.expect("XAGI\0\0\0\u{1}")
    try XFSGroup.place(&cursor, volume, number)
    inodeCount = UInt64(try cursor.u32())
    inodes = tree(.inodes, try cursor.u32(), try cursor.u32())
    try cursor.skip(268)
    try XFSGroup.belongs(try cursor.array(16), volume, "XFS AGI", at: chunks.offset)
    try cursor.skip(16)
    var others: [XFSGroupTree] = []
    if superblock.readOnly & XFSSuperblock.ReadOnly.freeInodes != 0 {
      others.append(tree(.freeInodes, try cursor.u32(), try cursor.u32()))
    }
    if superblock.readOnly & XFSSuperblock.ReadOnly.reverseMap != 0 {
      others.append(tree(.reverseMap, roots.2, levels.2))
    }
    if superblock.readOnly & XFSSuperblock.ReadOnly.references != 0 {
      others.append(tree(.references, references.0, references.1))
    }
    self.others = others
  }

  /// The blocks of the free-space trees besides their roots, counted.
  func countTreeBlocks() throws -> UInt64 {
    var count: UInt64 = 0
    for tree in [freeByBlock, freeBySize] { try tree.forEachBlock { _ in count += 1 } }
    return count - 2
  }

  /// A sector of the group's start, with the right checksum.
  static func header(
    _ volume: XFSVolume, _ group: UInt64, sector: UInt64, _ structure: String, checksumAt field: Int
  ) throws -> (bytes: [UInt8], offset: UInt64) {
    let size = volume.superblock.sectorByteCount
    let offset = volume.superblock.byteOffset(group: group, block: 0) + sector * UInt64(size)
    let bytes = try volume.bytes(size, at: offset, of: structure)
    if volume.superblock.hasChecksums {
      try volume.verify(bytes, checksumAt: field, of: structure, at: offset)
    }
    return (bytes, offset)
  }

  /// Requires the group's own number and size.
  private static func place(
    _ cursor: inout ByteCursor, _ volume: XFSVolume, _ number: UInt64
  ) throws {
    guard UInt64(try cursor.u32()) == number else {
      throw cursor.refusal(.impossible("it is another group's"))
    }
    guard UInt64(try cursor.u32()) == volume.superblock.blockCount(ofGroup: number) else {
      throw cursor.refusal(.impossible("the group's size is another"))
    }
  }

  static func belongs(
    _ uuid: [UInt8], _ volume: XFSVolume, _ structure: String, at offset: UInt64
  ) throws {
    // Version 4 never wrote it.
    guard volume.superblock.hasChecksums else { return }
    try volume.require(uuid: uuid, block: nil, owner: (0, 0), of: structure, at: offset)
  }
}

/// The free list of a group, in its fourth sector: blocks that its trees will grow into.
///
///     offset size  field
///          0    4  magic "XAFL"   version 5 only, as all up to and with the checksum
///          4    4  group
///          8   16  UUID
///         32    4  checksum
///         36       block numbers, a ring
extension XFSGroup {
  /// Calls `body` with each block of the list.
  func forEachListed(_ volume: XFSVolume, _ body: (UInt64) throws -> Void) throws {
    let header = try XFSGroup.header(volume, number, sector: 3, "XFS AGFL", checksumAt: 32)
    var cursor = ByteCursor(header.bytes.span, of: "XFS AGFL", at: header.offset, .big)
    if volume.superblock.hasChecksums {
      try cursor.expect("XAFL")
      guard UInt64(try cursor.u32()) == number else {
        throw cursor.refusal(.impossible("it is another group's"))
      }
      try XFSGroup.belongs(try cursor.array(16), volume, "XFS AGFL", at: header.offset)
      try cursor.skip(12)
    }
    let room = UInt32(cursor.remaining / 4)
    guard listFirst < room, listLast < room, listCount <= room,
      listCount == 0 || (listLast + room - listFirst) % room + 1 == listCount
    else { throw cursor.refusal(.impossible("its first, last and count do not fit")) }
    let places = cursor.position
    for step in 0..<listCount {
      var entry = ByteCursor(header.bytes.span, of: "XFS AGFL", at: header.offset, .big)
      try entry.skip(places + Int((listFirst + step) % room) * 4)
      try body(UInt64(try entry.u32()))
    }
  }
}
