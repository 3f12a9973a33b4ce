internal import Blocks
internal import Platform
internal import Streams
internal import ToolSupport

/// A point as a sealed stream on stdout.
enum StreamRestore {
  static func run(
    _ feed: any VolumeFeed, _ subject: String, _ options: OutputOptions
  ) throws(Failure) {
    let writer = try naming("stdout") { try StreamWriter(.standardOutput) }
    let progress = Progress("restored", options.feedingOutput())
    do {
      while let item = try naming(subject, { try feed.next() }) {
        try naming("stdout") { try writer.item(item) }
        switch item {
        case .volume(let header): progress.expect(header.size)
        case .span(let span): progress.advance(span.range.upperBound - span.range.lowerBound)
        case .segment(let segment):
          progress.advance(UInt64(segment.count))
          feed.recycle(segment)
        case .attachment, .warning, .foreign: break
        }
      }
    } catch {
      // When this cannot be written either, the missing seal tells it all the same.
      do { try writer.abort("\(Console.toolName): \(error)") } catch {}
      throw error
    }
    progress.finish()
    try naming("stdout") { try writer.seal(missing: feed.missing) }
  }
}
