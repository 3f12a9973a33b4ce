public import Bytes
public import Codecs
internal import Platform

/// An aligned piece of a volume's address space, with what is in it: the unit of all work.
///
/// The buffer holds each run's bytes at the run's own place, so a run of data is
/// `buffer[run.range]`, and a compressed chunk of n bytes is the first n of them.
public final class Segment: @unchecked Sendable {
  /// The size in bytes of every segment but a volume's last.
  public static let byteCount = 4 << 20

  /// What a run holds.
  public enum Content: Equatable, Sendable {
    /// Plain bytes, not yet cut.
    case data
    /// A chunk that was cut upstream; no stored bytes means a reference to a chunk known by id.
    case chunk(id: Digest?, codec: Codec, storedCount: Int)
    case hole(HoleKind)
  }

  /// A range of the segment with one kind of content.
  public struct Run: Equatable, Sendable {
    /// Where in the segment, in bytes.
    public var range: Range<Int>
    public var content: Content

    public init(_ range: Range<Int>, _ content: Content) {
      self.range = range
      self.content = content
    }
  }

  public private(set) var volume: UInt32 = 0
  /// Where in the volume the segment starts, in bytes.
  public private(set) var offset: UInt64 = 0
  /// How many bytes of the volume it covers.
  public private(set) var count = 0
  public let buffer = Buffer(count: Segment.byteCount)
  /// In order, without gaps, covering all `count` bytes once the segment is loaded.
  public var runs: [Run] = []
  /// A fingerprint of the content that upstream computed, with the tag of the key it used.
  public var fingerprint: Fingerprint?
  /// Fills `buffer` and `runs`; nil when they are filled already.
  ///
  /// Runs on a worker.
  public var loader: (@Sendable (Segment) throws -> Void)?

  public init() {}

  /// Makes the segment stand for another place, with nothing in it.
  public func reset(volume: UInt32, offset: UInt64, count: Int) {
    precondition(offset % UInt64(Segment.byteCount) == 0 && count <= Segment.byteCount)
    self.volume = volume
    self.offset = offset
    self.count = count
    runs.removeAll(keepingCapacity: true)
    fingerprint = nil
    loader = nil
  }

  /// Loads what the feed left for a worker to load.
  public func load() throws {
    guard let loader else { return }
    self.loader = nil
    try loader(self)
  }

  /// Appends a run, joined to the last when both are plain bytes or the same kind of hole.
  public func append(_ range: Range<Int>, _ content: Content) {
    guard !range.isEmpty else { return }
    if let last = runs.last, last.range.upperBound == range.lowerBound, last.content == content {
      switch content {
      case .data, .hole:
        runs[runs.count - 1].range = last.range.lowerBound..<range.upperBound
        return
      case .chunk: break
      }
    }
    runs.append(Run(range, content))
  }

  /// The one hole kind that covers the whole segment, if there is one.
  public var solidHole: HoleKind? {
    if runs.count == 1, case .hole(let kind) = runs[0].content { return kind }
    return nil
  }
}

/// A keyed 128-bit hash of what a segment held, all holes taken as zeros.
public struct Fingerprint: Equatable, Sendable {
  public let value: UInt128
  /// Tells keys apart: fingerprints with different tags cannot be compared.
  public let keyTag: UInt64

  public init(value: UInt128, keyTag: UInt64) {
    self.value = value
    self.keyTag = keyTag
  }
}

/// Segments that are used again and again.
public final class SegmentPool: Sendable {
  private let free = Locked<[Segment]>([])

  public init() {}

  public func take() -> Segment { free.with { $0.popLast() } ?? Segment() }
  public func give(_ segment: Segment) { free.with { $0.append(segment) } }
}
