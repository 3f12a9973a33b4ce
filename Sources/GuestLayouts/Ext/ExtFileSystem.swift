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

  var log: GuestLogState {
    guard volume.superblock.needsRecovery else { return .settled }
    do {
      _ = try replayed()
      return .replayedInMemory
    } catch {
      return .open("its journal has not been replayed: \(error)")
    }
  }

  func freeSpace() throws -> FreeSpace {
    var search = try ExtFreeSpaceSearch(in: volume)
    return try search.run()
  }

  /// The files; those of a journal that was not replayed among them, where it can be understood.
  func files() throws -> (any FileTree)? {
    let now: ExtVolume
    do {
      now = try replayed()
    } catch is GuestDoubt {
      now = volume
    } catch is FormatError {
      now = volume
    }
    return try ExtFileTree(now)
  }

  /// The file system as it is once its journal, if it has to be, is replayed in memory.
  ///
  /// - Throws: `GuestDoubt` when that cannot be told, `FormatError` for damage.
  private func replayed() throws -> ExtVolume {
    guard volume.superblock.needsRecovery else { return volume }
    guard volume.superblock.features.compatible.contains(.hasJournal),
      volume.superblock.journalInode != 0
    else { throw GuestDoubt("it is on another disk") }
    return try volume.replayed(ExtJournal(of: volume))
  }
}
