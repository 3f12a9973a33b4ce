import Blocks
import Bytes

/// A feed that a test puts together piece by piece; segments are made when they are asked for.
public final class MemoryFeed: VolumeFeed {
  private var makers: [() throws -> FeedItem] = []
  private var position = 0
  private let pool = SegmentPool()
  public var missing: [String] = []

  public init() {}

  public func next() throws -> FeedItem? {
    guard position < makers.count else { return nil }
    position += 1
    return try makers[position - 1]()
  }

  public func recycle(_ segment: Segment) { pool.give(segment) }

  public func add(_ item: FeedItem) { makers.append { item } }

  /// Adds an item that throws when it is asked for.
  public func fail(_ error: any Error) { makers.append { throw error } }

  @discardableResult
  public func volume(
    _ number: UInt32, size: UInt64, name: String? = nil, fields: [VolumeHeader.Field] = []
  ) -> VolumeHeader {
    var header = VolumeHeader(number: number, size: size, fields: fields)
    header.name = name ?? "disk\(number)"
    add(.volume(header))
    return header
  }

  public func span(_ volume: UInt32, _ range: Range<UInt64>, _ kind: HoleKind) {
    add(.span(HoleSpan(volume: volume, range: range, kind: kind)))
  }

  /// Adds a segment of `content`.
  ///
  /// - Parameters:
  ///   - runs: What is in it; one run of data when left out.
  ///   - change: Whatever else the test wants done to it.
  public func segment(
    _ volume: UInt32, at offset: UInt64, _ content: [UInt8], runs: [Segment.Run]? = nil,
    _ change: @escaping (Segment) -> Void = { _ in }
  ) {
    makers.append { [pool] in
      let segment = pool.take()
      segment.reset(volume: volume, offset: offset, count: content.count)
      segment.buffer.copy(content.span, to: 0)
      for run in runs ?? [Segment.Run(0..<content.count, .data)] {
        segment.append(run.range, run.content)
      }
      change(segment)
      return .segment(segment)
    }
  }

  /// A whole disk of data.
  public static func disk(
    _ content: [UInt8], name: String = "disk0", fields: [VolumeHeader.Field] = []
  ) -> MemoryFeed {
    let feed = MemoryFeed()
    feed.volume(0, size: UInt64(content.count), name: name, fields: fields)
    feed.data(0, content)
    return feed
  }

  /// All the bytes of a volume, as segments of data.
  public func data(_ volume: UInt32, _ content: [UInt8]) {
    for start in stride(from: 0, to: content.count, by: Segment.byteCount) {
      let end = min(start + Segment.byteCount, content.count)
      segment(volume, at: UInt64(start), Array(content[start..<end]))
    }
  }
}
