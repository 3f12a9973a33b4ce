internal import Platform

/// Reports that CI systems show as test results.
public enum JUnit {
  /// One thing that was checked.
  public struct Case: Sendable {
    public let name: String
    /// What is wrong; nil when it passed.
    public let problem: String?
    /// Why it was not checked; nil when it was.
    public let skipped: String?

    public init(_ name: String, problem: String? = nil, skipped: String? = nil) {
      self.name = name
      self.problem = problem
      self.skipped = skipped
    }
  }

  /// Writes a report; the file appears whole, in place of an older one.
  public static func write(_ cases: [Case], to path: String) throws(Failure) {
    try JUnitFile(path).write(cases, suite: Console.toolName)
  }

  /// - Parameter suite: The report's name.
  fileprivate static func text(_ cases: [Case], suite: String) -> String {
    let failed = cases.filter { $0.problem != nil }.count
    var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    text += "<testsuites tests=\"\(cases.count)\" failures=\"\(failed)\">\n"
    text +=
      "<testsuite name=\"\(escape(suite))\" tests=\"\(cases.count)\" failures=\"\(failed)\">\n"
    for item in cases {
      let name = "<testcase classname=\"\(escape(suite))\" name=\"\(escape(item.name))\""
      if let problem = item.problem {
        let first = problem.split(separator: "\n").first.map(String.init) ?? ""
        text += "\(name)>\n<failure message=\"\(escape(first))\">\(escape(problem))</failure>\n"
        text += "</testcase>\n"
      } else if let reason = item.skipped {
        text += "\(name)>\n<skipped message=\"\(escape(reason))\"/>\n</testcase>\n"
      } else {
        text += "\(name)/>\n"
      }
    }
    text += "</testsuite>\n</testsuites>\n"
    return text
  }

  /// Escapes for XML 1.0, which has no place for control characters.
  private static func escape(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "\n", "\t": result.unicodeScalars.append(scalar)
      default:
        result.unicodeScalars.append(scalar.value < 0x20 || scalar.value == 0x7f ? "?" : scalar)
      }
    }
    return result
  }
}

/// A report to come; nothing has its name before it is written.
public struct JUnitFile {
  private let path: String
  private let file: AtomicFile

  /// Begins the file, so that what is in the way of it shows at once.
  public init(_ path: String) throws(Failure) {
    self.path = path
    file = try naming(path) {
      let path = try OutputFile.target(of: path)
      // A report comes in the place of an older one, never of anything else, such as what was checked.
      if let there = try Files.status(path), there.size > 0, try !JUnitFile.startsAsReport(path) {
        throw Failure(.usage, "\(path): exists, and is no report", hint: "name another file")
      }
      return try AtomicFile(path, replacing: true)
    }
  }

  private static func startsAsReport(_ path: String) throws -> Bool {
    try FileDescriptor(path, .read).read(5, at: 0) == Array("<?xml".utf8)
  }

  /// Writes the report; the file appears whole, in place of an older one.
  ///
  /// - Parameter suite: The report's name.
  public func write(_ cases: [JUnit.Case], suite: String) throws(Failure) {
    try naming(path) {
      try file.file.write(JUnit.text(cases, suite: suite))
      try file.commit(replacing: true)
    }
  }
}
