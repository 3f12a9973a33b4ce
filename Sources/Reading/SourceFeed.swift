public import Blocks
internal import Bytes
internal import GuestLayouts
internal import Platform

/// Disks and images, by name, as a feed of segments that workers load.
///
/// Whole segments without data come as spans, however many there are: a hole costs one question
/// to the file system. All other segments come with a loader and are read where the consumer
/// calls `load`.
public final class SourceFeed: VolumeFeed {
  public let volumes: [SourceVolume]
  private let options: ReadOptions
  private let pool = SegmentPool()
  private var nextHeader = 0
  private var pending: [FeedItem] = []
  private var current = 0
  private var position: UInt64 = 0
  /// The extent of data at or after `position` that the source told last.
  private var known: Range<UInt64> = 0..<0

  /// The most sources of one stream.
  public static let sourceLimit = 64

  /// What may have to be opened for sources: for `Sandbox`, before they are looked at.
  ///
  /// - Parameters:
  ///   - sources: Paths of files and block devices; what else `SourceName` knows has none.
  ///   - options: How they will be read.
  /// - Returns: The sources, the folders that they lie in, and those that images may refer to.
  public static func paths(for sources: [String], _ options: ReadOptions) throws -> [String] {
    try options.references
      + sources.flatMap { source in
        guard case .path = SourceName(source) else { return [String]() }
        let real = try naming(source: source) { try Files.realPath(source) } ?? source
        return [source, Files.folder(of: source), Files.folder(of: real)]
      }
  }

  /// Opens all sources.
  ///
  /// - Parameters:
  ///   - sources: Paths of files and block devices, or what else `SourceName` knows.
  ///   - options: How they are read.
  ///   - served: Those of them that servers export; nil connects to them now.
  ///   - wantsLayout: Whether to look at partitions even if nothing is skipped for them.
  /// - Throws: `ReadingError`.
  public init(
    _ sources: [String], _ options: ReadOptions, served: ServedSources? = nil,
    wantsLayout: Bool = false
  ) throws {
    let names = try VolumeNames.of(sources, given: options.names)
    let served = try served ?? ServedSources(sources)
    volumes = try sources.enumerated().map { index, path in
      try naming(source: SourceName(path).shown) {
        SourceVolume(
          try OpenedDisk(path, options, served: served.disk(index)),
          number: UInt32(index), name: names[index],
          options, wantsLayout: wantsLayout)
      }
    }
    self.options = options
    tellLayouts()
  }

  init(volumes: [SourceVolume], _ options: ReadOptions) {
    self.volumes = volumes
    self.options = options
    tellLayouts()
  }

  private func tellLayouts() {
    for volume in volumes {
      for warning in [volume.warning].compactMap({ $0 }) + (volume.layout?.warnings ?? []) {
        pending.append(.warning("\(volume.name): \(warning)"))
      }
    }
  }

  /// The sum of all volumes' sizes, in bytes.
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

  public var missing: [String] { volumes.flatMap { $0.missing.texts($0.name) } }

  public func recycle(_ segment: Segment) { pool.give(segment) }

  public func next() throws -> FeedItem? {
    if nextHeader < volumes.count {
      nextHeader += 1
      return .volume(volumes[nextHeader - 1].header)
    }
    while true {
      if !pending.isEmpty { return pending.removeFirst() }
      guard current < volumes.count else { return nil }
      let volume = volumes[current]
      if position < volume.size {
        return try naming(source: volume.path) { try nextPiece(of: volume) }
      }
      current += 1
      position = 0
      known = 0..<0
    }
  }

  public func lateWarnings() throws -> [String] {
    try volumes.flatMap { volume in
      try naming(source: volume.path) {
        try volume.changedFiles().map { "\(volume.name): \($0) changed while it was read" }
      }
    }
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
