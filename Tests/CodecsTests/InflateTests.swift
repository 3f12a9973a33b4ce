import Bytes
import Codecs
import Testing

struct InflateTests {
  /// "hello hello hello hello" by zlib, level 9, as RFC 1950.
  private static let packed: [UInt8] = [
    0x78, 0xDA, 0xCB, 0x48, 0xCD, 0xC9, 0xC9, 0x57, 0xC8, 0x40, 0x27, 0x01, 0x68, 0x03, 0x08, 0xB1,
  ]
  private static let text = Array("hello hello hello hello".utf8)

  private func inflate(
    _ packed: [UInt8], _ wrapping: Inflater.Wrapping, room: Int
  ) throws -> [UInt8] {
    var plain = [UInt8](repeating: 0, count: room)
    var span = plain.mutableSpan
    let count = try Inflater().decompress(packed.span, wrapping, into: &span)
    return Array(plain[..<count])
  }

  @Test func `streams are decompressed, with and without a wrapping, whatever follows`() throws {
    #expect(try inflate(Self.packed, .zlib, room: 23) == Self.text)
    #expect(try inflate(Self.packed + [1, 2, 3], .zlib, room: 100) == Self.text)
    #expect(try inflate(Array(Self.packed[2...]), .none, room: 100) == Self.text)
  }

  @Test func `damage and too little room are told`() {
    for index in Self.packed.indices.dropFirst(2) {
      var bytes = Self.packed
      bytes[index] ^= 0x10
      #expect(throws: CodecError.self) { try inflate(bytes, .zlib, room: 23) }
    }
    for count in 0..<Self.packed.count {
      #expect(throws: CodecError.self) {
        try inflate(Array(Self.packed[..<count]), .zlib, room: 23)
      }
    }
    #expect(throws: CodecError.self) { try inflate(Self.packed, .zlib, room: 22) }
  }

  @Test func `zstd frames are decompressed until there is enough`() throws {
    let source = (0..<5000).map { UInt8(truncatingIfNeeded: $0 / 7) }
    func pack(_ bytes: ArraySlice<UInt8>) throws -> [UInt8] {
      var packed = [UInt8](repeating: 0, count: ZstdCompressor.bound(bytes.count))
      var span = packed.mutableSpan
      let count = try ZstdCompressor(level: 3).compress(bytes.span, into: &span)
      return Array(packed[..<(count ?? 0)])
    }
    let frames = try pack(source[..<3000]) + pack(source[3000...])
    let decompressor = ZstdDecompressor()
    for room in [5000, 4000, 3000, 10] {
      var plain = [UInt8](repeating: 0, count: room)
      var span = plain.mutableSpan
      try decompressor.decompressBeginning(of: (frames + [9, 9, 9]).span, into: &span)
      #expect(plain == Array(source[..<room]))
    }
    var plain = [UInt8](repeating: 0, count: 5001)
    #expect(throws: CodecError.self) {
      var span = plain.mutableSpan
      try decompressor.decompressBeginning(of: frames.span, into: &span)
    }
  }
}
