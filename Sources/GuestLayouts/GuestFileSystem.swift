public import Blocks

/// A file system that was found in an area, as a layout reads it: never written, never mounted.
///
/// The rule of safety: bytes are left out only where everything that says so is understood and in
/// order. What cannot be told is a `GuestDoubt`, and then everything is read. All places are bytes
/// from the area's start.
public protocol GuestFileSystem: Sendable {
  /// Bytes of the area that it covers, from the area's start.
  var byteCount: UInt64 { get }
  /// Bytes in use, as its own counters say, its metadata among them; nil when it has none.
  var usedByteCount: UInt64? { get }
  /// Why what files hold must not be left out although free space may be; nil when the places of
  /// files can be trusted. It concerns swap files and files that the user excludes. What throws in
  /// `freeSpace` need not be told here as well: both are asked.
  var fileDoubt: String? { get }
  /// Whether a machine has suspended with its state in one of the files.
  var isSuspended: Bool { get }
  /// Whether its structures say what its guest will find, or its log has to be replayed first.
  var log: GuestLogState { get }
  /// Looks for what belongs to nothing: no file, no directory, no structure of any kind.
  ///
  /// - Throws: `GuestDoubt` when nothing may be left out, `FormatError` for damage, `SourceError`.
  func freeSpace() throws -> FreeSpace
  /// The files, or nil when vpipe cannot read those of this file system.
  ///
  /// - Throws: `FormatError` when not even the root can be found, `SourceError`.
  func files() throws -> (any FileTree)?
}

extension GuestFileSystem {
  public var isSuspended: Bool { false }
  /// Most have no log, or nothing is left out of them before it is replayed.
  public var log: GuestLogState { .settled }

  /// Bytes in use: by its counters, or else by its map; nil when neither can be told.
  public var bytesInUse: UInt64? {
    if let usedByteCount { return usedByteCount }
    do {
      let free = try freeSpace().byteCount
      return free <= byteCount ? byteCount - free : nil
    } catch {
      return nil
    }
  }
}

/// Whether the log of a file system has been replayed.
public enum GuestLogState: Sendable {
  /// It has none, or nothing that matters is in it.
  case settled
  /// Not by its guest; `files()` gives the files as they will be then.
  case replayedInMemory
  /// No, and what its files will be then cannot be told, for this reason.
  case open(String)
}

/// Why everything has to be read.
public struct GuestDoubt: Error, CustomStringConvertible {
  /// In the user's words: `its journal has not been replayed`.
  public let description: String

  public init(_ description: String) { self.description = description }
}

/// Ranges of an area that belong to nothing, gathered in ascending order and in bounded memory.
///
/// When there are very many, the smallest are given up: what is read in vain costs space only.
public struct FreeSpace: Sendable {
  /// Whatever is smaller is read: data in smaller pieces would cost more than it saves.
  public static let leastHoleByteCount: UInt64 = 2048
  /// The most ranges that are kept: 16 MiB of them.
  static let rangeLimit = 1 << 20

  /// The ranges, in bytes of the area.
  public private(set) var extents = ExtentSet()
  /// Bytes that were added, whether their ranges are kept or not.
  public private(set) var byteCount: UInt64 = 0
  private let limit: Int
  /// Ranges of fewer bytes are given up.
  private var leastByteCount: UInt64 = 1

  public init() { limit = FreeSpace.rangeLimit }

  init(limit: Int) { self.limit = limit }

  /// Adds a range that starts at or behind the end of all that were added before.
  public mutating func add(_ range: Range<UInt64>) {
    byteCount += range.upperBound - range.lowerBound
    // What a range joins is large enough already.
    guard
      range.upperBound - range.lowerBound >= leastByteCount
        || extents.ranges.last?.upperBound == range.lowerBound
    else { return }
    extents.insert(range)
    while extents.ranges.count > limit {
      leastByteCount *= 2
      extents = extents.filter { $0.upperBound - $0.lowerBound >= leastByteCount }
    }
  }
}
