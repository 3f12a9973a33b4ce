internal import Blocks
internal import Bytes

/// A run of blocks of a file.
///
/// Stored in 16 bytes: a bit for what was reserved but never written, 54 bits for the place in the
/// file, 52 for the first block, 21 for the count. Linux, fs/xfs/libxfs/xfs_format.h,
/// `xfs_bmbt_rec`.
struct XFSExtent: Equatable {
  /// Where it begins in the file, in blocks.
  var place: UInt64
  var count: UInt64
  /// Where it lies in the area, in bytes.
  var range: Range<UInt64>
  var isWritten: Bool

  /// Parses an extent, and requires that it lies in one allocation group.
  init(_ high: UInt64, _ low: UInt64, _ superblock: XFSSuperblock) throws(FormatError) {
    place = high >> 9 & 0x3F_FFFF_FFFF_FFFF
    count = low & 0x1F_FFFF
    isWritten = high >> 63 == 0
    range = try superblock.byteRange(of: (high & 0x1FF) << 43 | low >> 21, count: count)
  }

  var end: UInt64 { place + count }
}

/// The data or the attributes of an inode: inside it, or where they lie.
///
/// A tree's root in the inode is a level and a count of 2 bytes each, keys of 8 bytes in half of the
/// room, and blocks of 8 bytes. Its other blocks:
///
///     offset size  field
///          0    4  magic          "BMAP", or "BMA3" in version 5
///          4    4  level, records
///          8   16  left and right neighbour
///         24    8  place          from here on in version 5 only: in 512 bytes
///         40   16  UUID
///         56    8  owner          the inode
///         64    4  checksum       CRC-32C, little-endian
///
/// Leaves hold extents of 16 bytes, others keys and, behind room for as many as fit, blocks.
struct XFSFork: Sendable {
  /// More levels than any file's tree has.
  private static let levelLimit = 10

  let volume: XFSVolume
  let inode: UInt64
  let form: XFSInode.Form
  /// Its part of the inode.
  let bytes: [UInt8]
  let extentCount: UInt64
  /// No more blocks than this are its own.
  let blockLimit: UInt64

  private var superblock: XFSSuperblock { volume.superblock }

  /// Calls `body` for each extent that ends behind a place, in the file's order, until it returns
  /// false.
  ///
  /// - Parameter place: In blocks of the file.
  func forEachExtent(
    from place: UInt64 = 0, _ body: (XFSExtent) throws -> Bool
  ) throws {
    var walk = Walk(place: place)
    switch form {
    case .device, .inside:
      return
    case .extents:
      guard extentCount <= UInt64(bytes.count / 16) else {
        throw refusal("\(extentCount) extents do not fit into its inode")
      }
      _ = try visit(bytes, 0, Int(extentCount), &walk, body)
    case .tree:
      var cursor = ByteCursor(bytes.span, of: "XFS inode", .big)
      let (level, count) = (Int(try cursor.u16()), Int(try cursor.u16()))
      let room = (bytes.count - 4) / 16
      guard (1..<XFSFork.levelLimit).contains(level), count > 0, count <= room else {
        throw refusal("a root of \(count) records on level \(level)")
      }
      _ = try descend(Node(bytes: bytes, start: 4, count: count, room: room), level, &walk, body)
    }
  }

  /// Where a walk is.
  private struct Walk {
    let place: UInt64
    /// Where the last extent ended.
    var end: UInt64 = 0
    var blockCount: UInt64 = 0
  }

  /// An inner block, or the root.
  private struct Node {
    let bytes: [UInt8]
    let start: Int
    let count: Int
    /// For how many keys there is room.
    let room: Int
  }

  private func descend(
    _ node: Node, _ level: Int, _ walk: inout Walk, _ body: (XFSExtent) throws -> Bool
  ) throws -> Bool {
    let span = node.bytes.span
    // The last child that starts at or before the place has the first extent, if it has any.
    var first = 0
    while first + 1 < node.count, span.big64(at: node.start + (first + 1) * 8) <= walk.place {
      first += 1
    }
    for index in first..<node.count {
      let block = span.big64(at: node.start + (node.room + index) * 8)
      let child = try treeBlock(block, level: level - 1)
      guard child.count > 0 else { throw refusal("an empty block in its tree") }
      let goesOn =
        level == 1
        ? try visit(child.bytes, child.start, child.count, &walk, body)
        : try descend(child, level - 1, &walk, body)
      if !goesOn { return false }
    }
    return true
  }

  private func visit(
    _ bytes: [UInt8], _ start: Int, _ count: Int, _ walk: inout Walk,
    _ body: (XFSExtent) throws -> Bool
  ) throws -> Bool {
    let span = bytes.span
    for index in 0..<count {
      let place = start + index * 16
      let extent = try XFSExtent(span.big64(at: place), span.big64(at: place + 8), superblock)
      // Whatever loops the tree has, extents that ascend come to an end.
      guard extent.place >= walk.end else { throw refusal("its extents are not in order") }
      walk.end = extent.end
      walk.blockCount += extent.count
      guard walk.blockCount <= blockLimit else { throw refusal("more blocks than it counts") }
      if extent.end > walk.place, try !body(extent) { return false }
    }
    return true
  }

  private func treeBlock(_ block: UInt64, level: Int) throws -> Node {
    let range = try superblock.byteRange(of: block, count: 1)
    let offset = range.lowerBound
    let bytes = try volume.bytes(
      Int(superblock.blockByteCount), at: offset, of: "XFS extent tree")
    var cursor = ByteCursor(bytes.span, of: "XFS extent tree", at: offset, .big)
    if superblock.hasChecksums {
      try cursor.expect("BMA3")
      try volume.verify(bytes, checksumAt: 64, of: "XFS extent tree", at: offset)
    } else {
      try cursor.expect("BMAP")
    }
    let (found, count) = (Int(try cursor.u16()), Int(try cursor.u16()))
    try cursor.skip(16)
    if superblock.hasChecksums {
      let place = try cursor.u64()
      try cursor.skip(8)
      let uuid = try cursor.array(16)
      try volume.require(
        uuid: uuid, block: place, owner: (try cursor.u64(), inode), of: "XFS extent tree",
        at: offset)
      try cursor.skip(8)
    }
    let room = (bytes.count - cursor.position) / 16
    guard found == level, count <= room else {
      throw cursor.refusal(.impossible("\(count) records on level \(found)"))
    }
    return Node(bytes: bytes, start: cursor.position, count: count, room: room)
  }

  func refusal(_ problem: String) -> FormatError {
    FormatError("XFS", at: 0, .impossible("inode \(inode): \(problem)"))
  }

  /// The bytes of `count` blocks of the file from `place` on, all of which must be there.
  ///
  /// - Returns: The bytes, and where the first of them lie in the area.
  func blocks(_ count: UInt64, at place: UInt64) throws -> (bytes: [UInt8], offset: UInt64) {
    var bytes: [UInt8] = []
    var next = place
    var offset: UInt64 = 0
    try forEachExtent(from: place) { extent in
      guard extent.place <= next, extent.isWritten else { return false }
      let start =
        extent.range.lowerBound + (next - extent.place) * superblock.blockByteCount
      if next == place { offset = start }
      let part = min(extent.end, place + count) - next
      bytes += try volume.bytes(
        Int(part * superblock.blockByteCount), at: start, of: "XFS block")
      next += part
      return next < place + count
    }
    guard next == place + count else { throw refusal("block \(next) of it is missing") }
    return (bytes, offset)
  }
}
