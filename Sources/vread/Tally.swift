internal import Blocks
internal import Bytes
internal import GuestLayouts
internal import Platform
internal import Reading
internal import ToolSupport

/// Follows a feed to its end: counts, shows progress, tells warnings, and says how it went.
struct Tally {
  private let feed: SourceFeed
  private let pictures: PictureFile?
  private let options: OutputOptions
  /// What each volume turned out to hold.
  private(set) var counts: [ByteCounts] = []
  /// The volumes, as they were announced.
  private(set) var headers: [VolumeHeader] = []
  private(set) var warnings: [String] = []

  init(_ feed: SourceFeed, _ pictures: PictureFile?, _ options: OutputOptions) {
    self.feed = feed
    self.pictures = pictures
    self.options = options
  }

  /// Takes every item, loaded, in order, and gives it to `body`.
  mutating func follow(_ body: (FeedItem) throws -> Void) throws {
    let progress = Progress("reading", total: feed.byteCount, options)
    defer { progress.finish() }
    let loaded =
      feed.hasStreams ? LoadAhead(feed, workers: workerCount()) : LoadAhead(feed.readingAhead())
    defer { loaded.close() }
    while let item = try loaded.next() {
      try body(item)
      switch item {
      case .segment(let segment):
        counts[Int(segment.volume)].add(segment)
        pictures?.add(segment)
        progress.advance(UInt64(segment.count))
        loaded.recycle(segment)
      case .span(let span):
        counts[Int(span.volume)].add(span)
        pictures?.add(span.range, span.kind, ofVolume: Int(span.volume))
        progress.advance(span.range.upperBound - span.range.lowerBound)
      case .warning(let text):
        warnings.append(text)
        if !options.quiet { Console.warn(text) }
      case .volume(let header):
        let guest = headers.count < feed.volumes.count ? feed.volumes[headers.count].guest : nil
        pictures?.begin(
          header.name, size: header.size, guest?.layout, feed.machine?.layout.volumes ?? [])
        headers.append(header)
        counts.append(ByteCounts())
        if headers.count > feed.volumes.count { progress.expect(header.size) }
      case .attachment, .foreign: break
      }
    }
  }

  /// Tells what was found, and ends in status 3 when something could not be read.
  func conclude() throws(Failure) {
    if options.verbose {
      for (volume, count) in zip(headers, counts) {
        Console.say("\(volume.name): \(count.text)")
      }
    }
    let missing = feed.missing
    guard !missing.isEmpty else { return }
    if !options.quiet { for text in missing { Console.warn(text) } }
    throw Failure(.incomplete, "some of the source could not be read and is marked as bad")
  }
}
