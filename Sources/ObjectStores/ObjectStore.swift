public import Platform

/// An object in a store.
public struct ObjectInfo: Equatable, Sendable {
  /// The name within the store, with `/` between folders: `packs/ab/ab12…`.
  public let name: String
  /// The size in bytes.
  public let size: UInt64
}

/// Where a repository lives: objects that are written once, never changed, and listed by folder.
///
/// A store knows nothing of what is in its objects. Each error says which object it is about.
public protocol ObjectStore: AnyObject, Sendable {
  /// Where the store is, for messages.
  var location: String { get }

  /// The objects below a folder, sorted by name; a folder that is not there is empty. A listing
  /// that breaks off is an error, never a shorter list.
  func list(_ folder: String) throws(StoreError) -> [ObjectInfo]

  /// Opens an object for reading anywhere in it.
  func open(_ name: String) throws(StoreError) -> FileDescriptor

  /// The whole of an object of at most `limit` bytes.
  func contents(_ name: String, limit: Int) throws(StoreError) -> [UInt8]

  /// Moves an object to `quarantine/`, durably; it keeps the last part of its name.
  func quarantine(_ name: String) throws(StoreError)

  /// Begins to write: what the session stages is invisible until it is published.
  func beginWriting() throws(StoreError) -> any WritingSession
}

/// One writer's work in a store.
///
/// Whatever happens to the writer, objects are there whole or not at all, and what it staged and
/// did not publish is removed by a later session.
public protocol WritingSession: AnyObject {
  /// Whether another session is open. Of two that ask each other, one at least is told so.
  func isAccompanied() throws(StoreError) -> Bool

  /// A new, empty file in the staging area.
  func stage() throws(StoreError) -> StagedObject

  /// Flushes the staged file and gives it its name; an object of that name that is there already
  /// is kept, as names say what objects hold. Durable only after `flush`.
  func publish(_ object: StagedObject, as name: String) throws(StoreError)

  /// Makes the next `flush` see to an object that somebody else published.
  func willRelyOn(_ name: String)

  /// Returns when all published names are on stable storage.
  func flush() throws(StoreError)

  /// Ends the session and removes its staging area.
  func end() throws(StoreError)
}

extension WritingSession {
  /// Writes an object of these bytes; it is durable when this returns.
  public func put(_ bytes: [UInt8], as name: String) throws(StoreError) {
    let object = try stage()
    do {
      try object.file.write(bytes)
    } catch {
      throw StoreError(name, .system(error))
    }
    try publish(object, as: name)
    try flush()
  }
}

extension ObjectStore {
  /// Lets `body` write in a session, which ends whatever happens.
  public func writing<Result>(_ body: (any WritingSession) throws -> Result) throws -> Result {
    let session = try beginWriting()
    let result: Result
    do {
      result = try body(session)
    } catch {
      // The reason for failing is what counts; leftovers go with the next writer.
      do { try session.end() } catch {}
      throw error
    }
    try session.end()
    return result
  }
}

/// A file that a session is writing.
public final class StagedObject: @unchecked Sendable {
  public let file: FileDescriptor
  let path: String

  init(file: FileDescriptor, path: String) {
    self.file = file
    self.path = path
  }
}

/// What went wrong with which object.
public struct StoreError: Error, CustomStringConvertible {
  public enum Reason: Sendable {
    case system(SystemError)
    case tooLarge(limit: Int)
    case fenced
  }

  public let name: String
  public let reason: Reason

  public init(_ name: String, _ reason: Reason) {
    self.name = name
    self.reason = reason
  }

  /// Whether the object is not there.
  public var isMissing: Bool {
    if case .system(let error) = reason { return error.isMissing || error.isNoDirectory }
    return false
  }

  public var description: String {
    switch reason {
    case .system(let error): "\(name): \(error)"
    case .tooLarge(let limit): "\(name): larger than the limit of \(limit) bytes"
    case .fenced: "\(name): another process has ended this writer's session"
    }
  }
}
