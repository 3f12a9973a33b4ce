internal import Bytes
internal import Platform

/// A writer's folder below `writers/`, alive as long as its lock is held.
///
/// Publishing is a rename out of this folder; whoever renames the folder away has fenced the
/// writer off, without any clock. The lock lies in a file beside the folder, `writers/ID.alive`,
/// which exists before the folder and longer: so a folder whose lock can be taken is dead.
final class LocalSession: WritingSession {
  private let store: LocalStore
  private let id: String
  private let alive: FileDescriptor
  private var staged = 0
  /// Folders with names that are not known to be durable.
  private var touched: Set<String> = []
  /// Folders that are there, and durable after the next flush.
  private var knownFolders: Set<String> = ["."]
  /// Folders whose folders are known.
  private var listedFolders: Set<String> = []
  private static let idByteCount = 16

  private var folder: String { "writers/\(id)" }

  init(_ store: LocalStore) throws(StoreError) {
    self.store = store
    do {
      id = Hex.text(try Random.bytes(LocalSession.idByteCount))
      try LocalSession.makeWritersFolder(store)
      let path = store.path("writers/\(id).alive")
      alive = try LocalSession.takeLock(path)
      try Files.makeDirectory(store.path("writers/\(id)"))
      // After a power cut it tells that somebody was at work.
      try Files.syncDirectory(store.path("writers"))
    } catch {
      throw StoreError("writers", .system(error))
    }
    try LocalSession.removeDead(store, except: id)
  }

  /// What copies a repository may leave out empty folders: git does, object stores know none.
  private static func makeWritersFolder(_ store: LocalStore) throws(SystemError) {
    guard try Files.status(store.path("writers")) == nil else { return }
    do throws(SystemError) {
      try Files.makeDirectory(store.path("writers"))
    } catch {
      // Another writer was faster.
      guard error.exists else { throw error }
    }
  }

  /// Creates and locks the file; begins again when a cleaner took it between the two.
  private static func takeLock(_ path: String) throws(SystemError) -> FileDescriptor {
    while true {
      let file: FileDescriptor
      do throws(SystemError) {
        file = try FileDescriptor(path, .create)
      } catch {
        // The cleaner that took the file before it was locked has yet to remove it.
        guard error.exists else { throw error }
        continue
      }
      if try file.lock(), let named = try Files.status(path) {
        if try file.status().inode == named.inode { return file }
      }
    }
  }

  /// Removes what writers left that are no more.
  ///
  /// - Returns: The ids of those that are alive.
  @discardableResult
  private static func removeDead(
    _ store: LocalStore, except own: String
  ) throws(StoreError) -> [String] {
    do throws(SystemError) {
      var isLocked: [String: Bool] = [:]
      for name in try Files.names(in: store.path("writers")) {
        let hasLock = name.hasSuffix(".alive")
        let id = hasLock ? String(name.dropLast(6)) : name
        // Nothing else there is a writer's, and so is left alone.
        guard Hex.bytes(id)?.count == idByteCount else { continue }
        isLocked[id] = hasLock || isLocked[id] == true
      }
      var alive: [String] = []
      for (id, hasLock) in isLocked.sorted(by: { $0.key < $1.key }) where id != own {
        do throws(SystemError) {
          if try !removeIfDead(store, id, hasLock: hasLock) { alive.append(id) }
        } catch {
          // Another cleaner was faster.
          guard error.isMissing else { throw error }
        }
      }
      return alive
    } catch {
      throw StoreError("writers", .system(error))
    }
  }

  /// - Parameter hasLock: Whether the listing showed the writer's lock file. Without one the folder
  ///   is dead, as the lock outlives it; one that came since is a living writer's.
  /// - Returns: False when the writer is alive.
  private static func removeIfDead(
    _ store: LocalStore, _ id: String, hasLock: Bool
  ) throws(SystemError) -> Bool {
    let path = store.path("writers/\(id).alive")
    var lock: FileDescriptor?
    if hasLock {
      let file = try FileDescriptor(path, .update)
      guard try file.lock() else { return false }
      // Another cleaner may have removed the file that was locked here.
      guard let named = try Files.status(path), try file.status().inode == named.inode else {
        return false
      }
      lock = file
    } else if try Files.status(path) != nil {
      return false
    }
    let folder = store.path("writers/\(id)")
    if try Files.isFolder(folder) {
      for name in try Files.names(in: folder) { try Files.remove("\(folder)/\(name)") }
      try Files.removeDirectory(folder)
    }
    if lock != nil { try Files.remove(path) }
    return true
  }

  func isAccompanied() throws(StoreError) -> Bool {
    try !LocalSession.removeDead(store, except: id).isEmpty
  }

  func stage() throws(StoreError) -> StagedObject {
    staged += 1
    let path = store.path("\(folder)/\(staged)")
    do {
      return StagedObject(file: try FileDescriptor(path, .create, permissions: 0o444), path: path)
    } catch {
      throw StoreError("\(folder)/\(staged)", error.isMissing ? .fenced : .system(error))
    }
  }

  func publish(_ object: StagedObject, as name: String) throws(StoreError) {
    do throws(SystemError) {
      try object.file.sync()
      try object.file.close()
      let target = Files.folder(of: name)
      try makeFolder(target)
      do throws(SystemError) {
        try Files.renameNoReplace(object.path, to: store.path(name))
      } catch {
        guard error.exists else { throw error }
        try Files.remove(object.path)
      }
      touched.insert(target)
    } catch {
      throw StoreError(name, error.isMissing ? .fenced : .system(error))
    }
  }

  /// Sees to it that an object can be found in a folder of the store after a power cut, whoever made
  /// the folder and whether or not that writer lived to flush it.
  private func makeFolder(_ name: String) throws(SystemError) {
    guard !knownFolders.contains(name) else { return }
    let above = Files.folder(of: name)
    try makeFolder(above)
    if !listedFolders.contains(above) {
      let isTop = above == "."
      for other in try Files.names(in: isTop ? store.location : store.path(above)) {
        knownFolders.insert(isTop ? other : "\(above)/\(other)")
      }
      // One flush is for all that are there by now.
      touched.insert(above)
      listedFolders.insert(above)
      guard !knownFolders.contains(name) else { return }
    }
    do throws(SystemError) {
      try Files.makeDirectory(store.path(name))
    } catch {
      guard error.exists else { throw error }
    }
    touched.insert(above)
    knownFolders.insert(name)
  }

  func willRelyOn(_ name: String) {
    let folder = Files.folder(of: name)
    touched.insert(folder)
    touched.insert(Files.folder(of: folder))
  }

  func flush() throws(StoreError) {
    for name in touched.sorted() {
      do {
        try Files.syncDirectory(name == "." ? store.location : store.path(name))
      } catch {
        throw StoreError(name, .system(error))
      }
    }
    touched = []
  }

  func end() throws(StoreError) {
    do {
      let path = store.path(folder)
      for name in try Files.names(in: path) { try Files.remove("\(path)/\(name)") }
      try Files.removeDirectory(path)
      try Files.remove(store.path("\(folder).alive"))
      try alive.close()
    } catch {
      throw StoreError(folder, .system(error))
    }
  }
}
