internal import Blocks
internal import Platform
internal import Reading
internal import Streams
internal import ToolSupport

/// Where what is read goes.
protocol Output {
  func put(_ item: FeedItem) throws
  /// Everything has come.
  func finish(missing: [String]) throws
  /// Nothing more will come.
  func abort(_ reason: String)
}

/// The main job: everything that a feed delivers goes to stdout.
struct Copy {
  private let feed: SourceFeed
  private let pictures: PictureFile?
  private let raw: Bool
  private let options: OutputOptions

  init(_ feed: SourceFeed, _ pictures: PictureFile?, raw: Bool, _ options: OutputOptions) {
    self.feed = feed
    self.pictures = pictures
    self.raw = raw
    self.options = options
  }

  func run() throws {
    let output = try naming("stdout") { try open() }
    var tally = Tally(feed, pictures, options)
    do {
      try tally.follow { item in try naming("stdout") { try output.put(item) } }
    } catch {
      let failure = Failure("sources", error)
      output.abort("\(Console.toolName): \(failure)")
      throw failure
    }
    try naming("stdout") { try output.finish(missing: feed.missing) }
    try pictures?.write()
    try tally.conclude()
  }

  private func open() throws -> any Output {
    if raw { return RawOutput(.standardOutput) }
    return StreamOutput(try StreamWriter(.standardOutput))
  }
}

/// The sealed stream.
private struct StreamOutput: Output {
  let writer: StreamWriter

  init(_ writer: StreamWriter) { self.writer = writer }

  func put(_ item: FeedItem) throws { try writer.item(item) }

  func finish(missing: [String]) throws { try writer.seal(missing: missing) }

  func abort(_ reason: String) {
    // When this cannot be written either, the missing seal tells it all the same.
    do { try writer.abort(reason) } catch {}
  }
}
