/// Runs of clear bits in allocation bitmaps, least significant bit first: what is free.
enum BitRuns {
  /// Calls `body` for each run of clear bits, in order.
  ///
  /// - Parameters:
  ///   - bytes: The bitmap; bits beyond it count as set.
  ///   - count: How many of its bits mean something.
  static func forEachClear(
    in bytes: borrowing Span<UInt8>, count: Int, _ body: (Range<Int>) throws -> Void
  ) rethrows {
    let count = min(count, bytes.count * 8)
    var start: Int?
    var position = 0
    while position < count {
      let byte = bytes[position / 8]
      let width = min(8, count - position)
      if byte == 0xFF {
        if let first = start { try body(first..<position) }
        start = nil
      } else if byte == 0, width == 8 {
        if start == nil { start = position }
      } else {
        for bit in 0..<width {
          if byte >> UInt8(bit) & 1 == 0 {
            if start == nil { start = position + bit }
          } else {
            if let first = start { try body(first..<position + bit) }
            start = nil
          }
        }
      }
      position += 8
    }
    if let start { try body(start..<count) }
  }

  /// How many of the first `count` bits are clear.
  static func clearCount(in bytes: borrowing Span<UInt8>, count: Int) -> Int {
    var sum = 0
    forEachClear(in: bytes, count: count) { sum += $0.count }
    return sum
  }
}
