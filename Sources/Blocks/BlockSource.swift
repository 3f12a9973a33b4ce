public import Platform

/// A disk's content as an address space that can be read anywhere, from any thread.
public protocol BlockSource: AnyObject, Sendable {
  /// The size in bytes.
  var size: UInt64 { get }
  /// Bytes of a logical sector.
  var sectorSize: UInt32 { get }
  /// Fills `bytes` from `offset`; all of it lies inside the disk.
  ///
  /// - Throws: `SourceError` when bytes are not there or cannot be read.
  func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws
  /// The first extent at or after `offset` that may hold data; nil when only zeros are left.
  func nextData(at offset: UInt64) throws -> Range<UInt64>?
}

extension BlockSource {
  /// Reads `count` bytes at `offset`; nil when the disk ends before.
  public func bytes(_ count: Int, at offset: UInt64) throws -> [UInt8]? {
    guard offset <= size, UInt64(count) <= size - offset else { return nil }
    var result = [UInt8](repeating: 0, count: count)
    var span = result.mutableSpan
    try read(into: &span, at: offset)
    return result
  }

  /// Fills `bytes` from `offset`; what lies beyond the disk's end becomes zero.
  ///
  /// - Throws: `SourceError` when bytes are not there or cannot be read.
  public func readPadded(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    let count = Int(min(UInt64(bytes.count), size - min(offset, size)))
    if count > 0 {
      var there = bytes._mutatingExtracting(0..<count)
      try read(into: &there, at: offset)
    }
    var beyond = bytes._mutatingExtracting(count..<bytes.count)
    beyond.update(repeating: 0)
  }
}

/// Trouble of the source, never to be mixed up with trouble of where the data goes.
public struct SourceError: Error, CustomStringConvertible {
  public enum Reason: Sendable {
    /// The medium could not read it.
    case unreadable(SystemError)
    /// The file ended before its size.
    case ended
    /// What is kept of it is not what it should be, for the reason in the text.
    case damaged(String)
    /// Nothing can be read of it any more, for the reason in the text.
    case lost(String)
  }

  /// What was being read, in bytes of the source.
  public let range: Range<UInt64>
  public let reason: Reason
  /// The file, where it is not the one that everybody thinks of.
  public private(set) var file: String?

  public init(_ range: Range<UInt64>, _ reason: Reason) {
    self.range = range
    self.reason = reason
  }

  /// Whether nothing can be read any more, at any place.
  public var isLoss: Bool {
    if case .lost = reason { return true }
    return false
  }

  public var description: String {
    let place =
      (file.map { "\($0): " } ?? "") + "bytes \(range.lowerBound) to \(range.upperBound)"
    return switch reason {
    case .unreadable(let error): "\(place): \(error)"
    case .ended: "\(place): the source has become shorter"
    case .damaged(let reason), .lost(let reason): "\(place): \(reason)"
    }
  }

  /// The same trouble, in the file of that path unless it names one.
  public func inFile(_ path: String) -> SourceError {
    var error = self
    error.file = file ?? path
    return error
  }
}

/// A window of another source: a partition, or a fixed disk without its footer.
public final class WindowSource: BlockSource {
  private let base: any BlockSource
  private let start: UInt64
  public let size: UInt64
  public var sectorSize: UInt32 { base.sectorSize }

  /// - Parameter range: Lies inside `base`.
  public init(_ base: any BlockSource, _ range: Range<UInt64>) {
    precondition(range.upperBound <= base.size)
    self.base = base
    start = range.lowerBound
    size = range.upperBound - range.lowerBound
  }

  public func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    try base.read(into: &bytes, at: start + offset)
  }

  public func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    guard offset < size, let data = try base.nextData(at: start + offset) else { return nil }
    let low = max(data.lowerBound, start + offset) - start
    guard low < size else { return nil }
    return low..<min(data.upperBound - start, size)
  }
}

/// A disk in memory, for tests.
public final class MemorySource: BlockSource {
  private let content: [UInt8]
  public let sectorSize: UInt32
  public var size: UInt64 { UInt64(content.count) }

  public init(_ content: [UInt8], sectorSize: UInt32 = 512) {
    self.content = content
    self.sectorSize = sectorSize
  }

  public func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    guard offset + UInt64(bytes.count) <= size else {
      throw SourceError(offset..<offset + UInt64(bytes.count), .ended)
    }
    for index in 0..<bytes.count { bytes[index] = content[Int(offset) + index] }
  }

  public func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    offset < size ? offset..<size : nil
  }
}
