internal import Bytes
internal import Codecs
public import ObjectStores
internal import Platform

/// A repository that is open for reading; `PointWriter` writes to it.
public final class Repository: Sendable {
  public let store: any ObjectStore
  public let config: RepositoryConfig
  /// What was wrong while opening, though not enough to stop.
  public let warnings: [String]

  /// Where the repository is, for messages.
  public var location: String { store.location }

  /// The folders that it lies in, for a process that is to open nothing else.
  public var paths: [String] {
    // A folder of it may be a link to another place.
    [location] + Layout.folders.map { "\(location)/\($0)" }
  }

  /// A point's file, and whether the first or only its copy could be read.
  public struct StoredPoint: Sendable {
    public let name: PointName
    public let point: RecoveryPoint
  }

  /// Makes a repository in an empty or missing folder.
  public static func create(_ path: String, _ config: RepositoryConfig) throws {
    let store = LocalStore(path)
    if let status = try Files.status(path) {
      guard status.kind == .directory else {
        throw RepositoryError.failed("not a folder")
      }
      guard try isEmpty(path, store) else { throw RepositoryError.failed("not empty") }
    }
    try store.create(Layout.folders)
    try store.writing { try create(config, path, store, $0) }
  }

  private static func create(
    _ config: RepositoryConfig, _ path: String, _ store: LocalStore, _ session: any WritingSession
  ) throws {
    // Two at once would each take the other's copy of the config for their own.
    guard try !session.isAccompanied() else {
      throw RepositoryError.busy("somebody else makes a repository here at this moment")
    }
    guard try isEmpty(path, store) else { throw RepositoryError.failed("not empty") }
    if try Files.isTaken("\(path)/\(Layout.configCopy)") {
      try Files.remove("\(path)/\(Layout.configCopy)")
    }
    let bytes = try config.fileBytes()
    // The copy first: where there is a config there is its copy.
    for name in [Layout.configCopy, Layout.config] { try session.put(bytes, as: name) }
  }

  /// Whether nothing is in a folder but what an interrupted `create` leaves.
  private static func isEmpty(_ path: String, _ store: LocalStore) throws -> Bool {
    let names = try Files.names(in: path)
    guard names.allSatisfy({ Layout.folders.contains($0) }) else { return false }
    for folder in Layout.folders where folder != "writers" {
      let objects = try store.list(folder)
      guard objects.allSatisfy({ $0.name == Layout.configCopy }) else { return false }
    }
    return true
  }

  public init(_ path: String) throws {
    store = LocalStore(path)
    var warnings: [String] = []
    config = try Repository.readConfig(store, &warnings)
    self.warnings = warnings
  }

  private static func readConfig(
    _ store: any ObjectStore, _ warnings: inout [String]
  ) throws -> RepositoryConfig {
    func read(_ name: String) throws -> RepositoryConfig {
      let bytes = try store.contents(name, limit: RepositoryConfig.byteLimit)
      return try RepositoryConfig(fileBytes: bytes, name: name)
    }
    do {
      return try read(Layout.config)
    } catch let error as RepositoryError {
      // An unknown version is no damage, and its copy would say the same.
      if case .unsupported = error { throw error }
      do {
        let config = try read(Layout.configCopy)
        warnings.append("\(error); its copy in \(Layout.configCopy) is used")
        return config
      } catch let copy {
        throw reason(error, copy)
      }
    } catch let error as StoreError where error.isMissing {
      do {
        let config = try read(Layout.configCopy)
        warnings.append("config: missing; its copy in \(Layout.configCopy) is used")
        return config
      } catch let error as StoreError where error.isMissing {
        // A copy that is there and cannot be read is trouble of its own, and tells it.
        throw RepositoryError.notARepository("no repository is here")
      }
    }
  }

  /// The names of all points, oldest first.
  ///
  /// A point whose file is gone counts while its copy is there.
  public func pointNames() throws -> [PointName] {
    var names: Set<PointName> = []
    for folder in ["points", "copies"] {
      for object in try store.list(folder) {
        let last = object.name.split(separator: "/").last.map(String.init) ?? ""
        if let name = PointName(last) { names.insert(name) }
      }
    }
    return names.sorted()
  }

  /// Reads a point, from its copy when the first is damaged or gone.
  public func point(_ name: PointName) throws -> StoredPoint {
    do {
      return StoredPoint(name: name, point: try read(name, Layout.point(name)))
    } catch let first {
      do {
        return StoredPoint(name: name, point: try read(name, Layout.pointCopy(name)))
      } catch let copy {
        throw Repository.reason(first, copy)
      }
    }
  }

  /// Why neither a file nor its copy can be read.
  private static func reason(_ first: any Error, _ copy: any Error) -> any Error {
    // What is missing says less than what is there and cannot be read.
    if (first as? StoreError)?.isMissing == true { return copy }
    if (copy as? StoreError)?.isMissing == true { return first }
    // No damage: another machine, another version or another try may read it.
    for error in [first, copy] {
      if isFaultOfMachine(error) { return error }
      if case .unsupported? = error as? RepositoryError { return error }
    }
    return RepositoryError.damaged("\(first); \(copy)")
  }

  func read(_ name: PointName, _ file: String) throws -> RecoveryPoint {
    let bytes = try store.contents(file, limit: RecoveryPoint.byteLimit)
    return try RecoveryPoint(fileBytes: bytes, name: name, file: file)
  }

  /// A point of which neither file can be read.
  public struct UnreadablePoint: Sendable {
    public let name: PointName
    /// Why, in words that begin with the file's name.
    public let trouble: String
  }

  /// All points that can be read, and those that cannot, oldest first.
  ///
  /// - Throws: What is no fault of the repository's, such as too many open files.
  public func points() throws -> (points: [StoredPoint], unreadable: [UnreadablePoint]) {
    var points: [StoredPoint] = []
    var unreadable: [UnreadablePoint] = []
    for name in try pointNames() {
      do {
        points.append(try point(name))
      } catch {
        if isFaultOfMachine(error) { throw error }
        unreadable.append(UnreadablePoint(name: name, trouble: "\(error)"))
      }
    }
    return (points, unreadable)
  }

  /// Finds what a person called a point: `NAME` (its newest), `NAME~2` (two before), an id or a
  /// unique prefix of at least four digits.
  ///
  /// - Throws: Also where a point that is newer than the one found cannot be read: it may be of that
  ///   name, and the older one is not what was asked for.
  public func resolve(_ text: String) throws -> StoredPoint {
    let (points, unreadable) = try points()
    let parts = text.split(separator: "~", maxSplits: 1, omittingEmptySubsequences: false)
    let back = parts.count == 2 ? Int(parts[1]) : 0
    if let back, back >= 0 {
      let named = points.filter { $0.point.name == String(parts[0]) }
      if back < named.count {
        let found = named[named.count - 1 - back]
        if let newer = unreadable.last, newer.name > found.name {
          throw RepositoryError.damaged(
            "\(text): \(newer.trouble): it may be the point that is meant, and is newer than "
              + "\(found.name.id), which can be had by its id")
        }
        return found
      }
      if !named.isEmpty {
        throw RepositoryError.noSuchPoint("\(text): there are \(named.count) points of that name")
      }
    }
    if text.count >= 4, text.allSatisfy({ $0.isHexDigit }) {
      let matching = points.filter { $0.name.id.description.hasPrefix(text.lowercased()) }
      if matching.count == 1 { return matching[0] }
      if matching.count > 1 {
        throw RepositoryError.ambiguous("\(text): \(matching.count) points have ids like that")
      }
    }
    if let point = unreadable.first { throw RepositoryError.damaged(point.trouble) }
    throw RepositoryError.noSuchPoint("\(text): no such point")
  }

  /// Reads the index.
  func openIndex() throws -> ChunkIndex { try ChunkIndex(store) }

  /// Reads the index for a writer: what prune has announced it will delete counts as gone, so that
  /// it is stored again.
  func openIndexForWriting() throws -> ChunkIndex {
    try ChunkIndex(store, without: try Commitment.tombstoned(store))
  }
}
