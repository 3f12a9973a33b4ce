internal import ArgumentParser
internal import Bytes
internal import Platform
internal import Repositories
internal import ToolSupport

/// Checks a repository.
struct Check: Tool {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Check a repository; status 1 when something is damaged.")

  @OptionGroup
  var repository: RepositoryArguments

  @Flag(help: "Read and prove every stored byte.")
  var readData = false

  @Option(
    help: ArgumentHelp("Read and prove one part of several: 3/7.", valueName: "part/parts"))
  var readDataSubset: String?

  @Option(help: ArgumentHelp("Write a JUnit report.", valueName: "file"), completion: .file())
  var junit: String?

  @Flag(help: "Findings and summary as JSON lines.")
  var json = false

  @OptionGroup
  var output: OutputOptions

  func validate() throws {
    if readData, readDataSubset != nil {
      throw ValidationError("--read-data and --read-data-subset exclude each other")
    }
    _ = try depth()
  }

  private func depth() throws -> CheckDepth {
    guard let text = readDataSubset else { return readData ? .data : .structure }
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { UInt64($0) }
    guard parts.count == 2, let part = parts[0], let divisor = parts[1], part >= 1,
      part <= divisor
    else { throw ValidationError("--read-data-subset \(text): not like 3/7") }
    return CheckDepth(part: part, of: divisor)
  }

  private struct Finding: Encodable {
    let messageType = "finding"
    let severity: String
    let file: String
    let problem: String
  }

  private struct Summary: Encodable {
    let messageType = "summary"
    let damaged: Int
    let notes: Int
    let packs: Int
    let chunks: Int
    let points: Int
    let readBytes: UInt64
    let seconds: Double
  }

  func run() throws {
    let checker: Checker
    let progress: Progress
    do {
      let opened = try self.repository.open()
      progress = Progress("check", output)
      checker = Checker(opened, try depth()) { progress.advance($0) }
      try naming(opened.location) {
        progress.expect(try checker.expectedBytes())
        try checker.run()
      }
    } catch let failure as Failure where failure.status == .damaged {
      // A config that cannot be read at all is a finding too: check is what one runs to know.
      try Console.result(json ? try unreadable(failure) : "damage: \(failure.message)")
      if let junit { try JUnit.write([.init("config", problem: failure.message)], to: junit) }
      tellWhatToDo()
      leave(.different)
    }
    progress.finish()
    try report(checker, progress)
    guard checker.findings.contains(where: { $0.severity == .damage }) else { return }
    tellWhatToDo()
    leave(.different)
  }

  private func tellWhatToDo() {
    if output.quiet || json { return }
    Console.say("hint: see WHEN CHECK FINDS DAMAGE in vstore(1)")
  }

  private func unreadable(_ failure: Failure) throws(Failure) -> String {
    try Console.encode(Finding(severity: "damage", file: "config", problem: failure.message))
  }

  private func report(_ checker: Checker, _ progress: Progress) throws {
    let damages = checker.findings.filter { $0.severity == .damage }
    let notes = checker.findings.filter { $0.severity == .note }
    for finding in checker.findings {
      let severity = finding.severity.rawValue
      if json {
        try Console.result(
          json: Finding(severity: severity, file: finding.file, problem: finding.problem))
      } else if finding.severity == .damage || !output.quiet {
        try Console.result("\(severity): \(finding.file): \(finding.problem)")
      }
    }
    if json {
      try Console.result(
        json: Summary(
          damaged: damages.count, notes: notes.count, packs: checker.packCount,
          chunks: checker.chunkCount, points: checker.pointCount, readBytes: checker.readBytes,
          seconds: progress.elapsed))
    } else if !output.quiet {
      let read = checker.readBytes > 0 ? ", \(ByteSize.text(checker.readBytes)) read" : ""
      try Console.result(
        "points \(checker.pointCount), packs \(checker.packCount), chunks \(checker.chunkCount)"
          + "\(read): \(damages.isEmpty ? "no damage" : "\(damages.count) damaged")")
    }
    if let junit { try JUnit.write(cases(checker, damages), to: junit) }
  }

  /// One test case a file, as CI systems show them.
  private func cases(_ checker: Checker, _ damages: [CheckFinding]) -> [JUnit.Case] {
    var problems: [String: [String]] = [:]
    for finding in damages { problems[finding.file, default: []].append(finding.problem) }
    let files = Set(checker.files).union(problems.keys).sorted()
    return files.map { .init($0, problem: problems[$0]?.joined(separator: "\n")) }
  }
}
