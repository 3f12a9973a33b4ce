internal import Bytes
internal import CArchive

/// What an element or an attribute is called: two of different namespaces are not the same.
public struct XMLName: Hashable, Sendable {
  /// The namespace's URI; empty without one.
  public let space: String
  /// The name without its prefix.
  public let local: String

  public init(_ space: String, _ local: String) {
    self.space = space
    self.local = local
  }

  /// - Parameter text: As expat tells it: the URI, a separator that is in no local name, the name.
  fileprivate init(expat text: String) {
    let separator = Character(Unicode.Scalar(UInt8(CX_SEPARATOR)))
    guard let place = text.lastIndex(of: separator) else {
      self.init("", text)
      return
    }
    self.init(String(text[..<place]), String(text[text.index(after: place)...]))
  }
}

/// Walks an XML document by libexpat: elements and attributes by their namespaces and local names.
///
/// No DOCTYPE is let in, so there are no entities that could grow, or name files.
public enum XMLReader {
  /// The deepest nesting, and the most elements of a document.
  public static let depthLimit = 64
  public static let elementLimit = 100_000

  /// What is told of a document.
  public protocol Listener: AnyObject {
    /// An element begins.
    ///
    /// - Parameters:
    ///   - name: What it is called.
    ///   - attributes: By their names; those without a prefix are in no namespace.
    ///   - parents: The elements around it, outermost first.
    func element(_ name: XMLName, _ attributes: [XMLName: String], in parents: [XMLName]) throws
  }

  private final class Walk {
    let listener: any Listener
    var parents: [XMLName] = []
    var elementCount = 0
    var error: (any Error)?
    var problem: String?

    init(_ listener: any Listener) { self.listener = listener }
  }

  /// Parses `bytes`, a whole document.
  ///
  /// - Parameters:
  ///   - bytes: At most 2 GiB.
  ///   - structure: What the document is, for errors.
  ///   - listener: Is told of each element; what it throws ends the walk.
  public static func read(
    _ bytes: [UInt8], of structure: String, _ listener: any Listener
  ) throws {
    guard cx_load() == 0 else { throw ArchiveError.library("libexpat", "libexpat1") }
    guard let count = Int32(exactly: bytes.count) else {
      throw FormatError(structure, at: 0, .impossible("\(bytes.count) bytes of XML"))
    }
    let walk = Walk(listener)
    var place: UInt64 = 0
    var reason: UnsafePointer<CChar>?
    let status = withExtendedLifetime(walk) {
      let context = unsafe Unmanaged.passUnretained(walk).toOpaque()
      return unsafe bytes.withUnsafeBytes { raw in
        unsafe cx_parse(
          raw.baseAddress?.assumingMemoryBound(to: CChar.self), count, context,
          { context, name, attributes in unsafe XMLReader.start(context, name, attributes) },
          { context, _ in unsafe XMLReader.end(context) }, &place, &reason)
      }
    }
    if let error = walk.error { throw error }
    if let problem = walk.problem {
      throw FormatError(structure, at: place, .impossible(problem))
    }
    switch Int(status) {
    case CX_OK: return
    case CX_DOCTYPE:
      throw FormatError(structure, at: place, .unsupported("XML with a DOCTYPE"))
    default:
      let text = unsafe reason.map { unsafe String(cString: $0) } ?? "malformed"
      throw FormatError(structure, at: place, .impossible("XML: \(text)"))
    }
  }

  private static func start(
    _ context: UnsafeMutableRawPointer?, _ tag: UnsafePointer<CChar>?,
    _ attributes: UnsafeMutablePointer<UnsafePointer<CChar>?>?
  ) -> Int32 {
    guard let context = unsafe context, let tag = unsafe tag else { return 1 }
    let walk = unsafe Unmanaged<Walk>.fromOpaque(context).takeUnretainedValue()
    walk.elementCount += 1
    guard walk.parents.count < depthLimit, walk.elementCount <= elementLimit else {
      walk.problem =
        walk.parents.count < depthLimit
        ? "more than \(elementLimit) elements" : "more than \(depthLimit) elements in each other"
      return 1
    }
    var found: [XMLName: String] = [:]
    var index = 0
    while let list = unsafe attributes, let key = unsafe list[index],
      let value = unsafe list[index + 1]
    {
      unsafe found[XMLName(expat: String(cString: key))] = unsafe String(cString: value)
      index += 2
    }
    let name = unsafe XMLName(expat: String(cString: tag))
    do {
      try walk.listener.element(name, found, in: walk.parents)
    } catch {
      walk.error = error
      return 1
    }
    walk.parents.append(name)
    return 0
  }

  private static func end(_ context: UnsafeMutableRawPointer?) -> Int32 {
    guard let context = unsafe context else { return 1 }
    let walk = unsafe Unmanaged<Walk>.fromOpaque(context).takeUnretainedValue()
    if !walk.parents.isEmpty { walk.parents.removeLast() }
    return 0
  }
}
