import Bytes
import Codecs
import TestSupport
import Testing

/// Compression and its opposite, fed with the right and the wrong.
struct ZstdTests {
  private func packed(_ plain: [UInt8], level: Int = 1, room: Int? = nil) throws -> [UInt8]? {
    var target = [UInt8](repeating: 0, count: room ?? ZstdCompressor.bound(plain.count))
    var span = target.mutableSpan
    guard let count = try ZstdCompressor(level: level).compress(plain.span, into: &span) else {
      return nil
    }
    return Array(target[..<count])
  }

  private func unpacked(_ stored: [UInt8], _ count: Int) throws(CodecError) -> [UInt8] {
    var target = [UInt8](repeating: 0xee, count: count)
    var span = target.mutableSpan
    try ZstdDecompressor().decompress(stored.span, into: &span)
    return target
  }

  private let text = Array(String(repeating: "a line of a log file\n", count: 3000).utf8)

  @Test(arguments: [1, 3, 9, 19])
  func `what is compressed comes back`(level: Int) throws {
    for plain in [text, [UInt8](repeating: 0, count: 1 << 20), text + Noise.bytes(5000, seed: 1)] {
      let stored = try #require(try packed(plain, level: level))
      #expect(stored.count < plain.count)
      #expect(try unpacked(stored, plain.count) == plain)
    }
  }

  @Test func `a compressor is used again and again`() throws {
    let compressor = ZstdCompressor(level: 1)
    let decompressor = ZstdDecompressor()
    for turn in 0..<50 {
      let plain = Array(text[(turn * 100)...]) + Noise.bytes(turn * 10, seed: UInt64(turn))
      var target = [UInt8](repeating: 0, count: ZstdCompressor.bound(plain.count))
      var span = target.mutableSpan
      let count = try #require(try compressor.compress(plain.span, into: &span))
      var back = [UInt8](repeating: 0, count: plain.count)
      var room = back.mutableSpan
      try decompressor.decompress(target.span.extracting(0..<count), into: &room)
      #expect(back == plain)
    }
  }

  @Test func `what does not compress is nil`() throws {
    #expect(try packed(Noise.bytes(70_000, seed: 1)) == nil)
    #expect(try packed([]) == nil)
    #expect(try packed([1]) == nil)
    // Nor is too little room an error.
    #expect(try packed(text, room: 10) == nil)
  }

  @Test func `truncated, damaged or falsely sized input is refused`() throws {
    let stored = try #require(try packed(text))
    for count in stored.indices {
      #expect(throws: CodecError.self) { try unpacked(Array(stored[..<count]), text.count) }
    }
    for wrong in [0, 1, text.count - 1, text.count + 1, text.count * 2] {
      #expect(throws: CodecError.self) { try unpacked(stored, wrong) }
    }
    // No checksum is in the frame: a flip may decode, but never to more or less than was asked for.
    for place in stored.indices {
      var damaged = stored
      damaged[place] ^= 0xff
      #expect((try? unpacked(damaged, text.count))?.count ?? text.count == text.count)
    }
    let seed = freshSeed()
    var noise = Noise(seed)
    for _ in 0..<500 {
      let bytes = Array(stored.prefix(5)) + noise.bytes(noise.below(300))
      #expect(throws: CodecError.self, "seed \(seed)") { try unpacked(bytes, 4096) }
    }
  }

  /// A frame that claims 2^60 bytes allocates nothing for them.
  @Test func `claims of size cost nothing`() {
    let magic: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd]
    let claim: [UInt8] = [0xe0, 0, 0, 0, 0, 0, 0, 0, 0x10]
    #expect(throws: CodecError.self) { try unpacked(magic + claim + [1, 0, 0], 4096) }
  }
}
