public import Platform

/// A store in a folder of a local or network file system.
public final class LocalStore: ObjectStore {
  public let location: String

  /// - Parameter path: The folder; it need not exist before `create`.
  public init(_ path: String) {
    // The folder above is found by the last slash.
    var path = path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    location = path
  }

  /// Makes the folders of an empty store; they are durable once a session has flushed an object.
  public func create(_ folders: [String]) throws(StoreError) {
    do {
      // Whoever can read a repository can read all disks in it: sharing it is a decision.
      if try Files.status(location) == nil {
        try Files.makeDirectory(location, permissions: 0o700)
      }
      for folder in folders where try Files.status("\(location)/\(folder)") == nil {
        try Files.makeDirectory("\(location)/\(folder)")
      }
      // What is in it becomes durable with the first object.
      try Files.syncDirectory(Files.folder(of: location))
    } catch {
      throw StoreError(location, .system(error))
    }
  }

  public func list(_ folder: String) throws(StoreError) -> [ObjectInfo] {
    var result: [ObjectInfo] = []
    try list(folder, into: &result, depth: 0)
    return result
  }

  private func list(
    _ folder: String, into result: inout [ObjectInfo], depth: Int
  ) throws(StoreError) {
    do {
      for name in try Files.names(in: path(folder)) {
        let full = "\(folder)/\(name)"
        guard let status = try Files.status(path(full)) else { continue }
        if status.kind == .directory {
          guard depth < 3 else { continue }
          do { try list(full, into: &result, depth: depth + 1) } catch { throw error }
        } else {
          result.append(ObjectInfo(name: full, size: status.size))
        }
      }
    } catch let error as SystemError {
      if error.isMissing { return }
      throw StoreError(folder, .system(error))
    } catch let error as StoreError {
      throw error
    } catch {
      preconditionFailure("\(error)")
    }
  }

  public func open(_ name: String) throws(StoreError) -> FileDescriptor {
    do {
      return try FileDescriptor(path(name), .readNoFollow)
    } catch {
      throw StoreError(name, .system(error))
    }
  }

  public func contents(_ name: String, limit: Int) throws(StoreError) -> [UInt8] {
    let bytes: [UInt8]?
    do {
      bytes = try FileDescriptor(path(name), .readNoFollow).readAll(limit: limit)
    } catch {
      throw StoreError(name, .system(error))
    }
    guard let bytes else { throw StoreError(name, .tooLarge(limit: limit)) }
    return bytes
  }

  public func quarantine(_ name: String) throws(StoreError) {
    do {
      if try Files.status(path("quarantine")) == nil {
        try Files.makeDirectory(path("quarantine"))
        try Files.syncDirectory(location)
      }
      try Files.rename(path(name), to: path("quarantine/\(Files.name(of: name))"))
      try Files.syncDirectory(path("quarantine"))
      try Files.syncDirectory(path(Files.folder(of: name)))
    } catch {
      throw StoreError(name, .system(error))
    }
  }

  public func beginWriting() throws(StoreError) -> any WritingSession {
    try LocalSession(self)
  }

  func path(_ name: String) -> String { "\(location)/\(name)" }
}
