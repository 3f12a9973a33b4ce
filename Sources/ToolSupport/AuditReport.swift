public import Auditing
internal import Platform

/// Tells the checks of an audit as text, as JSON or as JUnit.
public struct AuditReport {
  private let json: Bool
  private let isQuiet: Bool
  private let junit: JUnitFile?
  private var checks: [AuditCheck] = []

  private struct Line: Encodable {
    let messageType = "audit"
    let place: String
    let check: String
    /// `passed`, `failed` or `not done`.
    let outcome: String
    let details: [String]
  }

  /// - Parameters:
  ///   - json: Whether each check is told as a JSON object.
  ///   - isQuiet: Whether only failures are told.
  ///   - junit: The JUnit report that is to be written, too.
  ///   - folder: Where file systems are to be restored to be checked.
  /// - Throws: When neither can be made there: an audit takes long.
  public init(json: Bool, isQuiet: Bool, junit: String?, folder: String) throws(Failure) {
    self.json = json
    self.isQuiet = isQuiet
    do {
      _ = try AtomicFile("\(folder)/vpipe-audit.img", replacing: true, permissions: 0o600)
    } catch {
      throw Failure(.failed, "\(folder): \(error)", hint: "--spool names another folder")
    }
    self.junit = try junit.map { path throws(Failure) in try JUnitFile(path) }
  }

  /// Tells one check on standard output.
  public mutating func add(_ check: AuditCheck) throws(Failure) {
    checks.append(check)
    let (word, details): (String, [String]) =
      switch check.outcome {
      case .passed(let text): ("passed", [text])
      case .failed(let problems): ("failed", problems)
      case .notDone(let reason): ("not done", [reason])
      }
    if json {
      return try Console.result(
        json: Line(place: check.place, check: check.name, outcome: word, details: details))
    }
    if isQuiet, !check.hasFailed { return }
    let title = "\(check.place): \(check.name): \(word)"
    if case .failed = check.outcome {
      try Console.result(title)
      for detail in details { try Console.result("  \(detail)") }
    } else {
      try Console.result("\(title): \(details[0])")
    }
  }

  /// Writes the JUnit report, if there is to be one, and says how it went.
  ///
  /// - Throws: With status 1 when a check failed.
  public func finish() throws(Failure) {
    if let junit {
      let cases = checks.map { check in
        switch check.outcome {
        case .passed: JUnit.Case("\(check.place): \(check.name)")
        case .failed(let problems):
          JUnit.Case("\(check.place): \(check.name)", problem: problems.joined(separator: "\n"))
        case .notDone(let reason):
          JUnit.Case("\(check.place): \(check.name)", skipped: reason)
        }
      }
      try junit.write(cases, suite: "\(Console.toolName) audit")
    }
    let failed = checks.count(where: \.hasFailed)
    guard failed == 0 else {
      throw Failure(.different, "the audit failed: \(failed) of \(checks.count) checks")
    }
  }
}
