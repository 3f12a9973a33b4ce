internal import Blocks

/// What an audit could not go on for, and whose trouble it is where that is not the copy's.
public struct AuditTrouble: Error, CustomStringConvertible {
  /// The disk or the folder; nil for a copy.
  public let subject: String?
  public let reason: any Error

  public var description: String { (subject.map { "\($0): " } ?? "") + "\(reason)" }

  /// - Parameters:
  ///   - subject: The folder that could not be written to.
  ///   - reason: Why.
  init(_ subject: String, _ reason: any Error) {
    self.subject = subject
    self.reason = reason
  }

  /// - Parameter original: The name of the disk that is compared with its copy.
  init(_ error: ComparisonError, original: String) {
    subject = error.side == .first ? original : nil
    reason = error.error
  }
}
