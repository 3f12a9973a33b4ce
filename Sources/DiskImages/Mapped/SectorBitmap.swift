internal import Bytes

/// Bitmaps that say of each sector of a block whether it is there.
enum SectorBitmap {
  /// Whether sector `sector` is there, and the first one after it of which the other is true.
  ///
  /// - Parameters:
  ///   - sector: A bit's number.
  ///   - end: The number of bits; the answer is `end` at most.
  ///   - word: 64 bits by their number, the first sector's bit the lowest.
  static func run(
    from sector: UInt64, to end: UInt64, _ word: (UInt64) throws -> UInt64
  ) rethrows -> (isHere: Bool, end: UInt64) {
    let first = try word(sector / 64) >> (sector % 64)
    let isHere = first & 1 == 1
    var next = sector
    // Bits that were shifted in are zeros, which must not be taken for sectors that are not there.
    var room = 64 - sector % 64
    var bits = first
    while next < end {
      let same = UInt64(isHere ? (~bits).trailingZeroBitCount : bits.trailingZeroBitCount)
      next += min(same, room)
      if same < room || next >= end { break }
      bits = try word(next / 64)
      room = 64
    }
    return (isHere, min(next, end))
  }
}

extension UInt64 {
  /// The same bits from the other end.
  var bitsReversed: UInt64 {
    var bits = byteSwapped
    bits = bits >> 4 & 0x0F0F_0F0F_0F0F_0F0F | bits << 4 & 0xF0F0_F0F0_F0F0_F0F0
    bits = bits >> 2 & 0x3333_3333_3333_3333 | bits << 2 & 0xCCCC_CCCC_CCCC_CCCC
    return bits >> 1 & 0x5555_5555_5555_5555 | bits << 1 & 0xAAAA_AAAA_AAAA_AAAA
  }
}
