internal import Blocks
internal import Bytes

/// The second, third and fourth extended file systems.
struct ExtFileSystem: GuestFileSystem {
  let volume: ExtVolume

  var byteCount: UInt64 { volume.geometry.byteCount }

  var usedByteCount: UInt64? {
    let free = volume.superblock.freeBlockCount
    guard free <= volume.geometry.blockCount else { return nil }
    return (volume.geometry.blockCount - free) * volume.geometry.blockSize
  }

  var fileDoubt: String? {
    if volume.superblock.needsRecovery { return "its journal has not been replayed" }
    if volume.superblock.hasErrors { return "errors were found in it" }
    return volume.superblock.isClean ? nil : "it was not unmounted cleanly"
  }

  func freeSpace() throws -> FreeSpace {
    var search = try ExtFreeSpaceSearch(in: volume)
    return try search.run()
  }

  /// The files; those of a journal that was not replayed among them, where it can be understood.
  func files() throws -> (any FileTree)? {
    let superblock = volume.superblock
    guard superblock.needsRecovery, superblock.features.compatible.contains(.hasJournal),
      superblock.journalInode != 0
    else { return try ExtFileTree(volume) }
    let replayed: ExtVolume
    do {
      replayed = try volume.replayed(ExtJournal(of: volume))
    } catch is GuestDoubt {
      replayed = volume
    } catch is FormatError {
      replayed = volume
    }
    return try ExtFileTree(replayed)
  }
}
