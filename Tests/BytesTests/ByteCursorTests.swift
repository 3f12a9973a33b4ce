import Bytes
import TestSupport
import Testing

/// The cursor and the builder, which mirror each other.
struct ByteCursorTests {
  private enum Kind: UInt16 {
    case one = 0x0102
  }

  /// One of everything.
  private func built(_ order: ByteOrder) -> [UInt8] {
    var builder = ByteBuilder(order, capacity: 8)
    builder.text("magic")
    builder.u8(0x11)
    builder.u16(0x0102)
    builder.u16(0x2233)
    builder.u32(0x4455_6677)
    builder.u64(0x8899_aabb_ccdd_eeff)
    builder.digest(Digest(words: (1, 2, 3, 4)))
    builder.raw([9, 8, 7])
    builder.zeros(2)
    builder.pad(to: 70)
    return builder.bytes
  }

  private func parse(_ bytes: [UInt8], _ order: ByteOrder) throws(FormatError) -> Int {
    var cursor = ByteCursor(bytes.span, of: "sample", at: 1000, order)
    try cursor.expect("magic")
    let small = (try cursor.u8(), try cursor.one() as Kind, try cursor.u16(), try cursor.u32())
    let large = (try cursor.u64(), try cursor.digest(), try cursor.array(3))
    #expect(small == (0x11, Kind.one, 0x2233, 0x4455_6677))
    #expect(large == (0x8899_aabb_ccdd_eeff, Digest(words: (1, 2, 3, 4)), [9, 8, 7]))
    try cursor.skip(13)
    #expect(cursor.remaining == 0)
    return cursor.position
  }

  @Test(arguments: [ByteOrder.big, .little])
  func `what is built is parsed`(order: ByteOrder) throws {
    #expect(try parse(built(order), order) == 70)
  }

  @Test(arguments: [ByteOrder.big, .little])
  func `every truncation is refused where it is met`(order: ByteOrder) {
    let whole = built(order)
    for count in whole.indices {
      let error = #expect(throws: FormatError.self) { try parse(Array(whole[..<count]), order) }
      #expect(error?.reason == .truncated)
      #expect(error?.structure == "sample")
      #expect((1000...1000 + UInt64(count)).contains(error?.offset ?? 0))
    }
  }

  @Test func `orders are what they say`() throws {
    var big = ByteBuilder(.big)
    big.u32(0x0102_0304)
    #expect(big.bytes == [1, 2, 3, 4])
    var little = ByteBuilder(.little)
    little.u32(0x0102_0304)
    #expect(little.bytes == [4, 3, 2, 1])
  }

  @Test func `errors say what, where and why`() {
    #expect(
      complaint([0, 0]) { _ = try $0.one() as Kind } == "box at byte 8: Kind 0 is not supported")
    #expect(complaint([1]) { try $0.expect("x") } == "box at byte 8: not the expected signature")
    #expect(complaint([]) { try $0.expect("x") } == "box at byte 8: truncated")
    #expect(
      complaint([1, 2]) { cursor in
        _ = try cursor.u8()
        try cursor.skip(2)
      } == "box at byte 9: truncated")
    #expect(complaint([1]) { try $0.skip(-1) } == "box at byte 8: truncated")
    #expect(complaint([1]) { _ = try $0.array(.max) } == "box at byte 8: truncated")
    #expect(complaint([1]) { _ = try $0.array(-1) } == "box at byte 8: truncated")
    let checksum = FormatError("box", at: 1, .badChecksum(stored: 16, computed: 255))
    #expect("\(checksum)" == "box at byte 1: checksum is 0x10, computed 0xff")
    #expect("\(FormatError("box", at: 1, .impossible("too small")))" == "box at byte 1: too small")
  }

  private func complaint(
    _ bytes: [UInt8], _ body: (inout ByteCursor) throws -> Void
  ) -> String {
    var cursor = ByteCursor(bytes.span, of: "box", at: 8, .big)
    do {
      try body(&cursor)
      return ""
    } catch {
      return "\(error)"
    }
  }

  @Test func `loads read anywhere, aligned or not`() {
    let bytes = (0..<64).map { UInt8($0) }
    for offset in 0..<32 {
      let words = (0..<8).map { UInt64(bytes[offset + $0]) }
      let span = bytes.span
      let (big, little) = (span.big64(at: offset), span.little64(at: offset))
      let (half, digest) = (span.little32(at: offset), span.digest(at: offset))
      #expect(big == words.reduce(0) { $0 << 8 | $1 })
      #expect(little == words.reversed().reduce(0) { $0 << 8 | $1 })
      #expect(half == UInt32(words[..<4].reversed().reduce(0) { $0 << 8 | $1 }))
      #expect(digest.bytes == Array(bytes[offset..<offset + 32]))
    }
  }
}
