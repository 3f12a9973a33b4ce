internal import ArgumentParser
internal import Bytes
internal import Platform
internal import Repositories
internal import ToolSupport

/// Makes a repository.
struct Init: Tool {
  static let configuration = CommandConfiguration(
    commandName: "init", abstract: "Make a repository in an empty or new folder.")

  @OptionGroup
  var repository: RepositoryArguments

  @OptionGroup
  var chunking: ChunkingArguments

  @Option(
    help: ArgumentHelp(
      "How chunks are compressed: zstd, zstd:1 to zstd:19, or none.", valueName: "codec"),
    completion: CompressionOption.completion)
  var compress = "zstd"

  @Option(
    help: ArgumentHelp(
      "The most bytes that are compressed together, 64K to 4M: more is smaller on disk and "
        + "slower to read at random; default 4M.", valueName: "size"),
    completion: .list(["64K", "256K", "1M", "2M", "4M"]))
  var frame: String?

  @Flag(help: "The result, and errors, as JSON.")
  var json = false

  private struct Report: Encodable {
    let messageType = "init"
    let id: String
    let repository: String
  }

  func run() throws {
    let path = try repository.requiredPath()
    let parameters = try chunking.parameters()
    let level = try CompressionOption.level(compress)
    let frame = try frameSize()
    if try naming(path, { try Files.isTaken("\(path)/config") }) {
      throw Failure(
        .failed, "\(path): a repository is there already",
        hint: "vstore list -r \(path) shows what it holds")
    }
    let config = try naming(path) {
      let config = try RepositoryConfig(
        chunking: parameters, level: level, frame: frame)
      try Repository.create(path, config)
      return config
    }
    if json {
      try Console.result(json: Report(id: config.id, repository: path))
    } else {
      try Console.result(config.id)
    }
  }

  private func frameSize() throws(Failure) -> Int {
    guard let text = frame else { return RepositoryConfig.defaultFrame }
    guard let bytes = ByteSize.parse(text), let count = Int(exactly: bytes),
      RepositoryConfig.frames.contains(count)
    else { throw Failure(.usage, "--frame \(text): not from 64K to 4M") }
    return count
  }
}
