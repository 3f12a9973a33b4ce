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
  private var knownFolders: Set<String> = []

  private var folder: String { "writers/\(id)" }

  init(_ store: LocalStore) throws(StoreError) {
    self.store = store
    do {
      id = Hex.text(try Random.bytes(16))
      try LocalSession.makeWritersFolder(store)
      let path = store.path("writers/\(id).alive")
      alive = try LocalSession.takeLock(path)
      try Files.makeDirectory(store.path("writers/\(id)"))
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
    try Files.syncDirectory(store.path(""))
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
  private static func removeDead(_ store: LocalStore, except own: String) throws(StoreError) {
    do throws(SystemError) {
      let names = try Files.names(in: store.path("writers"))
      var ids: Set<String> = []
      for name in names {
        ids.insert(name.hasSuffix(".alive") ? String(name.dropLast(6)) : name)
      }
      for id in ids.sorted() where id != own {
        do throws(SystemError) {
          try removeIfDead(store, id)
        } catch {
          // Another cleaner was faster.
          guard error.isMissing else { throw error }
        }
      }
    } catch {
      throw StoreError("writers", .system(error))
    }
  }

  private static func removeIfDead(_ store: LocalStore, _ id: String) throws(SystemError) {
    let alivePath = store.path("writers/\(id).alive")
    let lock: FileDescriptor?
    if try Files.status(alivePath) != nil {
      let file = try FileDescriptor(alivePath, .update)
      guard try file.lock() else { return }
      lock = file
    } else {
      lock = nil
    }
    let folder = store.path("writers/\(id)")
    if let status = try Files.status(folder), status.kind == .directory {
      for name in try Files.names(in: folder) { try Files.remove("\(folder)/\(name)") }
      try Files.removeDirectory(folder)
    }
    if lock != nil { try Files.remove(alivePath) }
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

  private func makeFolder(_ name: String) throws(SystemError) {
    guard !knownFolders.contains(name) else { return }
    if try Files.status(store.path(name)) == nil {
      // Whoever made the folder, this writer's objects must be found in it after a power cut.
      do throws(SystemError) {
        try Files.makeDirectory(store.path(name))
      } catch {
        guard error.exists else { throw error }
      }
    }
    touched.insert(Files.folder(of: name))
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
