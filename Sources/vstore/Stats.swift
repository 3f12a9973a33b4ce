internal import ArgumentParser
internal import Bytes
internal import Repositories
internal import ToolSupport

/// Tells how large a repository is.
struct Stats: Tool {
  static let configuration = CommandConfiguration(
    commandName: "stats", abstract: "Tell how much a repository holds and how much it saves.")

  @OptionGroup
  var repository: RepositoryArguments

  @Flag(help: "As a JSON object.")
  var json = false

  func run() throws {
    let repository = try repository.open()
    let figures = try naming(repository.location) { try repository.figures() }
    if json {
      try Console.result(json: figures)
      return
    }
    let ratio = Double(figures.volumeBytes) / Double(max(figures.packBytes, 1))
    try Console.result(
      Table.text([
        ["points:", "\(figures.points)"],
        ["volumes:", "\(ByteSize.text(figures.volumeBytes)) in all points"],
        ["chunks:", "\(figures.chunks), \(ByteSize.text(figures.plainBytes)) plain"],
        ["packs:", "\(figures.packs), \(ByteSize.text(figures.packBytes))"],
        ["index:", ByteSize.text(figures.indexBytes)],
        ["ratio:", "\(ByteSize.fixed(ratio, 2)) bytes of volumes for one in packs"],
      ]))
  }
}
