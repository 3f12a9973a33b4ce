/// Whole segments of a volume that are one kind of hole; costs the same however long it is.
public struct HoleSpan: Equatable, Sendable {
  public let volume: UInt32
  /// Starts on a segment's start, ends on a segment's start or the volume's end.
  public let range: Range<UInt64>
  public let kind: HoleKind

  public init(volume: UInt32, range: Range<UInt64>, kind: HoleKind) {
    self.volume = volume
    self.range = range
    self.kind = kind
  }
}

/// A small named file that travels with the volumes.
public struct Attachment: Equatable, Sendable {
  public let name: String
  public let bytes: [UInt8]
  /// The most bytes of a name and of a file.
  public static let nameLimit = 1024
  public static let byteLimit = 8 << 20

  public init(name: String, bytes: [UInt8]) {
    self.name = name
    self.bytes = bytes
  }
}

/// A frame of a stream whose type is not known here and need not be: it is passed on unread.
public struct ForeignFrame: Equatable, Sendable {
  public let type: UInt16
  public let flags: UInt16
  public let volume: UInt32
  public let offset: UInt64
  public let length: UInt64
  public let detail: UInt32
  public let payload: [UInt8]

  public init(
    type: UInt16, flags: UInt16, volume: UInt32, offset: UInt64, length: UInt64, detail: UInt32,
    payload: [UInt8]
  ) {
    self.type = type
    self.flags = flags
    self.volume = volume
    self.offset = offset
    self.length = length
    self.detail = detail
    self.payload = payload
  }
}

/// One thing that a feed delivers.
public enum FeedItem {
  /// A volume that will follow; comes before anything of that volume.
  case volume(VolumeHeader)
  case segment(Segment)
  case span(HoleSpan)
  case attachment(Attachment)
  /// Something the user of the point should know.
  case warning(String)
  case foreign(ForeignFrame)
}

/// Volumes arriving piece by piece: from files, from a stream or from a repository.
///
/// Every volume's segments and spans come in ascending order and cover it exactly. `next` throws
/// when the feed cannot keep that promise; only its nil says that all has arrived.
public protocol VolumeFeed: AnyObject {
  /// The next item, or nil when everything has come.
  func next() throws -> FeedItem?
  /// Takes back a segment that the consumer is done with.
  func recycle(_ segment: Segment)
  /// After the end: what could not be read of the source, empty when all could.
  var missing: [String] { get }
  /// After the end, when all segments are loaded: warnings that nothing could tell before.
  ///
  /// `LoadAhead` delivers them as items. A feed that wraps another one must ask that one.
  func lateWarnings() throws -> [String]
}

extension VolumeFeed {
  public func lateWarnings() throws -> [String] { [] }
}
