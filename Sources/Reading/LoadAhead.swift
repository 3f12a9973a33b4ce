public import Blocks
internal import Platform

/// A feed whose segments are loaded by workers while the consumer is busy with earlier ones.
///
/// For consumers that have no workers of their own.
public final class LoadAhead: VolumeFeed {
  /// The most items that wait; holes come fast and take no room at the workers.
  private static let queueLimit = 64
  /// The most bytes of attachments and the like that wait.
  private static let queuedByteLimit = 8 << 20

  private let feed: any VolumeFeed
  private let workers: Workers<Segment>
  /// What comes next, in order; nil stands for the workers' oldest segment.
  private var queue: [FeedItem?] = []
  private var queuedBytes = 0
  private var ended = false
  private var isConcluded = false

  /// - Parameters:
  ///   - feed: Where the items come from.
  ///   - workers: How many threads load.
  ///   - window: How many segments are under way; each takes 4 MiB.
  ///   - work: What is done to each segment; by default it is loaded.
  public init(
    _ feed: any VolumeFeed, workers: Int = 1, window: Int = 4,
    work: @escaping @Sendable (Segment) throws -> Void = { try $0.load() }
  ) {
    self.feed = feed
    self.workers = Workers(count: workers, window: window, perform: work)
  }

  public var missing: [String] { feed.missing }

  public func recycle(_ segment: Segment) { feed.recycle(segment) }

  public func next() throws -> FeedItem? {
    while !ended, workers.hasRoom, queue.count < LoadAhead.queueLimit,
      queuedBytes < LoadAhead.queuedByteLimit
    {
      guard let item = try feed.next() else {
        ended = true
        break
      }
      if case .segment(let segment) = item {
        workers.give(segment)
        queue.append(nil)
      } else {
        queue.append(item)
        queuedBytes += item.heldBytes
      }
    }
    if queue.isEmpty, !isConcluded {
      isConcluded = true
      queue = try feed.lateWarnings().map { .warning($0) }
    }
    guard !queue.isEmpty else { return nil }
    if let item = queue.removeFirst() {
      queuedBytes -= item.heldBytes
      return item
    }
    return try workers.take().map { .segment($0) }
  }

  deinit { workers.close() }

  /// Ends the threads, when no more items are wanted.
  public func close() { workers.close() }
}

extension FeedItem {
  /// Bytes that the item holds besides a segment's.
  fileprivate var heldBytes: Int {
    switch self {
    case .attachment(let attachment): attachment.bytes.count
    case .foreign(let frame): frame.payload.count
    case .volume, .segment, .span, .warning: 0
    }
  }
}
