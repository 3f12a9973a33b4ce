public import ArgumentParser
internal import Bytes
public import Chunking

/// How to cut.
public struct ChunkingArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "How chunks are cut: aligned (by content, at 4 KiB), fixed, or rolling (by content, "
        + "anywhere); default aligned."),
    completion: .list(ChunkingParameters.Mode.allCases.map(\.rawValue)))
  public var mode: String?

  @Option(
    help: ArgumentHelp(
      "Average size of a chunk, a power of two: 16K to 1M, for fixed 4K to 4M; default 64K."),
    completion: .list(["16K", "32K", "64K", "128K", "256K", "512K", "1M"]))
  public var size: String?

  public init() {}

  /// Whether any of the options was given.
  public var isGiven: Bool { mode != nil || size != nil }

  /// The parameters that the options and defaults make.
  public func parameters() throws(Failure) -> ChunkingParameters {
    guard let mode = ChunkingParameters.Mode(rawValue: mode ?? "aligned") else {
      let names = ChunkingParameters.Mode.allCases.map(\.rawValue).joined(separator: ", ")
      throw Failure(.usage, "--mode \(self.mode ?? ""): not one of \(names)")
    }
    let text = size ?? "64K"
    guard let bytes = ByteSize.parse(text), let count = Int(exactly: bytes),
      let parameters = ChunkingParameters(mode: mode, averageSize: count)
    else {
      let bounds = mode == .fixed ? "4K to 4M" : "16K to 1M"
      throw Failure(.usage, "--size \(text): not a power of two from \(bounds)")
    }
    return parameters
  }
}
