import Bytes
import TestSupport
import Testing

/// Digests, hexadecimal text, sizes.
struct ValueTests {
  @Test func `digests are ordered as their bytes are`() {
    let seed = freshSeed()
    var noise = Noise(seed)
    var digests = (0..<500).compactMap { _ in Digest(noise.bytes(32)) }
    // Some that differ late.
    for digest in digests.prefix(100) {
      var bytes = digest.bytes
      bytes[noise.below(32)] ^= UInt8(1 + noise.below(255))
      digests += [Digest(bytes)].compactMap { $0 }
    }
    let sorted = digests.sorted().map(\.bytes)
    let wanted = digests.map(\.bytes).sorted { $0.lexicographicallyPrecedes($1) }
    #expect(sorted == wanted, "seed \(seed)")
  }

  @Test func `digests and texts are each other's mirror`() {
    let bytes = Noise.bytes(32, seed: 1)
    let digest = Digest(bytes)
    #expect(digest?.bytes == bytes)
    #expect(digest?.description == Hex.text(bytes))
    #expect(Digest(hex: Hex.text(bytes)) == digest)
    #expect(Digest(hex: Hex.text(bytes).uppercased()) == digest)
    #expect(Digest(bytes + [1]) == digest)
    #expect(Digest(Array(bytes.dropLast())) == nil)
    #expect(Digest(hex: Hex.text(bytes) + "00") == nil)
    #expect(Digest(hex: String(Hex.text(bytes).dropLast())) == nil)
  }

  @Test func `hexadecimal text`() {
    #expect(Hex.text([0, 0x0f, 0xa5, 0xff]) == "000fa5ff")
    #expect(Hex.bytes("000fA5ff") == [0, 0x0f, 0xa5, 0xff])
    #expect(Hex.bytes("") == [])
    for text in ["0", "0g", "0 ", " 00", "0x00", "é0", "-1", "٠٠"] {
      #expect(Hex.bytes(text) == nil)
    }
    for byte in UInt8.min...UInt8.max { #expect(Hex.bytes(Hex.text([byte])) == [byte]) }
  }

  @Test(
    arguments: [
      ("0", 0), ("1", 1), ("512b", 512), ("64K", 65536), ("64k", 65536), ("1KiB", 1024),
      ("1kb", 1024), ("127GiB", 127 << 30), ("8TB", 8 << 40), ("3P", 3 << 50), ("1m", 1 << 20),
      ("18446744073709551615", UInt64.max), ("16383P", 16383 << 50),
    ] as [(String, UInt64)])
  func `sizes are read`(text: String, size: UInt64) {
    #expect(ByteSize.parse(text) == size)
  }

  @Test(arguments: [
    "", "K", "1.5G", "-1", "+1", " 1", "1 ", "1 K", "1X", "1KK", "1Ki", "0x10", "１", "½",
    "18446744073709551616", "16384P", "99999999999999999999999",
  ])
  func `what is no size is refused`(text: String) {
    #expect(ByteSize.parse(text) == nil)
  }

  @Test(
    arguments: [
      (0, "0 B"), (1, "1 B"), (1023, "1023 B"), (1024, "1.00 KiB"), (1536, "1.50 KiB"),
      (10 << 10, "10.0 KiB"), (10_239, "10.0 KiB"), (100 << 10, "100 KiB"), (1_048_000, "1023 KiB"),
      (1_048_575, "1.00 MiB"), (5_186_173_952, "4.83 GiB"), (64 << 40, "64.0 TiB"),
      (UInt64.max, "16.0 EiB"),
    ] as [(UInt64, String)])
  func `sizes are written with three digits`(size: UInt64, text: String) {
    #expect(ByteSize.text(size) == text)
  }

  @Test func `fixed decimals`() {
    #expect(ByteSize.fixed(1.005, 0) == "1")
    #expect(ByteSize.fixed(1.25, 1) == "1.3")
    #expect(ByteSize.fixed(0.049, 2) == "0.05")
    #expect(ByteSize.fixed(12, 2) == "12.00")
    #expect(ByteSize.fixed(-3, 1) == "0.0")
  }

  @Test func `rates of any size have a text`() {
    #expect(ByteSize.rate(0, seconds: 0) == "0 B/s")
    #expect(ByteSize.rate(3 << 20, seconds: 2) == "1.50 MiB/s")
    #expect(ByteSize.rate(.max, seconds: 0) == "16000 EiB/s")
  }
}
