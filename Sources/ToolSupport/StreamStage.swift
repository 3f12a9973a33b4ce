public import Blocks
internal import Platform
internal import Reading
internal import Streams

/// A tool in the middle of a pipe: a sealed stream in, a sealed stream out.
public enum StreamStage {
  /// Runs the stage; ends with the stream sealed, or with a failure and the stream aborted.
  ///
  /// - Parameters:
  ///   - options: What to say while working.
  ///   - transform: Wraps the feed that arrives into the one that goes out.
  ///   - header: Changes each volume's header.
  public static func run(
    _ options: OutputOptions, header: (inout VolumeHeader) -> Void,
    transform: (any VolumeFeed) throws -> any VolumeFeed
  ) throws(Failure) {
    try Console.requireBinaryInput(hint: "a stream comes from vread or vrestore, by a pipe")
    try Console.requireBinaryOutput(hint: "send it on by a pipe, or into a file")
    let writer = try naming("stdout") { try StreamWriter(.standardOutput) }
    let missing: [String]
    do {
      let feed = try naming("stdin") { try transform(try open()) }
      missing = try copy(feed, to: writer, options, header)
    } catch {
      // When this cannot be written either, the missing seal tells it all the same.
      do { try writer.abort("\(Console.toolName): \(error)") } catch {}
      throw error
    }
    try naming("stdout") { try writer.seal(missing: missing) }
    if !missing.isEmpty {
      Console.warn("the source could not be read completely; the stream says so")
      leave(.incomplete)
    }
  }

  private static func open() throws(Failure) -> any VolumeFeed {
    try StreamInput.open(hint: "make a stream with vread")
  }

  private static func copy(
    _ feed: any VolumeFeed, to writer: StreamWriter, _ options: OutputOptions,
    _ header: (inout VolumeHeader) -> Void
  ) throws(Failure) -> [String] {
    let progress = Progress("passed", options.feedingOutput())
    while var item = try naming("stdin", { try feed.next() }) {
      switch item {
      case .volume(var volume):
        header(&volume)
        progress.expect(volume.size)
        item = .volume(volume)
      case .span(let span): progress.advance(span.range.upperBound - span.range.lowerBound)
      case .segment(let segment): progress.advance(UInt64(segment.count))
      case .attachment, .warning, .foreign: break
      }
      try naming("stdout") { try writer.item(item) }
      if case .segment(let segment) = item { feed.recycle(segment) }
    }
    progress.finish()
    return feed.missing
  }
}
