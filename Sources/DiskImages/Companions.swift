public import Blocks
internal import Bytes

/// Opens the files that an image refers to: its parent, its extents, its data file.
///
/// An image may be hostile, so where a name leads is not the image's to decide: whoever opens files
/// says which ones an image may have.
public protocol Companions: Sendable {
  /// Opens the first of the files that may be had and is there.
  ///
  /// - Parameters:
  ///   - names: What the image calls the file: paths, absolute or from the image's folder on, the
  ///     one to be preferred first; at least one.
  ///   - role: What the file is to the image, for messages: a parent, an extent.
  /// - Throws: `CompanionError`, about the first name when none can be had.
  func open(_ names: [String], as role: CompanionRole) throws -> Companion
}

/// What a file is to the image that refers to it.
public enum CompanionRole: String, Sendable {
  case parent
  case extent
  case dataFile = "data file"
  /// Whatever the description of a machine names.
  case file
}

/// A file that an image refers to.
public struct Companion: Sendable {
  public let source: any BlockSource
  /// The path that it was opened by.
  public let path: String
  /// What opens the files that it refers to in turn.
  public let companions: any Companions

  public init(_ source: any BlockSource, path: String, _ companions: any Companions) {
    self.source = source
    self.path = path
    self.companions = companions
  }
}

/// Why a file that an image refers to cannot be had.
public struct CompanionError: Error, CustomStringConvertible {
  public enum Reason: Sendable {
    /// No file of that name is where such files may be.
    case notThere
    /// It lies where an image's files may not lie, or is no plain file.
    case notAllowed(String)
    /// It is no file at all: what lies there is reached in another way.
    case foreign(String)
    /// It cannot be what the image says that it is.
    case impossible(String)
  }

  public let role: CompanionRole
  /// As the image has it.
  public let name: String
  public let reason: Reason

  public init(_ role: CompanionRole, _ name: String, _ reason: Reason) {
    self.role = role
    self.name = name
    self.reason = reason
  }

  public var description: String {
    let problem =
      switch reason {
      case .notThere: "is not there"
      case .notAllowed(let why), .foreign(let why), .impossible(let why): why
      }
    return "\(role.rawValue) '\(name.printable)': \(problem)"
  }
}

/// No companions: for an image of which only the one file may be read.
public struct NoCompanions: Companions {
  public init() {}

  public func open(_ names: [String], as role: CompanionRole) throws -> Companion {
    throw CompanionError(role, names.first ?? "", .notAllowed("no other file is read here"))
  }
}

extension String {
  /// Fit for a message: control characters become question marks, and much is left out.
  var printable: String {
    let text = prefix(200).unicodeScalars.map { scalar in
      scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) ? "?" : Character(scalar)
    }
    return String(text)
  }

  /// The path of a Windows machine with slashes, and its last part: what may lead to the file here.
  var candidatesFromWindows: [String] {
    let plain = String(map { $0 == "\\" ? "/" : $0 })
    var relative = plain[...]
    while relative.hasPrefix("./") { relative = relative.dropFirst(2) }
    let last = plain.lastIndex(of: "/").map { String(plain[plain.index(after: $0)...]) } ?? plain
    let hasDrive = plain.dropFirst().first == ":"
    return hasDrive ? [last] : [String(relative), last]
  }
}

extension [String] {
  /// Without empty ones, and each only once.
  var distinct: [String] {
    var seen: Set<String> = []
    return filter { !$0.isEmpty && seen.insert($0).inserted }
  }
}
