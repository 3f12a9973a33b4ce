/// A page-aligned piece of memory that is handed from stage to stage and used again.
///
/// One thread at a time owns a buffer; whoever hands it on must not touch it until it comes back.
/// A fresh array for each chunk costs 300 to 500 ms of CPU per GiB in page faults; this is why
/// buffers live in pools.
@safe public final class Buffer: @unchecked Sendable {
  private let base: UnsafeMutableRawPointer
  /// The size in bytes.
  public let count: Int

  /// - Parameter count: The size in bytes.
  public init(count: Int) {
    self.count = count
    unsafe base = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1), alignment: 4096)
  }

  deinit { unsafe base.deallocate() }

  /// All the bytes, for reading.
  public var span: Span<UInt8> {
    @_lifetime(borrow self)
    get {
      let span = unsafe Span<UInt8>(
        _unsafeStart: base.assumingMemoryBound(to: UInt8.self), count: count)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  /// The bytes of `range`, for reading.
  @_lifetime(borrow self)
  public func span(_ range: Range<Int>) -> Span<UInt8> {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    let span = unsafe Span<UInt8>(
      _unsafeStart: (base + range.lowerBound).assumingMemoryBound(to: UInt8.self),
      count: range.count)
    return unsafe _overrideLifetime(span, borrowing: self)
  }

  /// The bytes of `range`, for writing.
  ///
  /// The caller owns the buffer alone; the compiler cannot see that through a reference.
  @_lifetime(borrow self)
  public func mutableSpan(_ range: Range<Int>) -> MutableSpan<UInt8> {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    let span = unsafe MutableSpan<UInt8>(
      _unsafeStart: (base + range.lowerBound).assumingMemoryBound(to: UInt8.self),
      count: range.count)
    return unsafe _overrideLifetime(span, borrowing: self)
  }

  /// Copies `source` to `offset`.
  public func copy(_ source: Span<UInt8>, to offset: Int) {
    precondition(offset >= 0 && source.count <= count - offset)
    unsafe source.withUnsafeBufferPointer { bytes in
      if let start = bytes.baseAddress {
        unsafe (base + offset).copyMemory(from: start, byteCount: bytes.count)
      }
    }
  }

  /// Sets the bytes of `range` to zero.
  public func clear(_ range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    _ = unsafe (base + range.lowerBound).initializeMemory(
      as: UInt8.self, repeating: 0, count: range.count)
  }
}
