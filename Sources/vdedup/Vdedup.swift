internal import ArgumentParser
internal import Blocks
internal import Bytes
internal import Codecs
internal import Platform
internal import Reading
internal import Repositories
internal import ToolSupport

/// Replaces chunks that the receiver has by references.
@main
struct Vdedup: Tool {
  static let configuration = CommandConfiguration(
    commandName: "vdedup",
    abstract: "Replace chunks that a repository has by references.",
    discussion: "Reads a stream of chunks on stdin, as vchunk writes it, and writes one to stdout.",
    version: Version.text)

  @Option(
    name: [.customShort("r"), .customLong("repo")],
    help: ArgumentHelp(
      "Leave out what this repository has; else that of the variable VPIPE_REPO.",
      valueName: "repo"),
    completion: .directory)
  var repository: String?

  @Option(
    help: ArgumentHelp(
      "Leave out what is in this list, made by vstore known.", valueName: "file"),
    completion: .file())
  var known: String?

  @Option(
    help: ArgumentHelp(
      "Compress what is left: zstd, zstd:1 to zstd:19, or none.", valueName: "codec"),
    completion: CompressionOption.completion)
  var compress = "none"

  @Flag(help: "Tell at the end, on stderr, how much was new.")
  var stats = false

  @Flag(help: "Errors, and --stats, as JSON.")
  var json = false

  @OptionGroup
  var output: OutputOptions

  func validate() throws {
    if repository != nil, known != nil {
      throw ValidationError("-r and --known exclude each other")
    }
  }

  func run() throws {
    let level = try CompressionOption.level(compress)
    let deduplicator = try naming(repository ?? known ?? "vdedup") {
      try Deduplicator(try receiver(), level: level)
    }
    for warning in deduplicator.warnings { Console.warn(warning) }
    try StreamStage.run(
      output, header: { warnIfCutOtherwise($0, deduplicator) },
      transform: { feed in
        let identified = LoadAhead(feed, workers: workerCount(), window: 6) {
          try deduplicator.identify($0)
        }
        let decided = Stepped(identified) { deduplicator.decide($0) }
        // Without compression this only counts; that is no work for threads.
        if level == nil { return Stepped(decided) { try deduplicator.compress($0) } }
        return LoadAhead(decided, workers: workerCount(), window: 6) {
          try deduplicator.compress($0)
        }
      })
    if stats { try tell(deduplicator.counts) }
  }

  private func receiver() throws -> Deduplicator.Known {
    let path = repository ?? (known == nil ? Environment.value("VPIPE_REPO") : nil)
    if let path { return .repository(try Repository(path)) }
    if let known { return .list(try KnownIDs(try FileDescriptor(known, .read))) }
    return .nothing
  }

  private func warnIfCutOtherwise(_ header: VolumeHeader, _ deduplicator: Deduplicator) {
    guard let cut = header["cut"], let expected = deduplicator.cut, cut != expected else { return }
    Console.warn(
      "\(header.name): cut as \(cut), but the repository cuts \(expected): deduplication suffers")
  }

  private struct Report: Encodable {
    let messageType = "stats"
    let chunks: UInt64
    let bytes: UInt64
    let newChunks: UInt64
    let newBytes: UInt64
    let sentBytes: UInt64
  }

  private func tell(_ counts: Deduplicator.Counts) throws(Failure) {
    if json {
      let report = Report(
        chunks: counts.chunks, bytes: counts.bytes, newChunks: counts.newChunks,
        newBytes: counts.newBytes, sentBytes: counts.sentBytes)
      let text = try Console.encode(report)
      try naming("stderr") { try FileDescriptor.standardError.write(text + "\n") }
      return
    }
    Console.say(
      "\(counts.chunks) chunks, \(ByteSize.text(counts.bytes)); new \(counts.newChunks), "
        + "\(ByteSize.text(counts.newBytes)); sent \(ByteSize.text(counts.sentBytes))")
  }
}

/// A feed with something done to each segment, in the order of the stream.
private final class Stepped: VolumeFeed {
  private let feed: any VolumeFeed
  private let step: (Segment) throws -> Void

  init(_ feed: any VolumeFeed, _ step: @escaping (Segment) throws -> Void) {
    self.feed = feed
    self.step = step
  }

  var missing: [String] { feed.missing }
  func lateWarnings() throws -> [String] { try feed.lateWarnings() }
  func recycle(_ segment: Segment) { feed.recycle(segment) }

  func next() throws -> FeedItem? {
    let item = try feed.next()
    if case .segment(let segment) = item { try step(segment) }
    return item
  }
}
