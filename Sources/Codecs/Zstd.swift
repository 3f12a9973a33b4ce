internal import CZstd

/// A codec that was fed with what it cannot take.
public struct CodecError: Error, CustomStringConvertible {
  public let description: String

  public init(description: String) { self.description = description }
}

/// zstd compression; one object a thread.
@safe public final class ZstdCompressor {
  private let context: OpaquePointer

  /// The levels that may be asked for.
  public static let levels = 1...19

  /// Level 1 with the tables of a larger one, as zstd makes them small for small inputs.
  ///
  /// Measured on frames of 4 MiB of a real disk: 2.9 % smaller than the plain level at a quarter
  /// more CPU. `hashLog` 17 would take another 0.4 % off at a tenth more: its table fills half of the
  /// second-level cache. zstd itself shrinks what an input is too small for.
  private static let levelOneTuning: [(ZSTD_cParameter, Int32)] = [
    (ZSTD_c_windowLog, 22), (ZSTD_c_hashLog, 16), (ZSTD_c_minMatch, 5),
  ]

  /// - Parameter level: One of `levels`.
  public init(level: Int) {
    precondition(ZstdCompressor.levels.contains(level))
    guard let context = unsafe ZSTD_createCCtx() else { preconditionFailure("out of memory") }
    unsafe self.context = context
    set(ZSTD_c_compressionLevel, Int32(level))
    if level == 1 {
      for (parameter, value) in ZstdCompressor.levelOneTuning { set(parameter, value) }
    }
  }

  private func set(_ parameter: ZSTD_cParameter, _ value: Int32) {
    let status = unsafe ZSTD_CCtx_setParameter(context, parameter, value)
    precondition(ZSTD_isError(status) == 0, "zstd refused a parameter")
  }

  deinit { unsafe _ = ZSTD_freeCCtx(context) }

  /// The most bytes that compressing `count` bytes may need.
  public static func bound(_ count: Int) -> Int { ZSTD_compressBound(count) }

  /// Compresses `source` into `target`.
  ///
  /// - Returns: How many bytes, or nil when they would not be fewer than the plain ones.
  public func compress(
    _ source: Span<UInt8>, into target: inout MutableSpan<UInt8>
  ) throws -> Int? {
    let count = unsafe target.withUnsafeMutableBytes { output in
      unsafe source.withUnsafeBytes { input in
        unsafe ZSTD_compress2(
          context, output.baseAddress, output.count, input.baseAddress, input.count)
      }
    }
    if ZSTD_isError(count) != 0 {
      if ZSTD_getErrorCode(count) == ZSTD_error_dstSize_tooSmall { return nil }
      throw CodecError(description: unsafe "zstd: \(String(cString: ZSTD_getErrorName(count)))")
    }
    return count < source.count ? count : nil
  }
}

/// zstd decompression into a buffer of known size; one object a thread.
@safe public final class ZstdDecompressor {
  private let context: OpaquePointer

  public init() {
    guard let context = unsafe ZSTD_createDCtx() else { preconditionFailure("out of memory") }
    unsafe self.context = context
  }

  deinit { unsafe _ = ZSTD_freeDCtx(context) }

  /// Decompresses `source`, which must fill `target` exactly.
  ///
  /// Memory is bounded by the target: nothing is allocated from what the input claims.
  public func decompress(
    _ source: Span<UInt8>, into target: inout MutableSpan<UInt8>
  ) throws(CodecError) {
    let wanted = target.count
    let count = unsafe target.withUnsafeMutableBytes { output in
      unsafe source.withUnsafeBytes { input in
        unsafe ZSTD_decompressDCtx(
          context, output.baseAddress, output.count, input.baseAddress, input.count)
      }
    }
    if ZSTD_isError(count) != 0 {
      throw CodecError(description: unsafe "zstd: \(String(cString: ZSTD_getErrorName(count)))")
    }
    guard count == wanted else {
      throw CodecError(description: "zstd: \(count) bytes came out, expected \(wanted)")
    }
  }

  /// Decompresses the frames that `source` begins with, until `target` is full; what follows is not
  /// looked at.
  ///
  /// - Throws: Also when the frames are not enough.
  public func decompressBeginning(
    of source: Span<UInt8>, into target: inout MutableSpan<UInt8>
  ) throws(CodecError) {
    unsafe _ = ZSTD_DCtx_reset(context, ZSTD_reset_session_only)
    // A window is allocated as large as the input asks for.
    unsafe _ = ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 23)
    var trouble: String?
    unsafe target.withUnsafeMutableBytes { output in
      unsafe source.withUnsafeBytes { input in
        var from = unsafe ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var to = unsafe ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
        while unsafe to.pos < to.size {
          let before = unsafe (from.pos, to.pos)
          let status = unsafe ZSTD_decompressStream(context, &to, &from)
          if ZSTD_isError(status) != 0 {
            trouble = unsafe String(cString: ZSTD_getErrorName(status))
            break
          }
          if unsafe before == (from.pos, to.pos) {
            trouble = unsafe "only \(to.pos) of \(to.size) bytes come out"
            break
          }
        }
      }
    }
    if let trouble { throw CodecError(description: "zstd: \(trouble)") }
  }
}
