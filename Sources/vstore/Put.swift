internal import ArgumentParser
internal import Blocks
internal import Bytes
internal import Platform
internal import Reading
internal import Repositories
internal import Streams
internal import ToolSupport

/// Commits a recovery point.
struct Put: Tool {
  static let configuration = CommandConfiguration(
    commandName: "put",
    abstract: "Store a stream, or disks by name, as a recovery point.",
    discussion: "Without a source, a stream is read on stdin. Prints the point's id.")

  @Argument(help: "Files and block devices to read, one volume each.", completion: .file())
  var sources: [String] = []

  @OptionGroup
  var repository: RepositoryArguments

  @Option(help: "The machine's name; its points are counted by it.")
  var name: String

  @Option(
    help: ArgumentHelp(
      "A volume's name, once for each disk; by default the file's name without its extension."))
  var volume: [String] = []

  @OptionGroup
  var reading: ReadingArguments

  @Flag(help: "Do without the machine's last point: hash everything again.")
  var noBase = false

  @Flag(help: "Do not decompress and compare what was compressed before it is written.")
  var noVerify = false

  @Flag(name: [.customShort("n"), .long], help: "Read the source and say what would be stored.")
  var dryRun = false

  @Flag(help: "The result, and errors, as JSON.")
  var json = false

  @OptionGroup
  var output: OutputOptions

  mutating func validate() throws {
    guard Put.isName(name) else {
      throw ValidationError(
        "--name '\(name)': 1 to 255 bytes without ~ / : white space and control characters")
    }
    if sources == ["-"] { sources = [] }
    if sources.isEmpty, !volume.isEmpty {
      throw ValidationError("--volume names sources; a stream has its own names")
    }
    if dryRun, sources.isEmpty { throw ValidationError("--dry-run needs a source by name") }
  }

  /// Whether a point of this name can be asked for again and shown anywhere.
  private static func isName(_ text: String) -> Bool {
    (1...255).contains(text.utf8.count)
      && text.unicodeScalars.allSatisfy { scalar in
        !"~/:".unicodeScalars.contains(scalar) && !scalar.properties.isWhitespace
          && scalar.value >= 0x20 && !(0x7f...0x9f).contains(scalar.value)
      }
  }

  func run() throws {
    let feed = try self.feed()
    let repository = try repository.open()
    if dryRun { return try estimate(feed, repository) }
    var options = PutOptions(name: name)
    options.usesBase = !noBase
    options.verifies = !noVerify
    options.tool = "vpipe \(Version.text)"
    let progress = Progress("put", total: total(feed), output)
    let result: PutResult
    do {
      result = try PointWriter.put(
        Announced(feed, progress), into: repository, options,
        progress: { progress.advance($0) }, warn: { Console.warn($0) })
    } catch {
      throw Failure(isOfInput(error) ? "stdin" : repository.location, error)
    }
    progress.finish()
    try report(result, progress)
    if !result.point.complete {
      Console.warn("the source could not be read completely; the point says what is missing")
      leave(.incomplete)
    }
  }

  /// Whether an error is the stream's; one of a source has its own name.
  private func isOfInput(_ error: any Error) -> Bool {
    guard sources.isEmpty else { return false }
    switch error {
    case RepositoryError.badInput, RepositoryError.missingChunk: return true
    case let error as SystemError: return error.operation == "read"
    default: return error is StreamError || error is FormatError
    }
  }

  private func feed() throws -> any VolumeFeed {
    if sources.isEmpty {
      try reading.refuseForStream()
      try Console.requireBinaryInput(hint: "pipe a stream in, or name the disks to read")
      return try StreamInput.open(
        hint: "make a stream with vread, or name the disk as an argument")
    }
    var options = try reading.options(for: sources)
    options.names = volume
    return try naming("sources") { try SourceFeed(sources, options) }.readingAhead()
  }

  private func total(_ feed: any VolumeFeed) -> UInt64 { (feed as? SourceFeed)?.byteCount ?? 0 }

  /// What a deduplicator finds new, without storing it.
  private func estimate(_ feed: any VolumeFeed, _ repository: Repository) throws {
    let deduplicator = try naming("put") {
      try Deduplicator(.repository(repository), level: repository.config.zstdLevel)
    }
    let loaded = LoadAhead(feed, workers: workerCount(), window: 6) { segment in
      try segment.load()
      try deduplicator.identify(segment)
    }
    try naming("sources") {
      while let item = try loaded.next() {
        guard case .segment(let segment) = item else { continue }
        deduplicator.decide(segment)
        try deduplicator.compress(segment)
        loaded.recycle(segment)
      }
    }
    let counts = deduplicator.counts
    if json {
      return try Console.result(
        json: Estimate(
          newChunks: counts.newChunks, newBytes: counts.newBytes, storedBytes: counts.sentBytes))
    }
    try Console.result(
      "would add \(counts.newChunks) chunks of \(ByteSize.text(counts.newBytes)), "
        + "\(ByteSize.text(counts.sentBytes)) stored")
  }

  private struct Estimate: Encodable {
    let messageType = "estimate"
    let newChunks: UInt64
    let newBytes: UInt64
    let storedBytes: UInt64
  }

  private struct Report: Encodable {
    let messageType = "put"
    let id: String
    let name: String
    let time: String
    let complete: Bool
    let bytes: UInt64
    let addedBytes: UInt64
    let addedChunks: UInt64
    let unchangedSegments: UInt64
    let seconds: Double
  }

  private func report(_ result: PutResult, _ progress: Progress) throws {
    let point = result.point
    let bytes = point.volumes.reduce(0) { $0 + $1.size }
    if !output.quiet, !json {
      Console.say(
        "\(point.name): \(ByteSize.text(bytes)) in \(ByteSize.fixed(progress.elapsed, 1)) s "
          + "(\(ByteSize.rate(bytes, seconds: progress.elapsed))), added \(ByteSize.text(point.addedBytes)) "
          + "in \(point.addedChunks) chunks")
    }
    if json {
      try Console.result(
        json: Report(
          id: "\(result.name.id)", name: point.name, time: point.time, complete: point.complete,
          bytes: bytes, addedBytes: point.addedBytes, addedChunks: point.addedChunks,
          unchangedSegments: result.unchangedSegments, seconds: progress.elapsed))
    } else {
      try Console.result("\(result.name.id)")
    }
  }
}

/// Tells progress how large the volumes of a stream are, as they are announced.
private final class Announced: VolumeFeed {
  private let feed: any VolumeFeed
  private let progress: Progress
  private let knowsTotal: Bool

  init(_ feed: any VolumeFeed, _ progress: Progress) {
    self.feed = feed
    self.progress = progress
    knowsTotal = feed is SourceFeed
  }

  var missing: [String] { feed.missing }
  func lateWarnings() throws -> [String] { try feed.lateWarnings() }
  func recycle(_ segment: Segment) { feed.recycle(segment) }

  func next() throws -> FeedItem? {
    let item = try feed.next()
    if case .volume(let header) = item, !knowsTotal { progress.expect(header.size) }
    return item
  }
}
