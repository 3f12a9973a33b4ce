internal import CDeflate

/// Deflate decompression by libdeflate, into a buffer of known size; one object a thread.
@safe public final class Inflater {
  /// What stands around the compressed data.
  public enum Wrapping: Sendable {
    /// Nothing: RFC 1951.
    case none
    /// A header and an Adler-32: RFC 1950.
    case zlib
  }

  private let context: OpaquePointer

  public init() {
    guard let context = unsafe libdeflate_alloc_decompressor() else {
      preconditionFailure("out of memory")
    }
    unsafe self.context = context
  }

  deinit { unsafe libdeflate_free_decompressor(context) }

  /// Decompresses the stream that `source` begins with; what follows it is not looked at.
  ///
  /// - Returns: How many bytes of `target` it filled.
  /// - Throws: Also when `target` is too small.
  public func decompress(
    _ source: Span<UInt8>, _ wrapping: Wrapping, into target: inout MutableSpan<UInt8>
  ) throws(CodecError) -> Int {
    var taken = 0
    var count = 0
    let result = unsafe target.withUnsafeMutableBytes { output in
      unsafe source.withUnsafeBytes { input in
        switch wrapping {
        case .none:
          unsafe libdeflate_deflate_decompress_ex(
            context, input.baseAddress, input.count, output.baseAddress, output.count, &taken,
            &count)
        case .zlib:
          unsafe libdeflate_zlib_decompress_ex(
            context, input.baseAddress, input.count, output.baseAddress, output.count, &taken,
            &count)
        }
      }
    }
    switch result {
    case LIBDEFLATE_SUCCESS: return count
    case LIBDEFLATE_INSUFFICIENT_SPACE:
      throw CodecError(description: "deflate: more than \(target.count) bytes come out")
    default: throw CodecError(description: "deflate: damaged")
    }
  }
}
