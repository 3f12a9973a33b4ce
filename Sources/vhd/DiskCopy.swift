internal import Blocks
internal import Bytes
internal import DiskImages
internal import Platform
internal import Reading
internal import ToolSupport

/// Takes one disk out of a feed and writes it to a target.
final class DiskCopy {
  /// What is known when the target is made: the volume, and the size that the disk will have.
  typealias MakeTarget = (VolumeHeader, UInt64) throws -> any DiskTarget

  private let feed: LoadAhead
  private let disk: String?
  private let grow: (UInt64) -> UInt64
  private let makeTarget: MakeTarget
  private let options: OutputOptions
  private let progress: Progress

  private var names: [String] = []
  private var header: VolumeHeader?
  private var target: (any DiskTarget)?
  private var size: UInt64 = 0
  /// What replaces the disk's end.
  private var end: PartitionTableEnd.Patch?
  private var badByteCount: UInt64 = 0

  /// - Parameters:
  ///   - feed: Where the disk comes from.
  ///   - disk: The name or number of the volume to take; nil when there is only one.
  ///   - grow: The size that a disk of some size gets.
  ///   - options: What to say.
  ///   - makeTarget: Makes the target.
  init(
    _ feed: any VolumeFeed, disk: String?, grow: @escaping (UInt64) -> UInt64,
    _ options: OutputOptions, makeTarget: @escaping MakeTarget
  ) {
    self.feed = LoadAhead(Expansion(feed), workers: 2, window: 6)
    self.disk = disk
    self.grow = grow
    self.makeTarget = makeTarget
    self.options = options
    progress = Progress("writing", options)
  }

  /// Takes everything, to the feed's very end, and completes the image.
  ///
  /// - Returns: What could not be read of the source.
  func run() throws -> [String] {
    defer {
      feed.close()
      progress.finish()
    }
    while let item = try feed.next() { try take(item) }
    guard header != nil else { throw noSuchDisk() }
    let target = try begin()
    if let end { try target.write(end.bytes.span, at: end.offset) }
    try target.finish()
    var missing = feed.missing
    if missing.isEmpty, badByteCount > 0 {
      missing = ["\(badByteCount) bytes could not be read when the disk was saved"]
    }
    return missing
  }

  private func take(_ item: FeedItem) throws {
    switch item {
    case .volume(let volume): try meet(volume)
    case .segment(let segment):
      defer { feed.recycle(segment) }
      guard let header, segment.volume == header.number else { return }
      try write(segment)
      progress.advance(UInt64(segment.count))
    case .span(let span):
      guard let header, span.volume == header.number else { return }
      let count = span.range.upperBound - span.range.lowerBound
      try judge(span.kind, span.range.lowerBound, count)
      progress.advance(count)
    case .warning(let text): if !options.quiet { Console.warn(text) }
    case .attachment: break
    }
  }

  /// Decides whether a volume is the one to take.
  private func meet(_ volume: VolumeHeader) throws {
    names.append(volume.name)
    if let disk {
      guard header == nil, disk == volume.name || disk == "\(volume.number)" else { return }
    } else if header != nil {
      try tellNames()
    }
    header = volume
    progress.expect(volume.size)
  }

  /// Ends the work: there are several disks, and nobody said which one.
  private func tellNames() throws {
    while names.count < SourceFeed.sourceLimit, let item = try feed.next() {
      guard case .volume(let volume) = item else { break }
      names.append(volume.name)
    }
    throw Failure(
      .usage, "stdin: several disks: \(names.joined(separator: ", "))",
      hint: "pick one of them with --disk")
  }

  private func noSuchDisk() -> Failure {
    guard let disk else { return Failure(.damaged, "stdin: there is no disk in the stream") }
    return Failure(
      .usage, "stdin: no disk is called \(disk)",
      hint: names.isEmpty ? nil : "there are: \(names.joined(separator: ", "))")
  }

  /// The target, made when it is needed for the first time.
  private func begin() throws -> any DiskTarget {
    if let target { return target }
    guard let header else { preconditionFailure("no disk was chosen") }
    size = grow(header.size)
    if size != header.size, !options.quiet {
      Console.say("\(header.name): grown from \(header.size) to \(size) bytes")
    }
    let made = try makeTarget(header, size)
    target = made
    return made
  }

  private func write(_ segment: Segment) throws {
    let target = try begin()
    if segment.offset == 0, let header, size > header.size { moveTableEnd(segment) }
    for run in segment.runs {
      let place = segment.offset + UInt64(run.range.lowerBound)
      switch run.content {
      case .data:
        var range = run.range
        if let end, place + UInt64(range.count) > end.offset {
          guard place < end.offset else { continue }
          range = range.lowerBound..<range.lowerBound + Int(end.offset - place)
        }
        try target.write(segment.buffer.span(range), at: place)
      case .hole(let kind): try judge(kind, place, UInt64(run.range.count))
      case .chunk: preconditionFailure("a chunk that was not expanded")
      }
    }
  }

  /// Holes read as zeros, unless the bytes are somewhere else.
  private func judge(_ kind: HoleKind, _ place: UInt64, _ count: UInt64) throws {
    switch kind {
    case .zero, .free, .swap, .excluded: break
    case .bad: badByteCount += count
    case .unchanged:
      throw Failure(
        .impossible, "the stream at byte \(place): holds only what changed since its base",
        hint: "store it with vstore put, and take the disk from vrestore")
    }
  }

  /// Moves the backup of a GPT to the end that the disk will have.
  private func moveTableEnd(_ segment: Segment) {
    for run in segment.runs {
      if case .hole = run.content { segment.buffer.clear(run.range) }
    }
    let start = segment.buffer.span(0..<segment.count)
    switch PartitionTableEnd.plan(start, growingTo: size) {
    case .none: break
    case .stuck(let reason):
      Console.warn("the disk grows, but the backup of its partition table stays: \(reason)")
    case .move(let patches, let end):
      for patch in patches { segment.buffer.copy(patch.bytes.span, to: Int(patch.offset)) }
      self.end = end
    }
  }
}
