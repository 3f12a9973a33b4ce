/// One thing that an audit looked at, and how it was.
public struct AuditCheck: Sendable {
  public enum Outcome: Sendable {
    /// As it should be; with what was done, for people.
    case passed(String)
    /// Something was lost.
    case failed([String])
    /// It could not be looked at, for this reason.
    case notDone(String)
  }

  /// Where: `disk0: partition 2`.
  public let place: String
  /// What: `files`, `e2fsck`.
  public let name: String
  public let outcome: Outcome

  public init(_ place: String, _ name: String, _ outcome: Outcome) {
    self.place = place
    self.name = name
    self.outcome = outcome
  }

  public var hasFailed: Bool { if case .failed = outcome { true } else { false } }
}
