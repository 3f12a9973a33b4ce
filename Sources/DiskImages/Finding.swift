public import Bytes

/// Something that a check has to say about an image, with its place.
public struct Finding: Equatable, Sendable {
  /// How much it matters.
  public enum Severity: String, Sendable {
    /// Worth knowing; nothing is wrong.
    case note
    /// The format allows it, yet data may have been lost.
    case warning
    /// Wrong, yet the disk can be read.
    case problem
    /// So wrong that the disk is not read.
    case refusal

    /// Whether something is wrong.
    public var isProblem: Bool { self == .problem || self == .refusal }
  }

  public let severity: Severity
  public let error: FormatError

  public init(_ severity: Severity, _ error: FormatError) {
    self.severity = severity
    self.error = error
  }

  public init(
    _ severity: Severity, _ structure: String, at offset: UInt64, _ text: String
  ) {
    self.init(severity, FormatError(structure, at: offset, .impossible(text)))
  }
}

extension [Finding] {
  /// Throws the first finding that keeps the disk from being read.
  func refuse() throws(FormatError) {
    for finding in self where finding.severity == .refusal { throw finding.error }
  }
}

/// Gathers findings about one structure, whose fields are named by their offset inside it.
struct FindingList {
  let structure: String
  /// The structure's place in the file, in bytes.
  let base: UInt64
  private(set) var findings: [Finding] = []

  init(_ structure: String, at base: UInt64) {
    self.structure = structure
    self.base = base
  }

  /// Notes `text` about the field at `offset` unless `condition` holds.
  mutating func expect(
    _ condition: Bool, _ severity: Finding.Severity = .problem, at offset: UInt64,
    _ text: @autoclosure () -> String
  ) {
    if !condition { add(severity, at: offset, .impossible(text())) }
  }

  mutating func add(_ severity: Finding.Severity, at offset: UInt64, _ reason: FormatError.Reason) {
    findings.append(Finding(severity, FormatError(structure, at: base &+ offset, reason)))
  }
}
