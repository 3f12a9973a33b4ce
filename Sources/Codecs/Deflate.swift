internal import CDeflate

/// Deflate compression by libdeflate; one object a thread.
@safe public final class Deflater {
  private let context: OpaquePointer

  /// - Parameter level: 1, the fastest, to 12.
  public init(level: Int) {
    precondition((1...12).contains(level))
    guard let context = unsafe libdeflate_alloc_compressor(Int32(level)) else {
      preconditionFailure("out of memory")
    }
    unsafe self.context = context
  }

  deinit { unsafe libdeflate_free_compressor(context) }

  /// The most bytes that compressing `count` bytes may need, whatever is put around them.
  public static func bound(_ count: Int) -> Int {
    libdeflate_zlib_compress_bound(nil, count)
  }

  /// Compresses `source` into `target`.
  ///
  /// - Returns: How many bytes; nil when `target` is too small.
  public func compress(
    _ source: Span<UInt8>, _ wrapping: Inflater.Wrapping, into target: inout MutableSpan<UInt8>
  ) -> Int? {
    let count = unsafe target.withUnsafeMutableBytes { output in
      unsafe source.withUnsafeBytes { input in
        switch wrapping {
        case .none:
          unsafe libdeflate_deflate_compress(
            context, input.baseAddress, input.count, output.baseAddress, output.count)
        case .zlib:
          unsafe libdeflate_zlib_compress(
            context, input.baseAddress, input.count, output.baseAddress, output.count)
        }
      }
    }
    return count == 0 ? nil : count
  }
}
