internal import ArgumentParser
internal import Blocks
internal import Chunking
internal import Platform
internal import Reading
internal import Repositories
internal import ToolSupport

/// Cuts the data of a stream into chunks.
@main
struct Vchunk: Tool {
  static let configuration = CommandConfiguration(
    commandName: "vchunk",
    abstract: "Cut a stream's data into chunks.",
    discussion: "Reads a stream on stdin, as vread writes it, and writes one of chunks to stdout.",
    version: Version.text)

  @OptionGroup
  var chunking: ChunkingArguments

  @Option(
    name: [.customShort("r"), .customLong("repo")],
    help: ArgumentHelp(
      "Cut as this repository does; else as that of the variable VPIPE_REPO.", valueName: "repo"),
    completion: .directory)
  var repository: String?

  @Flag(help: "Errors as JSON.")
  var json = false

  @OptionGroup
  var output: OutputOptions

  func validate() throws {
    if repository != nil, chunking.isGiven {
      throw ValidationError("-r takes the parameters from the repository: leave out --mode, --size")
    }
  }

  func run() throws {
    let chunker = Chunker(try parameters())
    try StreamStage.run(
      output, header: { $0["cut"] = chunker.parameters.field },
      transform: { LoadAhead($0) { chunker.cut($0) } })
  }

  private func parameters() throws(Failure) -> ChunkingParameters {
    guard
      let repository = repository ?? (chunking.isGiven ? nil : Environment.value("VPIPE_REPO"))
    else { return try chunking.parameters() }
    return try naming(repository) {
      guard let parameters = try Repository(repository).config.chunkingParameters else {
        throw RepositoryError.damaged("config: parameters out of bounds")
      }
      return parameters
    }
  }
}
