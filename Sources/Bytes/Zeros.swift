/// Finding zeros, the first thing done to every byte that is read.
public enum Zeros {
  /// Zeros are found, and holes are cut, at multiples of this many bytes.
  public static let grain = 4096

  /// Whether all of `bytes` are zero; an empty span is.
  ///
  /// Eight words a turn; leaves at the first 64 bytes that hold anything.
  public static func isZero(_ bytes: Span<UInt8>) -> Bool {
    unsafe bytes.withUnsafeBytes { raw in
      var offset = 0
      while offset + 64 <= raw.count {
        var mixed: UInt64 = 0
        for word in 0..<8 {
          mixed |= unsafe raw.loadUnaligned(fromByteOffset: offset + word * 8, as: UInt64.self)
        }
        if mixed != 0 { return false }
        offset += 64
      }
      while offset < raw.count {
        if unsafe raw[offset] != 0 { return false }
        offset += 1
      }
      return true
    }
  }

  /// Calls `body` for each run of zero and of non-zero grains of `bytes`, in order.
  ///
  /// - Parameters:
  ///   - bytes: The bytes; their first and their last grain may be short.
  ///   - place: Where the bytes start, which grains are counted from.
  ///   - body: Takes the run's range in `bytes` and whether it is zero.
  public static func forEachRun(
    _ bytes: Span<UInt8>, at place: Int = 0, _ body: (Range<Int>, Bool) throws -> Void
  ) rethrows {
    var start = 0
    var kind: Bool?
    var offset = 0
    while offset < bytes.count {
      let end = min(offset + grain - (place + offset) % grain, bytes.count)
      let zero = isZero(bytes.extracting(offset..<end))
      if let known = kind, known != zero {
        try body(start..<offset, known)
        start = offset
      }
      kind = zero
      offset = end
    }
    if let known = kind { try body(start..<bytes.count, known) }
  }
}

/// Whether two spans hold the same bytes; at memory speed.
public func areEqual(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
  guard left.count == right.count else { return false }
  return unsafe left.withUnsafeBytes { first in
    unsafe right.withUnsafeBytes { second in
      var offset = 0
      while offset + 64 <= first.count {
        var mixed: UInt64 = 0
        for word in 0..<8 {
          let place = offset + word * 8
          mixed |=
            unsafe first.loadUnaligned(fromByteOffset: place, as: UInt64.self)
            ^ second.loadUnaligned(fromByteOffset: place, as: UInt64.self)
        }
        if mixed != 0 { return false }
        offset += 64
      }
      while offset < first.count {
        if unsafe first[offset] != second[offset] { return false }
        offset += 1
      }
      return true
    }
  }
}
