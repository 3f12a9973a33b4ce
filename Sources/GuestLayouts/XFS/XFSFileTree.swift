internal import Blocks
internal import Bytes

/// The files of an XFS file system.
struct XFSFileTree: FileTree {
  /// The longest target of a symbolic link, in bytes.
  private static let targetLimit: UInt64 = 1024
  /// The most pieces of a file of which the places are told.
  private static let pieceLimit = 1 << 20

  let volume: XFSVolume
  private var superblock: XFSSuperblock { volume.superblock }

  /// - Throws: `FormatError` when there is no root, `SourceError`.
  init(_ volume: XFSVolume) throws {
    self.volume = volume
    guard try file(root).kind == .directory else {
      throw FormatError("XFS", at: 0, .impossible("its root is no directory"))
    }
  }

  var nameRule: NameRule { superblock.ignoresCase ? .ignoringCase : .exact }
  var root: UInt64 { superblock.rootInode }

  func file(_ id: UInt64) throws -> GuestFile { try XFSInode(volume, id).file() }

  func forEachEntry(
    of directory: GuestFile, _ body: (DirectoryEntry) throws -> Bool
  ) throws {
    let inode = try XFSInode(volume, directory.id)
    guard try inode.file().kind == .directory else {
      throw inode.data.refusal("it is no directory")
    }
    try XFSDirectory(inode).forEachEntry(body)
  }

  func extents(of file: GuestFile) throws -> [FileExtent] {
    let inode = try regular(file)
    guard !inode.sharesExtents else { throw GuestDoubt("it may share its blocks with other files") }
    var extents: [FileExtent] = []
    try inode.data.forEachExtent { extent in
      guard extents.count < XFSFileTree.pieceLimit else {
        throw GuestDoubt("it is in more than \(XFSFileTree.pieceLimit) pieces")
      }
      let (offset, overflows) = extent.place.multipliedReportingOverflow(
        by: superblock.blockByteCount)
      guard !overflows else { throw inode.data.refusal("blocks behind every file's end") }
      extents.append(FileExtent(offset: offset, range: extent.range))
      return true
    }
    return extents
  }

  func content(of file: GuestFile) throws -> any BlockSource { XFSContent(try regular(file)) }

  /// The inode of a regular file with its content on this device.
  private func regular(_ file: GuestFile) throws -> XFSInode {
    let inode = try XFSInode(volume, file.id)
    guard try inode.file().kind == .regular, inode.data.form == .extents || inode.data.form == .tree
    else { throw inode.data.refusal("it is no regular file") }
    guard !inode.isRealtime else { throw GuestDoubt("its content is on the realtime device") }
    return inode
  }

  /// The target, inside the inode or in runs of blocks with a header each.
  ///
  ///     offset size  field
  ///          0    4  magic "XSLM"   version 5 only, as all
  ///          4    8  place in the target, bytes of it here
  ///         12    4  checksum       CRC-32C, little-endian
  ///         16   16  UUID
  ///         32    8  owner
  ///         40    8  place          in 512 bytes
  ///         56       the bytes
  func target(of link: GuestFile) throws -> [UInt8] {
    let inode = try XFSInode(volume, link.id)
    guard try inode.file().kind == .symbolicLink, inode.size > 0,
      inode.size <= XFSFileTree.targetLimit
    else { throw inode.data.refusal("it is no symbolic link") }
    if inode.data.form == .inside {
      guard inode.size <= UInt64(inode.data.bytes.count) else {
        throw inode.data.refusal("its target does not fit")
      }
      return Array(inode.data.bytes[..<Int(inode.size)])
    }
    var target: [UInt8] = []
    try inode.data.forEachExtent { extent in
      target += try piece(extent, of: inode, from: UInt64(target.count))
      return UInt64(target.count) < inode.size
    }
    guard UInt64(target.count) == inode.size else {
      throw inode.data.refusal("its target is cut off")
    }
    return target
  }

  private func piece(_ extent: XFSExtent, of inode: XFSInode, from start: UInt64) throws -> [UInt8]
  {
    // A target of 1,024 bytes with a header takes at most three blocks, of 512 bytes.
    guard extent.count <= 3, extent.isWritten else {
      throw inode.data.refusal("its target has too many blocks")
    }
    let left = Int(inode.size - start)
    let offset = extent.range.lowerBound
    let bytes = try volume.bytes(
      Int(extent.count * superblock.blockByteCount), at: offset, of: "XFS link")
    guard superblock.hasChecksums else { return Array(bytes.prefix(left)) }
    try volume.verify(bytes, checksumAt: 12, of: "XFS link", at: offset)
    var cursor = ByteCursor(bytes.span, of: "XFS link", at: offset, .big)
    try cursor.expect("XSLM")
    let (place, count) = (try cursor.u32(), try cursor.u32())
    try cursor.skip(4)
    let uuid = try cursor.array(16)
    let owner = try cursor.u64()
    try volume.require(
      uuid: uuid, block: try cursor.u64(), owner: (owner, inode.number), of: "XFS link", at: offset)
    try cursor.skip(8)
    guard UInt64(place) == start, count > 0, Int(count) <= left else {
      throw cursor.refusal(.impossible("its place in the target is not right"))
    }
    return try cursor.array(Int(count))
  }

  func attributes(of file: GuestFile) throws -> [ExtendedAttribute] {
    guard let fork = try XFSInode(volume, file.id).attributes else { return [] }
    var attributes = XFSAttributes(fork)
    try attributes.read()
    return attributes.found
  }
}
