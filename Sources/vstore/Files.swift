internal import ArgumentParser
internal import Platform
internal import Repositories
internal import ToolSupport

/// Where a small file goes: a name, or stdout.
struct FileOutput: ParsableArguments {
  @Option(
    name: .shortAndLong, help: ArgumentHelp("The file to write; - is stdout.", valueName: "file"),
    completion: .file())
  var output: String

  @Flag(help: "Replace an existing file.")
  var force = false

  /// Has `body` write the file, by the function that it gets.
  func write(_ body: (_ sink: ([UInt8]) throws -> Void) throws -> Void) throws {
    if output == "-" {
      try Console.requireBinaryOutput(hint: "name a file with -o")
      try body { bytes in
        try naming("stdout") { try FileDescriptor.standardOutput.write(bytes) }
      }
      return
    }
    let file = try OutputFile.open(output, isForced: force)
    try body { bytes in try naming(output) { try file.file.write(bytes) } }
    try naming(output) { try file.commit(replacing: force) }
  }
}

/// Writes the list that `vdedup --known` takes.
struct Known: Tool {
  static let configuration = CommandConfiguration(
    commandName: "known",
    abstract: "Write the list of all chunk ids, for vdedup --known at the far end of a slow link.")

  @OptionGroup
  var repository: RepositoryArguments

  @OptionGroup
  var file: FileOutput

  @Flag(help: "Errors as JSON.")
  var json = false

  func run() throws {
    let repository = try repository.open()
    try file.write { sink in
      try naming(repository.location) { try repository.writeKnownIDs(to: sink) }
    }
  }
}

/// Writes the file that `vread --base` takes.
struct MakeBaseline: Tool {
  static let configuration = CommandConfiguration(
    commandName: "baseline",
    abstract: "Write a point's fingerprints, for vread --base at the far end of a pipe.")

  @Argument(help: "NAME (its newest), NAME~2 (two before), an id or the start of one.")
  var point: String

  @OptionGroup
  var repository: RepositoryArguments

  @OptionGroup
  var file: FileOutput

  @Flag(help: "Errors as JSON.")
  var json = false

  func run() throws {
    let repository = try repository.open()
    let bytes = try naming(repository.location) {
      try repository.baseline(of: try repository.resolve(point))
    }
    try file.write { try $0(bytes) }
  }
}

/// Writes index files for packs that none covers.
struct RepairIndex: Tool {
  static let configuration = CommandConfiguration(
    commandName: "repair-index",
    abstract: "Rebuild the index from the packs, and copies of small files, where they are damaged."
  )

  @OptionGroup
  var repository: RepositoryArguments

  @Flag(help: "The result, and errors, as JSON.")
  var json = false

  private struct Report: Encodable {
    let messageType = "repair-index"
    let packs: Int
    let quarantined: [String]
    let restored: [String]
  }

  func run() throws {
    let repository = try repository.open()
    let repair = try naming(repository.location) { try repository.repairIndex() }
    if json {
      try Console.result(
        json: Report(
          packs: repair.packs, quarantined: repair.quarantined, restored: repair.restored))
      return
    }
    for name in repair.quarantined { try Console.result("moved to quarantine/: \(name)") }
    for name in repair.restored { try Console.result("made again from its copy: \(name)") }
    try Console.result("indexed \(repair.packs) packs")
  }
}
