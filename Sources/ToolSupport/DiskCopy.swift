public import Blocks
internal import Bytes
internal import DiskImages
internal import Platform
internal import Reading
internal import Writing

/// Takes one disk out of a feed and writes it to a target.
public final class DiskCopy {
  private let feed: LoadAhead
  private let source: String
  private let disk: String?
  private let plan: ImagePlan
  private let output: any DiskOutput
  private let options: OutputOptions
  private let progress: Progress

  private var names: [String] = []
  private var header: VolumeHeader?
  private var target: (any DiskTarget)?
  private var size: UInt64 = 0
  /// What replaces the disk's end.
  private var end: PartitionTableEnd.Patch?
  /// What the disk has in that place, and which of it is the table's own.
  private var replaced: [UInt8] = []
  private var old: PartitionTableEnd.Backup?
  /// The segment that the replaced end begins in, written with it.
  private var held: (segment: Segment, pieces: [SegmentWriter.Piece])?
  private var badByteCount: UInt64 = 0
  private var counts = ByteCounts()

  /// - Parameters:
  ///   - feed: Where the disk comes from.
  ///   - source: The feed's name for messages.
  ///   - disk: The name or number of the volume to take; nil when there is only one.
  ///   - plan: How the image is to be.
  ///   - output: Where it goes.
  ///   - options: What to say.
  ///   - workers: How many threads load.
  public init(
    _ feed: any VolumeFeed, named source: String, disk: String?, _ plan: ImagePlan,
    to output: any DiskOutput, _ options: OutputOptions, workers: Int = 2
  ) {
    self.feed = LoadAhead(feed, workers: workers, window: 6)
    self.source = source
    self.disk = disk
    self.plan = plan
    self.output = output
    self.options = options
    progress = Progress("writing", options.feedingOutput(output.isStandardOutput))
  }

  /// Takes everything, to the feed's very end, and completes the image.
  ///
  /// - Throws: After the image is complete, when some of the source could not be read.
  public func run() throws {
    try copy()
    if options.verbose, let header {
      let name = header.name.isEmpty ? source : header.name
      Console.say("\(name): \(counts.text)")
    }
    try tellMissing()
  }

  /// The same without telling what could not be read.
  public func copy() throws {
    defer {
      feed.close()
      progress.finish()
    }
    do {
      while let item = try naming(source, { try feed.next() }) { try take(item) }
      guard header != nil else { throw noSuchDisk() }
      let target = try begin()
      try output.writing {
        try writeEnd(target)
        try target.finish()
      }
      target.close()
      try output.commit()
    } catch {
      target?.close()
      output.discard()
      throw error
    }
  }

  /// Tells what could not be read of the source.
  public func tellMissing() throws(Failure) {
    var missing = feed.missing
    if missing.isEmpty, badByteCount > 0 {
      missing = ["\(badByteCount) bytes could not be read when the disk was saved"]
    }
    guard !missing.isEmpty else { return }
    if !options.quiet { for text in missing { Console.warn(text) } }
    throw Failure(.incomplete, "\(output.name): what could not be read of the source is zero")
  }

  private func take(_ item: FeedItem) throws {
    switch item {
    case .volume(let volume): try meet(volume)
    case .segment(let segment):
      guard let header, segment.volume == header.number else { return feed.recycle(segment) }
      let count = UInt64(segment.count)
      counts.add(segment)
      try write(segment)
      progress.advance(count)
    case .span(let span):
      guard let header, span.volume == header.number else { return }
      let count = span.range.upperBound - span.range.lowerBound
      counts.add(span)
      try judge(span.kind, span.range.lowerBound, count)
      progress.advance(count)
    case .warning(let text): if !options.quiet { Console.warn(text) }
    case .attachment, .foreign: break
    }
  }

  /// Decides whether a volume is the one to take.
  private func meet(_ volume: VolumeHeader) throws {
    names.append(volume.name)
    if let disk {
      if header != nil, disk == volume.name {
        throw Failure(
          .usage, "\(source): --disk \(disk) is the number of one disk and the name of another",
          hint: "there are: \(names.joined(separator: ", "))")
      }
      guard header == nil, disk == volume.name || disk == "\(volume.number)" else { return }
    } else if header != nil {
      try tellNames()
    }
    header = volume
    progress.expect(volume.size)
  }

  /// Ends the work: there are several disks, and nobody said which one.
  private func tellNames() throws {
    while names.count < SourceFeed.sourceLimit, let item = try naming(source, { try feed.next() }) {
      guard case .volume(let volume) = item else { break }
      names.append(volume.name)
    }
    throw Failure(
      .usage, "\(source): several disks: \(names.joined(separator: ", "))",
      hint: "pick one of them with --disk")
  }

  private func noSuchDisk() -> Failure {
    guard let disk else { return Failure(.damaged, "\(source): there is no disk") }
    return Failure(
      .usage, "\(source): no disk is called \(disk)",
      hint: names.isEmpty ? nil : "there are: \(names.joined(separator: ", "))")
  }

  /// The target, made when it is needed for the first time.
  private func begin() throws -> any DiskTarget {
    if let target { return target }
    guard let header else { preconditionFailure("no disk was chosen") }
    size = plan.size(for: header)
    if size != header.size, !options.quiet {
      Console.say("\(header.name): grown from \(header.size) to \(size) bytes")
    }
    let made = try output.target(size, sectorSize: header.sectorSize) { [feed] in
      feed.recycle($0)
    }
    target = made
    return made
  }

  private func write(_ segment: Segment) throws {
    let target = try begin()
    if segment.offset == 0, let header, size > header.size { moveTableEnd(segment) }
    var pieces: [SegmentWriter.Piece] = []
    for run in segment.runs {
      let place = segment.offset + UInt64(run.range.lowerBound)
      switch run.content {
      case .data:
        var range = run.range
        if let end, place + UInt64(range.count) > end.offset {
          let kept = Int(max(end.offset, place) - place)
          let target = Int(place + UInt64(kept) - end.offset)
          let buffer = segment.buffer
          let bytes = buffer.span(range.lowerBound + kept..<range.upperBound)
          for index in 0..<bytes.count { replaced[target + index] = bytes[index] }
          guard kept > 0 else { continue }
          range = range.lowerBound..<range.lowerBound + kept
        }
        pieces.append(.init(range, at: place))
      case .hole(let kind): try judge(kind, place, UInt64(run.range.count))
      case .chunk: preconditionFailure("a chunk that was not expanded")
      }
    }
    if let end, segment.offset <= end.offset,
      end.offset < segment.offset + UInt64(Segment.byteCount)
    {
      // Nothing is written twice: what replaces the disk's end joins it.
      held = (segment, pieces)
      return
    }
    try output.writing { try target.write(segment, pieces) }
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

  /// Writes what replaces the disk's end.
  private func writeEnd(_ target: any DiskTarget) throws {
    guard let header, let end else { return }
    if let place = old?.firstOther(in: replaced, at: end.offset) {
      throw Failure(
        .refused,
        "\(source): byte \(place) of the disk: holds data where the backup of its GPT would come",
        hint: "the disk goes on behind the end that its GPT knows: sgdisk -e moves the backup there"
      )
    }
    let unit = UInt64(Segment.byteCount)
    var done = 0
    while done < end.bytes.count {
      let place = end.offset + UInt64(done)
      let inner = Int(place % unit)
      let count = min(end.bytes.count - done, Segment.byteCount - inner)
      let segment: Segment
      var pieces: [SegmentWriter.Piece] = []
      if let held, done == 0 {
        (segment, pieces) = held
        self.held = nil
      } else {
        segment = Segment()
        segment.reset(volume: header.number, offset: place - UInt64(inner), count: inner + count)
      }
      segment.buffer.copy(end.bytes.span.extracting(done..<done + count), to: inner)
      try target.write(segment, pieces + [.init(inner..<inner + count, at: place)])
      done += count
    }
  }

  /// Moves the backup of a GPT to the end that the disk will have.
  private func moveTableEnd(_ segment: Segment) {
    let buffer = segment.buffer
    for run in segment.runs {
      if case .hole = run.content { buffer.clear(run.range) }
    }
    let start = buffer.span(0..<segment.count)
    switch PartitionTableEnd.plan(start, growingTo: size) {
    case .none: break
    case .stuck(let reason):
      Console.warn("the disk grows, but the backup of its partition table stays: \(reason)")
    case .move(let patches, let end, let old):
      for patch in patches { buffer.copy(patch.bytes.span, to: Int(patch.offset)) }
      self.end = end
      self.old = old
      replaced = [UInt8](repeating: 0, count: end.bytes.count)
    }
  }
}
