internal import ArgumentParser
internal import Bytes
internal import DiskImages
internal import GuestLayouts
internal import Platform
internal import Reading
internal import ToolSupport

/// `vhd check`: what is wrong with an image, each with its place.
struct Check: Tool {
  static let configuration = CommandConfiguration(
    abstract: "Look for everything that is wrong with a VHD.",
    discussion: "Ends in status 1 when there is a problem; notes are no problems.")

  @Argument(help: "The image.", completion: .file())
  var file: String

  @Flag(help: "Check also what Azure asks of a disk that is uploaded.")
  var azure = false

  @Flag(help: "Print one JSON object, and errors as JSON.")
  var json = false

  @Flag(name: .shortAndLong, help: "Print problems only.")
  var quiet = false

  func run() throws {
    let findings = try naming(file) { try look() }
    let problems = findings.filter { $0.severity != .note }
    if json {
      try Console.result(json: CheckReport(file, findings))
    } else {
      try show(findings)
    }
    if !problems.isEmpty { leave(.different) }
  }

  private func look() throws -> [Finding] {
    let source = try InputFile(file)
    var findings = try VHDCheck.findings(in: source, now: Clock.now())
    if azure, !findings.contains(where: { $0.severity == .refusal }) {
      let image = try VHDImage(opening: source)
      findings += try AzureRules.findings(image)
      findings += swapNotes(image)
    }
    return findings.sorted { $0.error.offset < $1.error.offset }
  }

  /// Azure's agent makes swap files on the machine's own fast disk; a partition only costs money.
  private func swapNotes(_ image: VHDImage) -> [Finding] {
    let partitions = DiskLayout(of: image).table?.partitions ?? []
    return partitions.filter { partition in
      partition.contents.contains { $0.kind == "Linux swap" }
    }.map { partition in
      Finding(
        .note, "partition \(partition.number)", at: partition.range.lowerBound,
        "swap on a disk that a machine starts from, which Azure advises against")
    }
  }

  private func show(_ findings: [Finding]) throws(Failure) {
    for finding in findings {
      if finding.severity != .note {
        try Console.result("\(file): \(finding.error)")
      } else if !quiet {
        try Console.result("\(file): note: \(finding.error)")
      }
    }
    let count = findings.filter { $0.severity != .note }.count
    if quiet { return }
    let verdict = count == 0 ? "no problem" : count == 1 ? "1 problem" : "\(count) problems"
    try Console.result("\(file): \(verdict)")
  }
}

/// What `check --json` prints.
struct CheckReport: Encodable {
  struct Item: Encodable {
    let severity: String
    let structure: String
    let offset: UInt64
    let message: String
  }

  let file: String
  let problems: Int
  let findings: [Item]

  init(_ file: String, _ findings: [Finding]) {
    self.file = file
    problems = findings.filter { $0.severity != .note }.count
    self.findings = findings.map {
      Item(
        severity: $0.severity == .note ? "note" : "problem", structure: $0.error.structure,
        offset: $0.error.offset, message: "\($0.error)")
    }
  }
}
