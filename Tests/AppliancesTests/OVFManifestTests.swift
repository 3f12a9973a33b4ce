import Bytes
import Codecs
import TestSupport
import Testing

@testable import Appliances

/// The digests of an appliance's files.
struct OVFManifestTests {
  static let digest = String(repeating: "0a", count: 32)

  private func entry(_ line: String) throws -> OVFManifest.Entry? {
    try OVFManifest(parsing: Array(line.utf8)).entries.first
  }

  @Test(arguments: [
    "SHA256(app.ovf)= \(digest)", "SHA256(app.ovf)=\(digest)", "SHA256 (app.ovf) = \(digest)",
    "SHA-256(app.ovf)= \(digest)\r", "sha256(app.ovf)= \(digest.uppercased())  ",
    "\n\nSHA256(app.ovf)= \(digest)\n\n",
  ])
  func `lines as different programs write them`(line: String) throws {
    let found = try #require(try entry(line))
    #expect(found.name == "app.ovf")
    #expect(found.kind == .sha256)
    #expect(Hex.text(found.digest) == OVFManifestTests.digest)
  }

  @Test(arguments: ["a b.vmdk", "a (1).vmdk", "a)= b.vmdk", "((", "größe.vmdk"])
  func `names with spaces, parentheses and signs`(name: String) throws {
    #expect(try entry("SHA256(\(name))= \(OVFManifestTests.digest)")?.name == name)
  }

  @Test(arguments: [
    "SHA256(app.ovf)= 00", "SHA256(app.ovf) \(digest)", "SHA256 app.ovf = \(digest)",
    "MD5(app.ovf)= 00", "SHA256(app.ovf)= \(digest)x", "=", "(", ")=", "SHA1(a)= \(digest)",
  ])
  func `anything else is refused`(line: String) {
    #expect(throws: FormatError.self) { try entry(line) }
  }

  @Test func `a file is compared with every digest that is told of it`() throws {
    let bytes = Array("content".utf8)
    let lines = MessageDigest.Kind.allCases.map { kind in
      let digest = MessageDigest(kind)
      digest.update(bytes.span)
      return "\(kind.rawValue)(a)= \(Hex.text(digest.finish()))"
    }
    let manifest = try OVFManifest(parsing: Array(lines.joined(separator: "\n").utf8))
    var digests: [MessageDigest.Kind: [UInt8]] = [:]
    for kind in manifest.kinds(of: "a") {
      let digest = MessageDigest(kind)
      digest.update(bytes.span)
      digests[kind] = digest.finish()
    }
    try manifest.check("a", digests)
    try manifest.check("b", [:])
    for kind in MessageDigest.Kind.allCases {
      var changed = digests
      changed[kind]?[0] ^= 1
      #expect(throws: FormatError.self) { try manifest.check("a", changed) }
      changed[kind] = nil
      #expect(throws: FormatError.self) { try manifest.check("a", changed) }
    }
  }

  /// FIPS 180-4, the example "abc".
  @Test func `digests are those of the standard`() {
    let bytes = Array("abc".utf8)
    let expected: [MessageDigest.Kind: String] = [
      .sha1: "a9993e364706816aba3e25717850c26c9cd0d89d",
      .sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ]
    for (kind, text) in expected {
      let digest = MessageDigest(kind)
      digest.update(bytes.span)
      #expect(Hex.text(digest.finish()) == text)
    }
  }
}
