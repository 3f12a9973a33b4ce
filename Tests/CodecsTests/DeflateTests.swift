import Codecs
import TestSupport
import Testing

struct DeflateTests {
  @Test(arguments: [Inflater.Wrapping.none, .zlib])
  func `what is compressed comes out again, whatever it is`(wrapping: Inflater.Wrapping) throws {
    var noise = Noise(3)
    let contents = [
      noise.bytes(65536), [UInt8](repeating: 7, count: 65536), [1],
      (0..<65536).map { UInt8(truncatingIfNeeded: $0 / 97) },
    ]
    let deflater = Deflater(level: 3)
    for content in contents {
      var packed = [UInt8](repeating: 0, count: Deflater.bound(content.count))
      var target = packed.mutableSpan
      let count = try #require(deflater.compress(content.span, wrapping, into: &target))
      let part = Array(packed[0..<count])
      var plain = [UInt8](repeating: 0, count: content.count)
      var room = plain.mutableSpan
      #expect(try Inflater().decompress(part.span, wrapping, into: &room) == content.count)
      #expect(plain == content)
    }
  }

  @Test func `what does not fit is told`() {
    var noise = Noise(4)
    let content = noise.bytes(4096)
    var packed = [UInt8](repeating: 0, count: 4095)
    var target = packed.mutableSpan
    #expect(Deflater(level: 3).compress(content.span, .none, into: &target) == nil)
  }
}
