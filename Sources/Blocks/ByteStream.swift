public import Platform

/// Bytes that arrive once, in order: a pipe, a member of an archive, or a file read from its start.
public protocol ByteStream: AnyObject {
  /// Reads up to `bytes.count` bytes.
  ///
  /// - Returns: How many arrived; 0 only at the end.
  func read(into bytes: inout MutableSpan<UInt8>) throws -> Int
  /// Passes over bytes without reading them.
  ///
  /// - Returns: How many were passed over: 0 where they have to be read.
  func skip(_ byteCount: UInt64) throws -> UInt64
}

extension ByteStream {
  public func skip(_ byteCount: UInt64) throws -> UInt64 { 0 }

  /// Reads until `bytes` is full or the stream ends.
  ///
  /// - Returns: How many bytes arrived.
  public func readFully(into bytes: inout MutableSpan<UInt8>) throws -> Int {
    var done = 0
    while done < bytes.count {
      var rest = bytes._mutatingExtracting(done..<bytes.count)
      let got = try read(into: &rest)
      if got == 0 { break }
      done += got
    }
    return done
  }

  /// Reads `count` bytes; fewer only at the end.
  public func bytes(_ count: Int) throws -> [UInt8] {
    var result = [UInt8](repeating: 0, count: count)
    var span = result.mutableSpan
    let got = try readFully(into: &span)
    if got < count { result.removeLast(count - got) }
    return result
  }
}

/// What an open descriptor delivers.
public final class DescriptorStream: ByteStream {
  private let file: FileDescriptor
  private var position: UInt64 = 0

  public init(_ file: FileDescriptor) {
    self.file = file
    file.widenPipe()
  }

  public func read(into bytes: inout MutableSpan<UInt8>) throws -> Int {
    do {
      let got = try file.read(into: &bytes)
      position += UInt64(got)
      return got
    } catch {
      throw SourceError(position..<position + UInt64(bytes.count), .unreadable(error))
    }
  }
}

/// A range of a disk or file, read from its start to its end.
public final class SourceStream: ByteStream {
  private let source: any BlockSource
  private var rest: Range<UInt64>

  /// - Parameters:
  ///   - source: Where it is read.
  ///   - range: Lies inside `source`; nil takes all of it.
  public init(_ source: any BlockSource, _ range: Range<UInt64>? = nil) {
    self.source = source
    rest = range ?? 0..<source.size
    precondition(rest.upperBound <= source.size)
  }

  public func read(into bytes: inout MutableSpan<UInt8>) throws -> Int {
    let count = Int(min(UInt64(bytes.count), rest.upperBound - rest.lowerBound))
    var part = bytes._mutatingExtracting(0..<count)
    try source.read(into: &part, at: rest.lowerBound)
    rest = rest.lowerBound + UInt64(count)..<rest.upperBound
    return count
  }

  public func skip(_ byteCount: UInt64) throws -> UInt64 {
    let count = min(byteCount, rest.upperBound - rest.lowerBound)
    rest = rest.lowerBound + count..<rest.upperBound
    return count
  }
}

/// A stream whose first bytes can be looked at before they are read.
public final class PeekedStream: ByteStream {
  private let stream: any ByteStream
  private var taken = 0
  /// The first bytes, read or not.
  public let head: [UInt8]

  /// - Parameter count: How many bytes to look at; fewer come only where the stream ends.
  public init(_ stream: any ByteStream, _ count: Int) throws {
    self.stream = stream
    head = try stream.bytes(count)
  }

  public func read(into bytes: inout MutableSpan<UInt8>) throws -> Int {
    guard taken < head.count else { return try stream.read(into: &bytes) }
    let count = min(bytes.count, head.count - taken)
    for index in 0..<count { bytes[index] = head[taken + index] }
    taken += count
    return count
  }

  public func skip(_ byteCount: UInt64) throws -> UInt64 {
    taken < head.count ? 0 : try stream.skip(byteCount)
  }
}
