internal import ArgumentParser
internal import Bytes
internal import DiskImages
internal import Platform
internal import Reading
internal import ToolSupport

/// `vhd repair`: what is damaged and can be brought back is brought back, in a copy.
struct Repair: Tool {
  static let configuration = CommandConfiguration(
    abstract: "Bring back what a damaged VHD or VHDX holds twice or can prove.",
    discussion: "Ends in status 0 when nothing is wrong any more, else in 1 or 65.")

  @OptionGroup
  var image: ChangedImage

  @Flag(name: [.customShort("n"), .long], help: "Tell what would be done, and do nothing.")
  var dryRun = false

  @Flag(help: "Print one JSON object, and errors as JSON.")
  var json = false

  @Flag(name: .shortAndLong, help: "Print problems only.")
  var quiet = false

  private var file: String { image.file }

  func run() throws {
    let source = try naming(file) { try InputFile(file) }
    let plan = try naming(file, damageHint: nil) {
      try RepairPlan(source, try image.image.format(of: source, file), now: Clock.now())
    }
    var target: String?
    if !plan.steps.isEmpty, !dryRun {
      target = try image.make(
        plan.steps, source, participle: "repaired", mayHaveParent: plan.mayHaveParent)
    }
    try report(plan, target)
    if plan.after.contains(where: { $0.severity == .refusal }) { leave(.damaged) }
    if !plan.after.isEmpty { leave(.different) }
  }

  private func report(_ plan: RepairPlan, _ target: String?) throws(Failure) {
    if json { return try Console.result(json: RepairReport(file, target, plan)) }
    let done = dryRun ? "would be repaired" : "repaired"
    if !quiet {
      for step in plan.steps { try Console.result("\(file): \(done): \(step.description)") }
    }
    for finding in plan.after {
      try Console.result("\(file): cannot be brought back: \(finding.error)")
    }
    for finding in plan.warnings { try Console.result("\(file): warning: \(finding.error)") }
    if quiet { return }
    if plan.before.isEmpty { return try Console.result("\(file): no problem") }
    if let target, !image.inPlace { try Console.result("\(target): made") }
    if plan.steps.isEmpty { try Console.result("\(file): nothing can be repaired") }
  }
}

/// What `repair --json` prints.
struct RepairReport: Encodable {
  struct Item: Encodable {
    let structure: String
    let offset: UInt64
    let message: String
  }

  let file: String
  let output: String?
  let repaired: [Item]
  let remaining: [Item]
  let warnings: [Item]

  init(_ file: String, _ output: String?, _ plan: RepairPlan) {
    self.file = file
    self.output = output
    repaired = plan.steps.map {
      Item(structure: $0.structure, offset: $0.offset, message: $0.description)
    }
    func items(_ findings: [Finding]) -> [Item] {
      findings.map {
        Item(structure: $0.error.structure, offset: $0.error.offset, message: "\($0.error)")
      }
    }
    remaining = items(plan.after)
    warnings = items(plan.warnings)
  }
}
