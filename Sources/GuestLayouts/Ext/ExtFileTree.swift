internal import Blocks
internal import Bytes

/// The files of an extended file system.
struct ExtFileTree: FileTree {
  /// The most pieces of a file that are listed.
  private static let extentLimit = 1 << 20
  /// The most pieces of its block map that are gone through for that.
  private static let lookupLimit = 1 << 19

  private let volume: ExtVolume
  /// Nil when it is damaged: then files can be read, but their places are not trusted.
  private let metadata: ExtMetadata?

  init(_ volume: ExtVolume) throws {
    self.volume = volume
    do {
      metadata = try ExtMetadata(of: volume)
    } catch is FormatError {
      metadata = nil
    }
  }

  var nameRule: NameRule { .exact }
  var root: UInt64 { UInt64(ExtVolume.rootInode) }

  func file(_ id: UInt64) throws -> GuestFile {
    let inode = try inode(id)
    guard inode.linkCount > 0, let kind = inode.kind else {
      throw inode.refusal(.impossible("mode \(String(inode.mode, radix: 8)) and no links"))
    }
    var file = GuestFile(id: id, kind: kind)
    file.size = inode.size
    file.linkCount = UInt32(inode.linkCount)
    file.mode = inode.mode & 0xFFF
    file.owner = inode.owner
    file.group = inode.group
    file.modified = inode.modified
    file.accessed = inode.accessed
    file.changed = inode.changed
    file.created = inode.created
    return file
  }

  /// The inode of a file that can have a name: the root, or none of those that are reserved.
  private func inode(_ id: UInt64) throws -> ExtInode {
    let first = volume.superblock.revision == 0 ? 11 : UInt64(volume.superblock.firstInode)
    guard id == root || id >= first, let number = UInt32(exactly: id) else {
      throw FormatError(
        "ext file system", at: ExtSuperblock.offset, .impossible("a file with inode \(id)"))
    }
    return try volume.inode(number)
  }

  func forEachEntry(
    of directory: GuestFile, _ body: (DirectoryEntry) throws -> Bool
  ) throws {
    let inode = try inode(directory.id)
    guard inode.isDirectory else { throw inode.refusal(.impossible("not a directory")) }
    try ExtDirectory(volume: volume, inode: inode).forEachEntry(body)
  }

  func extents(of file: GuestFile) throws -> [FileExtent] {
    let inode = try inode(file.id)
    guard inode.isRegular else { return [] }
    guard !volume.superblock.features.readOnly.contains(.sharedBlocks) else {
      throw GuestDoubt("files may share their blocks")
    }
    if inode.flags.contains(.inlineData) { return [] }
    guard let metadata else { throw GuestDoubt("structures of the file system are damaged") }
    let blockSize = volume.geometry.blockSize
    guard inode.size <= ExtBlockMap.blockLimit * blockSize else {
      throw inode.refusal(.impossible("\(inode.size) bytes"))
    }
    // What lies behind the content, such as the hashes of fs-verity, is not the content's.
    let end = (inode.size + blockSize - 1) / blockSize
    let map = ExtBlockMap(volume: volume, inode: inode)
    var result: [FileExtent] = []
    var position: UInt64 = 0
    var lookups = 0
    while position < end {
      lookups += 1
      for run in try map.runs(at: position) {
        position = run.blocks.upperBound
        let blocks = run.blocks.clamped(to: 0..<end)
        guard let start = run.start, !blocks.isEmpty else { continue }
        let place = start..<start + UInt64(blocks.count)
        guard !metadata.overlaps(place) else {
          throw GuestDoubt("it lies where the file system has structures of its own")
        }
        result.append(
          FileExtent(
            offset: blocks.lowerBound * blockSize,
            range: place.lowerBound * blockSize..<place.upperBound * blockSize))
      }
      guard result.count <= ExtFileTree.extentLimit, lookups <= ExtFileTree.lookupLimit else {
        throw GuestDoubt("it is in too many pieces")
      }
    }
    return result
  }

  func content(of file: GuestFile) throws -> any BlockSource {
    let inode = try inode(file.id)
    guard inode.isRegular else { throw inode.refusal(.impossible("not a regular file")) }
    if inode.flags.contains(.encrypted) { throw GuestDoubt("it is encrypted") }
    return try volume.content(of: inode)
  }

  func target(of link: GuestFile) throws -> [UInt8] {
    let inode = try inode(link.id)
    guard inode.isSymbolicLink, inode.size > 0, inode.size <= volume.geometry.blockSize else {
      throw inode.refusal(.impossible("a link of \(inode.size) bytes"))
    }
    if inode.flags.contains(.encrypted) { throw GuestDoubt("it is encrypted") }
    let count = Int(inode.size)
    // Short ones are kept in place of the block map.
    if count < ExtInode.mapByteCount, !inode.flags.contains(.inlineData) {
      return Array(inode.bytes[ExtInode.mapPlace..<ExtInode.mapPlace + count])
    }
    return try volume.content(of: inode).bytes(count, at: 0) ?? []
  }

  func attributes(of file: GuestFile) throws -> [ExtendedAttribute] {
    try volume.attributes(of: inode(file.id))
  }
}
