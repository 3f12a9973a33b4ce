import Bytes
import Codecs
import Testing

@testable import Writing

struct OVATests {
  /// An archive in memory.
  private final class File: ImageOutputFile {
    private(set) var bytes: [UInt8] = []

    func write(_ piece: Span<UInt8>, at offset: UInt64) {
      let end = Int(offset) + piece.count
      if end > bytes.count { bytes += [UInt8](repeating: 0, count: end - bytes.count) }
      bytes.replaceSubrange(Int(offset)..<end, with: [UInt8](piece))
    }

    func finish(byteCount: UInt64) {
      bytes += [UInt8](repeating: 0, count: Int(byteCount) - bytes.count)
    }
  }

  @Test func `a tar header tells small sizes in octal digits, large ones as GNU does`() {
    let small = TarHeader.bytes("a.vmdk", size: 12345, changed: 1_700_000_000)
    #expect(small.count == 512)
    #expect(Array(small[0..<7]) == Array("a.vmdk\0".utf8))
    #expect(Array(small[257..<265]) == Array("ustar\u{0}00".utf8))
    let sum = small.enumerated().reduce(0) {
      $0 + ((148..<156).contains($1.offset) ? 32 : Int($1.element))
    }
    let stored = String(decoding: small[148..<154], as: UTF8.self)
    #expect(Int(stored, radix: 8) == sum)
    #expect(small[154] == 0 && small[155] == 32)
    let limit = TarHeader.bytes("a", size: (8 << 30) - 1, changed: 0)
    #expect(Array(limit[124..<136]) == Array("77777777777\0".utf8))
    let large = TarHeader.bytes("a", size: 8 << 30, changed: 0)
    #expect(Array(large[124..<136]) == [0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0])
  }

  @Test func `a description's length is known before its numbers are`() {
    var description = OVFDescription(
      name: "a<b>&\"\u{7}\u{e4}",
      disks: (1...40).map {
        .init(file: "x-disk\($0).vmdk", fileByteCount: 0, size: 512, populated: 0)
      })
    let limit = description.byteLimit
    description.disks[3].fileByteCount = 1 << 40
    let text = description.text(byteCount: limit)
    #expect(text.count == limit)
    let words = String(decoding: text, as: UTF8.self)
    #expect(words.contains("<Name>a&lt;b&gt;&amp;&quot;?\u{e4}</Name>"))
    #expect(words.contains("ovf:size=\"1099511627776\""))
    // Fifteen disks an adapter, none of them on unit 7.
    #expect(words.components(of: "<rasd:ResourceType>6</rasd:ResourceType>") == 3)
    #expect(words.components(of: "<rasd:AddressOnParent>7</rasd:AddressOnParent>") == 0)
    #expect(words.components(of: "<rasd:AddressOnParent>15</rasd:AddressOnParent>") == 2)
  }

  @Test func `an archive without data is whole`() throws {
    let file = File()
    let archive = try OVAFile(
      file, name: "../we b", sizes: [1 << 20], .sha256, changed: 1_700_000_000)
    let target = try archive.beginDisk(identifier: [UInt8](repeating: 3, count: 16)) { _ in }
    try target.finish()
    target.close()
    try archive.endDisk()
    try archive.finish()
    #expect(file.bytes.count % 10240 == 0)
    #expect(String(decoding: file.bytes[0..<19], as: UTF8.self) == "machine.._we_b.ovf\0")
    let digest = String(decoding: file.bytes, as: UTF8.self).components(
      of: "SHA256(machine.._we_b")
    #expect(digest == 2)
  }

  @Test func `more disks than a machine can have are refused`() {
    #expect(throws: (any Error).self) {
      _ = try OVAFile(
        File(), name: "a", sizes: [UInt64](repeating: 512, count: 61), .sha256, changed: 0)
    }
  }
}

extension String {
  /// How often `text` is in it.
  fileprivate func components(of text: String) -> Int {
    var count = 0
    var rest = self[...]
    while let found = rest.firstRange(of: text) {
      count += 1
      rest = rest[found.upperBound...]
    }
    return count
  }
}
