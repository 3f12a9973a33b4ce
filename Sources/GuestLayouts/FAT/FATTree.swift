internal import Blocks
internal import Bytes

/// The files of a FAT volume.
///
/// A file's id is the place of its entry, in bytes; the root, which has none, is 0. Names are UTF-8,
/// long ones where there are any. Times have no zone: they are taken as if they were UTC.
struct FATTree: FileTree {
  let volume: FATVolume

  var nameRule: NameRule { .ignoringCase }
  var root: UInt64 { 0 }

  func file(_ id: UInt64) throws -> GuestFile {
    if id == root { return GuestFile(id: root, kind: .directory) }
    let entry = try entry(id)
    var file = GuestFile(id: id, kind: entry.isDirectory ? .directory : .regular)
    if !entry.isDirectory { file.size = UInt64(entry.byteCount) }
    file.created = entry.created
    file.modified = entry.modified
    file.accessed = entry.accessed
    return file
  }

  private func entry(_ id: UInt64) throws -> FATEntry {
    let isInside = volume.boot.rootRegion.contains(id) || volume.heap.cluster(at: id) != nil
    guard isInside, id % UInt64(ClusterDirectory.entryByteCount) == 0,
      let bytes = try volume.source.bytes(ClusterDirectory.entryByteCount, at: id)
    else { throw FormatError("FAT directory", at: id, .impossible("no file's entry")) }
    let entry = try FATEntry(parsing: ClusterDirectory.Entry(offset: id, bytes: bytes))
    guard entry.isFile else {
      throw FormatError("FAT directory", at: id, .impossible("no file's entry"))
    }
    return entry
  }

  func forEachEntry(
    of directory: GuestFile, _ body: (DirectoryEntry) throws -> Bool
  ) throws {
    var place = volume.root
    if directory.id != root {
      let entry = try entry(directory.id)
      guard entry.isDirectory else {
        throw FormatError("FAT directory", at: directory.id, .impossible("no directory"))
      }
      place = .chain(entry.firstCluster(volume.boot.kind))
    }
    var long = FATLongName()
    var entries = try volume.directory(place)
    while let raw = try entries.next() {
      let entry = try FATEntry(parsing: raw)
      if entry.isEnd { return }
      if entry.isLongName, !entry.isDeleted {
        long.add(raw.bytes)
        continue
      }
      defer { long.clear() }
      guard entry.isFile, !entry.isDot else { continue }
      let name = try long.name(for: entry.name) ?? FATName.short(of: entry)
      guard try body(DirectoryEntry(name: name, id: raw.offset)) else { return }
    }
  }

  func extents(of file: GuestFile) throws -> [FileExtent] {
    let (runs, endsThere) = try runs(of: file)
    guard endsThere else { throw GuestDoubt("its clusters are more than its size needs") }
    return volume.heap.extents(of: runs)
  }

  func content(of file: GuestFile) throws -> any BlockSource {
    let (runs, _) = try runs(of: file)
    return ClusterContent(
      volume.source, volume.heap.extents(of: runs), size: file.size, written: file.size)
  }

  private func runs(of file: GuestFile) throws -> (runs: [ClusterRun], endsThere: Bool) {
    let entry = try entry(file.id)
    guard !entry.isDirectory, let count = volume.heap.clusterCount(of: UInt64(entry.byteCount))
    else { throw FormatError("FAT directory", at: file.id, .impossible("no regular file")) }
    let first = entry.firstCluster(volume.boot.kind)
    if count == 0 { return ([], first == 0) }
    var reader = volume.table.reader()
    return try reader.runs(from: first, count: count)
  }

  func target(of link: GuestFile) throws -> [UInt8] {
    throw FormatError("FAT directory", at: link.id, .impossible("no symbolic link"))
  }

  func attributes(of file: GuestFile) throws -> [ExtendedAttribute] { [] }
}
