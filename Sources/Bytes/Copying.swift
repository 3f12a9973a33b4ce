/// Copies between spans and arrays at memory speed; a loop over elements is ten times slower.
extension MutableSpan<UInt8> {
  /// Copies `source` to `offset`.
  @_lifetime(self: copy self)
  public mutating func copy(_ source: Span<UInt8>, to offset: Int) {
    precondition(offset >= 0 && source.count <= count - offset)
    unsafe withUnsafeMutableBytes { target in
      unsafe source.withUnsafeBytes { bytes in
        guard let start = bytes.baseAddress, let base = target.baseAddress else { return }
        unsafe (base + offset).copyMemory(from: start, byteCount: bytes.count)
      }
    }
  }
}

extension [UInt8] {
  /// Appends all of `source`.
  public mutating func append(_ source: Span<UInt8>) {
    unsafe source.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
  }

  /// The bytes of `source`.
  public init(_ source: Span<UInt8>) {
    self = []
    append(source)
  }
}
