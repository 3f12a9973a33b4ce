import Bytes
import Codecs
import TestSupport
import Testing

/// Hashes against vectors that others have published.
struct HashingTests {
  /// FIPS 180-4 and NIST's examples.
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
  ])
  func `SHA-256 gives the published digests`(text: String, digest: String) {
    let hash = SHA256()
    #expect("\(SHA256.digest(of: Array(text.utf8)))" == digest)
    let bytes = Array(text.utf8)
    let whole = hash.digest(of: bytes.span)
    #expect("\(whole)" == digest)
    for byte in text.utf8 { hash.update([byte]) }
    #expect("\(hash.finish())" == digest)
  }

  /// The check value of CRC-32/ISO-HDLC in the catalogue of parametrised CRC algorithms.
  @Test func `CRC-32 gives the published value, in whatever pieces the bytes come`() {
    let digits = Array("123456789".utf8)
    let empty: [UInt8] = []
    #expect(CRC32.of(digits.span) == 0xCBF4_3926)
    #expect(CRC32.of(empty.span) == 0)
    for middle in 0...digits.count {
      var crc = CRC32()
      crc.add(digits.span.extracting(0..<middle))
      crc.add(empty.span)
      crc.add(digits.span.extracting(middle..<digits.count))
      #expect(crc.value == 0xCBF4_3926)
    }
  }

  @Test func `SHA-256 of a million letters`() {
    #expect(
      "\(SHA256.digest(of: [UInt8](repeating: 0x61, count: 1_000_000)))"
        == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  /// From xxHash's own sanity tests: the generator is theirs too.
  @Test(
    arguments: [
      (0, 0, 0x2D06_8005_38D3_94C2), (1, 0, 0xC44B_DFF4_074E_ECDB), (6, 0, 0x27B5_6A84_CD2D_7325),
      (12, 0, 0xA713_DAF0_DFBB_77E7), (24, 0, 0xA3FE_70BF_9D35_10EB),
      (48, 0, 0x397D_A259_ECBA_1F11), (80, 0, 0xBCDE_FBBB_2C47_C90A),
      (195, 0, 0xCD94_217E_E362_EC3A), (403, 0, 0xCDEB_804D_65C6_DEA4),
      (512, 0, 0x617E_4959_9013_CB6B), (2048, 0, 0xDD59_E2C3_A5F0_38E0),
      (0, 0x9E37_79B1_85EB_CA8D, 0xA8A6_B918_B2F0_364A),
      (1, 0x9E37_79B1_85EB_CA8D, 0x032B_E332_DD76_6EF8),
      (6, 0x9E37_79B1_85EB_CA8D, 0x8458_9C11_6AB5_9AB9),
    ] as [(Int, UInt64, UInt64)])
  func `XXH3-64 gives the published values`(count: Int, seed: UInt64, value: UInt64) {
    var generator: UInt64 = 2_654_435_761
    let bytes = (0..<count).map { _ in
      defer { generator = generator &* 11_400_714_785_074_694_797 }
      return UInt8(generator >> 56)
    }
    #expect(Checksum.of(bytes, seed: seed) == value)
  }

  @Test func `a fingerprint does not depend on the pieces`() {
    let seed = freshSeed()
    var noise = Noise(seed)
    let content =
      noise.bytes(100_000) + [UInt8](repeating: 0, count: 200_000) + noise.bytes(50_001)
    let fingerprinter = Fingerprinter(FingerprintKey([UInt8](repeating: 7, count: 32)))
    fingerprinter.update(content.span)
    let whole = fingerprinter.finish()
    for turn in 0..<20 {
      var position = 0
      while position < content.count {
        let end = min(position + 1 + noise.below(70_000), content.count)
        // Zeros may be told instead of shown.
        if (100_000...300_000).contains(position), (100_000...300_000).contains(end) {
          fingerprinter.updateZeros(end - position)
        } else {
          fingerprinter.update(content.span.extracting(position..<end))
        }
        position = end
      }
      #expect(fingerprinter.finish() == whole, "seed \(seed), turn \(turn)")
    }
  }

  @Test func `fingerprints depend on their key, and so does the tag`() {
    let keys = (0..<3).map { FingerprintKey([UInt8](repeating: UInt8($0), count: 32)) }
    let values = keys.map { key in
      let fingerprinter = Fingerprinter(key)
      fingerprinter.update([1, 2, 3].span)
      return fingerprinter.finish()
    }
    #expect(Set(values).count == 3)
    #expect(Set(keys.map(\.tag)).count == 3)
  }

  /// Written down when the format was fixed: it must never change.
  @Test func `a fingerprint of a known key is what it always was`() {
    let fingerprinter = Fingerprinter(FingerprintKey((0..<32).map { UInt8($0) }))
    fingerprinter.update(Noise.bytes(5000, seed: 1).span)
    #expect(String(fingerprinter.finish(), radix: 16) == "751c4186b86f2bd15380f0e7e09ea820")
  }
}
