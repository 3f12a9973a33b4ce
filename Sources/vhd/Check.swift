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
    abstract: "Look for everything that is wrong with a VHD or VHDX.",
    discussion: "Ends in status 1 when there is a problem; warnings and notes are none.")

  @Argument(help: "The image.", completion: .file())
  var file: String

  @Flag(help: "Check also what Azure asks of a disk that is uploaded.")
  var azure = false

  @OptionGroup
  var image: CheckedImage

  @OptionGroup
  var references: ReferenceArguments

  @Flag(help: "Leave out the parents of a differencing disk.")
  var noParents = false

  @Option(
    help: ArgumentHelp("Write a report for CI systems to this file.", valueName: "file"),
    completion: .file())
  var junit: String?

  @Flag(help: "Print one JSON object, and errors as JSON.")
  var json = false

  @Flag(name: .shortAndLong, help: "Print problems only.")
  var quiet = false

  func run() throws {
    let result: (format: CheckedFormat, findings: [Finding])
    do {
      result = try naming(
        file, damageHint: "vhd repair brings back what the file holds twice or can prove"
      ) { try look() }
    } catch {
      if let junit { try JUnit.write([JUnit.Case(file, problem: error.message)], to: junit) }
      throw error
    }
    let findings = result.findings
    if let junit { try JUnit.write(cases(result.format, findings), to: junit) }
    if json {
      try Console.result(json: CheckReport(file, result.format, findings))
    } else {
      try show(findings)
    }
    if findings.contains(where: { $0.severity.isProblem }) { leave(.different) }
  }

  private func look() throws -> (CheckedFormat, [Finding]) {
    let source = try InputFile(file)
    let format = try image.format(of: source, file)
    var findings = try format.findings(in: source, now: Clock.now())
    if azure, format != .vhd {
      throw Failure(
        .impossible, "\(file): Azure takes fixed VHDs, not a \(format.rawValue)",
        hint: "vhd convert --azure makes one")
    }
    if azure, !findings.contains(where: { $0.severity == .refusal }) {
      let image = try VHDImage(opening: source)
      findings += try AzureRules.findings(image)
      findings += swapNotes(image)
    }
    if !noParents, !findings.contains(where: { $0.severity == .refusal }) {
      findings += try parentTrouble(source, format)
    }
    return (format, findings.sorted { $0.error.offset < $1.error.offset })
  }

  /// What keeps a differencing disk from being read although nothing is wrong with its own file.
  private func parentTrouble(_ source: InputFile, _ format: CheckedFormat) throws -> [Finding] {
    let description = try DiskFormats.named(format.rawValue)?.describe(source)
    guard description?.type == "differencing" else { return [] }
    do {
      _ = try references.open(file, format: format.rawValue)
      return []
    } catch {
      let name = "\(file): "
      let text =
        error.message.hasPrefix(name) ? error.message.dropFirst(name.count) : error.message[...]
      return [Finding(.refusal, "\(format.rawValue.uppercased()) chain", at: 0, "\(text)")]
    }
  }

  /// A case for each structure, which fails with all that is wrong with it.
  private func cases(_ format: CheckedFormat, _ findings: [Finding]) -> [JUnit.Case] {
    let problems = findings.filter { $0.severity.isProblem }
    var structures = format.structures
    for problem in problems where !structures.contains(problem.error.structure) {
      structures.append(problem.error.structure)
    }
    return structures.map { structure in
      let texts = problems.filter { $0.error.structure == structure }.map { "\($0.error)" }
      return JUnit.Case(
        "\(file): \(structure)", problem: texts.isEmpty ? nil : texts.joined(separator: "\n"))
    }
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
      if finding.severity.isProblem {
        try Console.result("\(file): \(finding.error)")
      } else if finding.severity == .warning || !quiet {
        try Console.result("\(file): \(finding.severity.rawValue): \(finding.error)")
      }
    }
    let count = findings.filter { $0.severity.isProblem }.count
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
  let format: String
  let problems: Int
  let findings: [Item]

  init(_ file: String, _ format: CheckedFormat, _ findings: [Finding]) {
    self.file = file
    self.format = format.rawValue
    problems = findings.filter { $0.severity.isProblem }.count
    self.findings = findings.map {
      Item(
        severity: $0.severity.isProblem ? "problem" : $0.severity.rawValue,
        structure: $0.error.structure,
        offset: $0.error.offset, message: "\($0.error)")
    }
  }
}
