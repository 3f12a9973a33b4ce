internal import Archives
public import Blocks
internal import Bytes
internal import GuestLayouts
public import Platform

/// Disks and images, by name, as a feed of segments that workers load.
///
/// Whole segments without data come as spans, however many there are: a hole costs one question
/// to the file system. All other segments come with a loader and are read where the consumer
/// calls `load`. What can be read at any place comes first; then what arrives in order.
public final class SourceFeed: VolumeFeed {
  /// The disks that can be read at any place; more may come of what arrives in order.
  public let volumes: [SourceVolume]
  /// What the guest put on the disks, when that was looked at.
  public let machine: GuestMachine?
  private let options: ReadOptions
  private let pool = SegmentPool()
  private var nextHeader = 0
  private var pending: [FeedItem] = []
  /// The volume being read, and the number of the one after it.
  private var reading: SourceVolume?
  private var nextVolume = 0
  private var position: UInt64 = 0
  /// The extent of data at or after `position` that the source told last.
  private var known: Range<UInt64> = 0..<0
  /// Sources that arrive in order, the one that is at hand first.
  private let streams: [StreamSource]
  private var nextStream = 0
  private var streamed: StreamedVolume?
  /// How many volumes were announced.
  private var headerCount = 0
  /// What could not be read of disks that came in order, by their names.
  private var lateMissing: [(name: String, ranges: MissingRanges)] = []
  private let checks: [ManifestCheck]
  /// Files of appliances, besides those that volumes know of.
  private let watched: [InputFile]
  private var hasBegun = false
  /// Which patterns have matched on what came so far.
  private var matches = PatternMatches()

  /// The most sources of one stream.
  public static let sourceLimit = 64

  /// What may have to be opened for sources: for `Sandbox`, before they are looked at.
  ///
  /// - Parameters:
  ///   - sources: Paths of files and block devices; what else `SourceName` knows has none.
  ///   - options: How they will be read.
  /// - Returns: The sources, the folders that they lie in, the counters of devices, the folders that
  ///   images may refer to, and what libraries for archives are loaded from.
  public static func paths(for sources: [String], _ options: ReadOptions) throws -> [String] {
    try options.references + ArchiveReader.libraryFolders
      + sources.flatMap { source in
        guard source != OpenedSources.standardInput, case .path = SourceName(source) else {
          return [String]()
        }
        let real =
          try naming(source: source) {
            do throws(SystemError) {
              return try Files.realPath(source)
            } catch  where error.isUndecodable {
              // The source can be opened; what lies beside it cannot be named.
              return nil
            }
          } ?? source
        let counters = try naming(source: source) { try Files.status(source) }
          .flatMap { DeviceWrites.path(of: $0) }
        return [source, Files.folder(of: source), Files.folder(of: real)]
          + (counters.map { [$0] } ?? [])
      }
  }

  /// Opens all sources.
  ///
  /// - Parameters:
  ///   - sources: Paths of files and block devices, or what else `SourceName` knows; `-` is stdin.
  ///   - options: How they are read.
  ///   - served: Those of them that servers export; nil connects to them now.
  ///   - wantsLayout: Whether to look at partitions even if nothing is skipped for them.
  /// - Throws: `ReadingError`.
  public init(
    _ sources: [String], _ options: ReadOptions, served: ServedSources? = nil,
    wantsLayout: Bool = false
  ) throws {
    let opened = try OpenedSources(sources, options, try served ?? ServedSources(sources))
    machine = GuestMachine(
      of: opened.disks.map(\.opened.disk), options, wantsLayout: wantsLayout)
    let machine = machine
    volumes = opened.disks.enumerated().map { index, disk in
      SourceVolume(
        disk.opened, number: UInt32(index), name: disk.name, options, machine?.disks[index])
    }
    self.options = options
    streams = opened.streams
    checks = opened.checks
    watched = opened.watched
    pending = opened.attachments.map { .attachment($0) } + opened.warnings.map { .warning($0) }
    tellGuests(volumes)
    if let machine { matches.add(machine.matches) }
    if streams.isEmpty { pending += patternWarnings().map { .warning($0) } }
  }

  /// What is to be told of patterns that match nothing.
  private func patternWarnings() -> [String] { options.exclusions.warnings(matches) }

  init(volumes: [SourceVolume], _ options: ReadOptions) {
    self.volumes = volumes
    self.options = options
    streams = []
    checks = []
    watched = []
    machine = nil
    tellGuests(volumes)
  }

  private func tellGuests(_ volumes: [SourceVolume]) {
    for volume in volumes {
      for warning in [volume.warning].compactMap({ $0 }) + (volume.guest?.warnings ?? []) {
        pending.append(.warning("\(volume.name): \(warning)"))
      }
      pending += (volume.guest?.files.attachments(volume.name) ?? []).map { .attachment($0) }
    }
  }

  /// The sum of all known volumes' sizes, in bytes.
  public var byteCount: UInt64 { volumes.reduce(0) { $0 + $1.size } }

  /// The feed itself, or around it one that asks servers for more than the consumer's own threads
  /// would.
  public func readingAhead() -> any VolumeFeed {
    guard volumes.contains(where: \.isServed) else { return self }
    return LoadAhead(self, workers: SourceFeed.serverLoaders, window: SourceFeed.serverWindow)
  }

  /// Threads that wait for servers, each with a segment's requests under way.
  private static let serverLoaders = 4
  /// Segments that servers have sent or are asked for.
  private static let serverWindow = 8

  /// Whether `status` is that of a file that is read: its path; nil when it is none of them.
  ///
  /// What is written to a character device, such as /dev/null, is not what is read from it.
  public func source(is status: FileStatus) -> String? {
    guard status.kind != .characterDevice else { return nil }
    if let volume = volumes.first(where: { $0.isFile(status) }) { return volume.file.path }
    return streams.first { $0.origin.status.isSame(status) }?.path
  }

  /// Whether some of it arrives in order, so that what it holds is known only when it has come.
  public var hasStreams: Bool { !streams.isEmpty }

  /// The one disk that the sources hold, to be read at any place.
  ///
  /// - Throws: `ReadingError` when there are several, or when it arrives in order only.
  public func onlyDisk() throws(ReadingError) -> SourceVolume {
    if let stream = streams.first {
      throw .request(
        "\(stream.path): can only be read in order",
        hint: "save the disk inside with vread --raw or vhd convert, and take that")
    }
    guard volumes.count == 1 else {
      throw .request(
        "several disks: \(volumes.map(\.name).joined(separator: ", "))",
        hint: "save the one that is meant with vhd convert --disk, and take that")
    }
    return volumes[0]
  }

  /// What is to be told of how the sources were found, for those who read the volumes, not the feed.
  public func takeWarnings() -> [String] {
    defer { pending = [] }
    return pending.compactMap { if case .warning(let text) = $0 { text } else { nil } }
  }

  private func beginChecks() {
    if hasBegun { return }
    hasBegun = true
    for check in checks { check.start() }
  }

  /// Compares all files of appliances with their manifests; the feed's end does so by itself.
  ///
  /// - Throws: `ReadingError` for the first one that is not as its manifest tells.
  public func finishChecks() throws {
    beginChecks()
    for check in checks { try naming(source: check.path) { try check.finish() } }
  }

  public var missing: [String] {
    volumes.flatMap { $0.missing.texts($0.name) } + lateMissing.flatMap { $0.ranges.texts($0.name) }
  }

  public func recycle(_ segment: Segment) { pool.give(segment) }

  public func next() throws -> FeedItem? {
    // Threads start late: what a sandbox forbids holds for those that start in it.
    beginChecks()
    if nextHeader < volumes.count {
      nextHeader += 1
      headerCount += 1
      return .volume(volumes[nextHeader - 1].header)
    }
    while true {
      if !pending.isEmpty { return pending.removeFirst() }
      if let volume = reading, position < volume.size {
        return try naming(source: volume.path) { try nextPiece(of: volume) }
      }
      reading = nil
      position = 0
      known = 0..<0
      if nextVolume < volumes.count {
        reading = volumes[nextVolume]
        nextVolume += 1
      } else if try !arrive() {
        try finishChecks()
        return nil
      }
    }
  }

  /// Takes the next thing of what arrives in order; false when all has come.
  private func arrive() throws -> Bool {
    if let volume = streamed {
      if let item = try volume.next(pool) { pending.append(item) } else { streamed = nil }
      return true
    }
    guard nextStream < streams.count else { return false }
    let source = streams[nextStream]
    switch try naming(source: source.path, { try source.next() }) {
    case nil: nextStream += 1
    case .attachment(let attachment): pending.append(.attachment(attachment))
    case .warning(let text): pending.append(.warning(text))
    case .disk(let opened, let name):
      let machine = GuestMachine(of: [opened.disk], options, wantsLayout: false)
      if let machine { matches.add(machine.matches) }
      let volume = SourceVolume(
        opened, number: UInt32(headerCount), name: name, options, machine?.disks[0])
      headerCount += 1
      pending.append(.volume(volume.header))
      tellGuests([volume])
      lateMissing.append((name, volume.missing))
      reading = volume
    case .streamed(let disk):
      matches.isComplete = false
      let volume = StreamedVolume(disk, number: UInt32(headerCount), options)
      headerCount += 1
      pending.append(.volume(volume.header))
      streamed = volume
    }
    return true
  }

  public func lateWarnings() throws -> [String] {
    // What arrives in order is known only now.
    var warnings = streams.isEmpty ? [] : patternWarnings()
    var told: Set<String> = []
    for volume in volumes {
      for path in try naming(source: volume.path, { try volume.changedFiles() }) {
        told.insert(path)
        warnings.append("\(volume.name): \(path) changed while it was read")
      }
    }
    func tell(_ path: String, _ hasChanged: Bool) {
      if hasChanged, told.insert(path).inserted {
        warnings.append("\(path) changed while it was read")
      }
    }
    for file in watched { tell(file.path, try naming(source: file.path) { try file.hasChanged() }) }
    for stream in streams {
      tell(stream.path, try naming(source: stream.path) { try stream.origin.hasChanged() })
    }
    return warnings
  }

  private func nextPiece(of volume: SourceVolume) throws -> FeedItem {
    if let end = volume.missing.end, position >= end {
      volume.missing.insert(position..<volume.size)
      return span(.bad, to: volume.size, of: volume)
    }
    let skip = volume.skipped.first(endingAfter: position)
    if let skip, skip.range.lowerBound <= position {
      let end = wholeEnd(skip.range.upperBound, of: volume)
      if end > position { return span(skip.kind, to: end, of: volume) }
    }
    if known.upperBound <= position {
      known = try volume.nextData(at: position) ?? volume.size..<volume.size
    }
    let end = wholeEnd(min(known.lowerBound, skip?.range.lowerBound ?? volume.size), of: volume)
    if end > position { return span(.zero, to: end, of: volume) }
    return segment(of: volume)
  }

  /// The last place up to `offset` at which a span may end.
  private func wholeEnd(_ offset: UInt64, of volume: SourceVolume) -> UInt64 {
    let step = UInt64(Segment.byteCount)
    return offset >= volume.size ? volume.size : offset / step * step
  }

  private func span(_ kind: HoleKind, to end: UInt64, of volume: SourceVolume) -> FeedItem {
    let range = position..<end
    position = end
    return .span(HoleSpan(volume: volume.header.number, range: range, kind: kind))
  }

  private func segment(of volume: SourceVolume) -> FeedItem {
    let segment = pool.take()
    let count = Int(min(UInt64(Segment.byteCount), volume.size - position))
    segment.reset(volume: volume.header.number, offset: position, count: count)
    let loader = SegmentLoader(volume: volume, known: known)
    segment.loader = { try loader.load($0) }
    position += UInt64(count)
    return .segment(segment)
  }
}
