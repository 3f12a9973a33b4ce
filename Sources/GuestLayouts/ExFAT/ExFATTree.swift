internal import Blocks
internal import Bytes

/// The files of an exFAT volume.
///
/// A file's id is the place of its first entry, in bytes, which is a multiple of 32; 1 more says
/// that its directory's clusters follow each other. The root, which has no entry, is 0. Times
/// without a zone are taken as if they were UTC.
struct ExFATTree: FileTree {
  let volume: ExFATVolume

  var nameRule: NameRule { .ignoringCase }
  var root: UInt64 { 0 }

  func file(_ id: UInt64) throws -> GuestFile {
    if id == root { return GuestFile(id: root, kind: .directory) }
    let set = try set(id)
    var file = GuestFile(id: id, kind: set.isDirectory ? .directory : .regular)
    if !set.isDirectory { file.size = set.byteCount }
    file.created = set.created
    file.modified = set.modified
    file.accessed = set.accessed
    return file
  }

  private func set(_ id: UInt64) throws -> ExFATEntrySet {
    let offset = id & ~31
    guard let cluster = volume.heap.cluster(at: offset) else {
      throw FormatError("exFAT directory", at: offset, .impossible("no file's entry"))
    }
    let left = volume.heap.end - UInt64(cluster)
    // A set of the most entries that there may be does not reach further than these clusters.
    let count = UInt32(min(left, 1 + 256 * 32 / volume.heap.clusterByteCount + 1))
    var directory = try ClusterDirectory(
      id & 1 == 1 ? .run(ClusterRun(first: cluster, count: count)) : .chain(cluster),
      of: volume.table, byteLimit: 256 * 32, isLimitDamage: false, from: offset)
    guard let entry = try directory.next(), entry.bytes[0] == ExFATEntrySet.type else {
      throw FormatError("exFAT directory", at: offset, .impossible("no file's entry"))
    }
    return try ExFATEntrySet(entry, from: &directory)
  }

  func forEachEntry(
    of directory: GuestFile, _ body: (DirectoryEntry) throws -> Bool
  ) throws {
    var mark: UInt64 = 0
    var entries: ClusterDirectory
    if directory.id == root {
      entries = try volume.root()
    } else {
      let set = try set(directory.id)
      mark = set.isContiguous ? 1 : 0
      entries = try volume.directory(set)
    }
    while let entry = try entries.next(), entry.bytes[0] != 0 {
      guard entry.bytes[0] == ExFATEntrySet.type else { continue }
      let set = try ExFATEntrySet(entry, from: &entries)
      guard try body(DirectoryEntry(name: set.name, id: entry.offset | mark)) else { return }
    }
  }

  func extents(of file: GuestFile) throws -> [FileExtent] {
    let set = try set(file.id)
    let (runs, endsThere) = try runs(of: set)
    guard endsThere else { throw GuestDoubt("its clusters are more than its size needs") }
    return volume.heap.extents(of: runs)
  }

  func content(of file: GuestFile) throws -> any BlockSource {
    let set = try set(file.id)
    let (runs, _) = try runs(of: set)
    return ClusterContent(
      volume.source, volume.heap.extents(of: runs), size: set.byteCount,
      written: set.writtenByteCount)
  }

  private func runs(of set: ExFATEntrySet) throws -> (runs: [ClusterRun], endsThere: Bool) {
    guard !set.isDirectory, let count = volume.heap.clusterCount(of: set.byteCount) else {
      throw FormatError("exFAT directory", at: set.offset, .impossible("no regular file"))
    }
    if count == 0 { return ([], true) }
    if set.isContiguous {
      guard volume.heap.contains(set.first),
        UInt64(set.first) + UInt64(count) <= volume.heap.end
      else {
        throw FormatError("exFAT directory", at: set.offset, .impossible("a file's first cluster"))
      }
      return ([ClusterRun(first: set.first, count: count)], true)
    }
    var reader = volume.table.reader()
    return try reader.runs(from: set.first, count: count)
  }

  func target(of link: GuestFile) throws -> [UInt8] {
    throw FormatError("exFAT directory", at: link.id, .impossible("no symbolic link"))
  }

  func attributes(of file: GuestFile) throws -> [ExtendedAttribute] { [] }
}
