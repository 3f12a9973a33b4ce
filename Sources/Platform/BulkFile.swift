internal import Bytes

/// A file or device of which much is written and little read again soon.
///
/// Large writes go past the page cache where the file system is a local one. That spares the copy
/// into the cache, leaves the cache to those who read, and the flush at the end finds nothing left
/// to do: 5 GB into a file took 3 s of processor time instead of 9. Elsewhere, on network file
/// systems above all, the cache takes everything, and write-out is started along the way.
public final class BulkFile {
  /// Smaller pieces are left to the cache, which joins them.
  private static let leastDirect = 64 << 10
  /// What places, counts and memory of direct writes must be multiples of.
  private static let unit = 4096
  /// Smaller steps of write-out cost more calls and more seeks; larger ones leave more for the end.
  private static let step: UInt64 = 32 << 20

  public let file: FileDescriptor
  private var mayBeDirect: Bool
  private var isDirect = false
  private var pending: Range<UInt64> = 0..<0

  /// - Parameters:
  ///   - file: An open file; its description is this process's own.
  ///   - isCached: Whether it is read again soon.
  public init(_ file: FileDescriptor, isCached: Bool = false) {
    self.file = file
    mayBeDirect = !isCached && file.gainsFromDirectWrites
  }

  /// Writes all of `bytes` at `offset`.
  public func write(_ bytes: Span<UInt8>, at offset: UInt64) throws(SystemError) {
    let unit = BulkFile.unit
    let head = min((unit - Int(offset % UInt64(unit))) % unit, bytes.count)
    let end = head + (bytes.count - head) / unit * unit
    guard mayBeDirect, end - head >= BulkFile.leastDirect else {
      return try writeCached(bytes, at: offset)
    }
    do throws(SystemError) {
      if !isDirect { isDirect = file.setDirect(true) }
      guard isDirect else { throw SystemError("set direct writes", code: SystemError.invalid) }
      try file.write(bytes.extracting(head..<end), at: offset + UInt64(head))
    } catch {
      guard error.isInvalid else { throw error }
      // The medium asks for more than is known here: the cache takes everything.
      mayBeDirect = false
      return try writeCached(bytes, at: offset)
    }
    if head > 0 { try writeCached(bytes.extracting(0..<head), at: offset) }
    if end < bytes.count {
      try writeCached(bytes.extracting(end..<bytes.count), at: offset + UInt64(end))
    }
  }

  private func writeCached(_ bytes: Span<UInt8>, at offset: UInt64) throws(SystemError) {
    try finish()
    try file.write(bytes, at: offset)
    let range = offset..<offset + UInt64(bytes.count)
    pending =
      pending.isEmpty
      ? range
      : min(pending.lowerBound, range.lowerBound)..<max(pending.upperBound, range.upperBound)
    guard pending.upperBound - pending.lowerBound >= BulkFile.step else { return }
    file.startWriteback(pending)
    pending = 0..<0
  }

  /// Leaves the file as an ordinary one, which takes any write.
  public func finish() throws(SystemError) {
    guard isDirect else { return }
    guard file.setDirect(false) else { throw SystemError("end direct writes") }
    isDirect = false
  }
}

/// Bytes one after the other into a `BulkFile`, in large aligned pieces.
public final class BulkAppender {
  private let target: BulkFile
  private let buffer = Buffer(count: 4 << 20)
  private var held = 0
  private var written: UInt64 = 0

  /// - Parameter file: An empty file.
  public init(_ file: FileDescriptor) { target = BulkFile(file) }

  /// Appends all of `bytes`.
  public func append(_ bytes: Span<UInt8>) throws(SystemError) {
    var done = 0
    while done < bytes.count {
      let count = min(bytes.count - done, buffer.count - held)
      buffer.copy(bytes.extracting(done..<done + count), to: held)
      held += count
      done += count
      if held == buffer.count { try flush() }
    }
  }

  private func flush() throws(SystemError) {
    let buffer = buffer
    try target.write(buffer.span(0..<held), at: written)
    written += UInt64(held)
    held = 0
  }

  /// Writes what is still held.
  public func finish() throws(SystemError) {
    try flush()
    try target.finish()
  }
}
