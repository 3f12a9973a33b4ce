import Blocks
import Bytes

/// A feed broke what it promises.
public struct FeedFault: Error, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}

/// All that a feed delivered, checked for its promises while it is read.
public struct Delivery {
  /// A range of one kind; nil is data.
  public struct Piece: Equatable, Sendable {
    public let range: Range<UInt64>
    public let kind: HoleKind?
    public init(_ range: Range<UInt64>, _ kind: HoleKind?) {
      self.range = range
      self.kind = kind
    }
  }

  public var headers: [VolumeHeader] = []
  /// The content by volume, with zeros for holes; empty where it was not kept.
  public var content: [[UInt8]] = []
  /// Ranges of one kind by volume, joined.
  public var pieces: [[Piece]] = []
  /// All runs by volume, with their places, as they came; spans as runs of holes.
  public var runs: [[(start: UInt64, run: Segment.Run)]] = []
  public var fingerprints: [Fingerprint] = []
  public var attachments: [Attachment] = []
  public var warnings: [String] = []
  public var foreign: [ForeignFrame] = []
  public var missing: [String] = []
  public var itemCount = 0

  /// - Parameter keepsContent: False for volumes that do not fit into memory.
  public init(_ feed: any VolumeFeed, keepsContent: Bool = true) throws {
    while let item = try feed.next() {
      itemCount += 1
      switch item {
      case .volume(let header): try begin(header, keepsContent)
      case .segment(let segment):
        try segment.load()
        try take(segment, keepsContent)
        feed.recycle(segment)
      case .span(let span):
        let number = Int(span.volume)
        let step = UInt64(Segment.byteCount)
        guard span.range.lowerBound % step == 0,
          span.range.upperBound % step == 0 || span.range.upperBound == headers[number].size
        else { throw FeedFault("a span that does not lie on segments: \(span)") }
        try add(number, span.range, span.kind)
      case .attachment(let attachment): attachments.append(attachment)
      case .warning(let text): warnings.append(text)
      case .foreign(let frame): foreign.append(frame)
      }
    }
    for (number, header) in headers.enumerated() {
      let end = pieces[number].last?.range.upperBound ?? 0
      guard end == header.size else { throw FeedFault("volume \(number) ends at \(end)") }
    }
    warnings += try feed.lateWarnings()
    missing = feed.missing
  }

  private mutating func begin(_ header: VolumeHeader, _ keepsContent: Bool) throws {
    guard Int(header.number) == headers.count else { throw FeedFault("volume out of order") }
    headers.append(header)
    pieces.append([])
    runs.append([])
    content.append(keepsContent ? [UInt8](repeating: 0, count: Int(header.size)) : [])
  }

  private mutating func take(_ segment: Segment, _ keepsContent: Bool) throws {
    let number = Int(segment.volume)
    guard number < headers.count else { throw FeedFault("a segment of no volume") }
    var position = 0
    let buffer = segment.buffer
    for run in segment.runs {
      guard run.range.lowerBound == position, !run.range.isEmpty else {
        throw FeedFault("runs with gaps: \(segment.runs)")
      }
      position = run.range.upperBound
      let start = segment.offset + UInt64(run.range.lowerBound)
      runs[number].append((start, run))
      guard case .hole(let kind) = run.content else {
        try add(number, start..<start + UInt64(run.range.count), nil)
        if keepsContent, case .data = run.content {
          var target = content[number].mutableSpan
          target.copy(buffer.span(run.range), to: Int(start))
        }
        continue
      }
      try add(number, start..<start + UInt64(run.range.count), kind)
    }
    guard position == segment.count else { throw FeedFault("runs that end early") }
    if let fingerprint = segment.fingerprint { fingerprints.append(fingerprint) }
  }

  private mutating func add(_ number: Int, _ range: Range<UInt64>, _ kind: HoleKind?) throws {
    guard number < headers.count else { throw FeedFault("bytes of no volume") }
    let end = pieces[number].last?.range.upperBound ?? 0
    guard range.lowerBound == end, !range.isEmpty else {
      throw FeedFault("byte \(range.lowerBound) where \(end) should be")
    }
    if let last = pieces[number].last, last.kind == kind {
      pieces[number][pieces[number].count - 1] = Piece(
        last.range.lowerBound..<range.upperBound, kind)
    } else {
      pieces[number].append(Piece(range, kind))
    }
  }
}
