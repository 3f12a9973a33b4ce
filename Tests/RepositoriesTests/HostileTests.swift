import Blocks
import Bytes
import Codecs
import Platform
import TestSupport
import Testing

@testable import ObjectStores
@testable import Repositories

/// Producers that lie: nothing they send becomes a point, nothing traps.
struct HostileTests {
  private static let step = Segment.byteCount
  private static let chunk = Noise.bytes(4096, seed: 1)
  private static let chunkID = SHA256.digest(of: chunk)

  /// What put says of a segment whose first 4,096 bytes are `content`.
  private func complaint(
    of content: Segment.Content, _ bytes: [UInt8] = chunk, in test: TestRepository
  ) throws -> String {
    let feed = MemoryFeed()
    feed.volume(0, size: UInt64(Self.step))
    feed.segment(
      0, at: 0, bytes + [UInt8](repeating: 0, count: Self.step - bytes.count),
      runs: [.init(0..<4096, content), .init(4096..<Self.step, .hole(.zero))])
    let points = try test.files("points")
    let text = RepositoriesTests.complaint { try test.put(feed) }
    #expect(try test.files("points") == points || text.isEmpty)
    #expect(try test.files("writers") == [])
    return text
  }

  @Test func `a chunk under another's id is refused`() throws {
    let test = try TestRepository()
    let wrong = digest(1, 2, 3)
    for (codec, bytes) in [(Codec.plain, Self.chunk), (.zstd, try Self.packed())] {
      let text = try complaint(
        of: .chunk(id: wrong, codec: codec, storedCount: bytes.count), bytes, in: test)
      #expect(text.contains("does not fit the id"))
    }
    // Nor does it spoil what the right chunk would be.
    let feed = MemoryFeed.disk(Self.chunk)
    try test.put(feed)
    #expect(try test.content() == Self.chunk)
  }

  /// `chunk`, repeated until it compresses, as a frame of 4,096 plain bytes.
  private static func packed() throws -> [UInt8] {
    let plain = (0..<4096).map { UInt8($0 / 64) }
    var target = [UInt8](repeating: 0, count: 8192)
    var span = target.mutableSpan
    let count = try ZstdCompressor(level: 1).compress(plain.span, into: &span) ?? 0
    return Array(target[..<count])
  }

  @Test func `compressed bytes that are damaged or of another length are refused`() throws {
    let test = try TestRepository()
    var packed = try Self.packed()
    let whole = Segment.Content.chunk(id: nil, codec: .zstd, storedCount: packed.count)
    #expect(try complaint(of: whole, packed, in: test) == "")
    for place in packed.indices {
      packed[place] ^= 0x55
      // A flip may still decode; then it is other content, stored under its own id.
      let text = try complaint(of: whole, packed, in: test)
      #expect(text.isEmpty || text.contains("chunk at byte 0"))
      packed[place] ^= 0x55
    }
    let short = Segment.Content.chunk(id: nil, codec: .zstd, storedCount: packed.count - 1)
    #expect(try complaint(of: short, packed, in: test).contains("chunk at byte 0"))
  }

  @Test func `references lead to chunks of the right length or nothing is committed`() throws {
    let test = try TestRepository()
    let missing = try complaint(
      of: .chunk(id: digest(9), codec: .plain, storedCount: 0), in: test)
    #expect(missing.contains("is not in the repository"))
    let other = Noise.bytes(5000, seed: 2)
    try test.put(other, name: "other")
    let wrong = try complaint(
      of: .chunk(id: SHA256.digest(of: other), codec: .plain, storedCount: 0), in: test)
    #expect(wrong.contains("wrong length"))
    #expect(try test.findings().filter { $0.severity == .damage } == [])
  }

  @Test func `what could not be read makes a point incomplete, whatever upstream says`() throws {
    let test = try TestRepository()
    let feed = MemoryFeed()
    feed.volume(0, size: UInt64(Self.step))
    feed.segment(
      0, at: 0, [UInt8](repeating: 0, count: Self.step),
      runs: [.init(0..<4096, .hole(.bad)), .init(4096..<Self.step, .hole(.zero))])
    let point = try test.put(feed).point
    #expect(!point.complete)
    #expect(point.missing == ["disk0: 4096 bytes could not be read"])
  }

  @Test func `a point that could not be read again is not committed`() throws {
    let test = try TestRepository()
    let feed = MemoryFeed()
    let field = String(repeating: "\u{1}", count: 60_000)
    for number in 0..<64 {
      feed.volume(UInt32(number), size: 0, fields: [.init("note", field)])
    }
    #expect(RepositoriesTests.complaint { try test.put(feed) }.contains("too many"))
    #expect(try test.files("points") == [])
  }

  @Test func `warnings and attachments are bounded`() throws {
    let test = try TestRepository()
    let noisy = MemoryFeed()
    noisy.volume(0, size: 0)
    let text = String(repeating: "\u{1}", count: 4000)
    for _ in 0..<1000 { noisy.add(.warning(text)) }
    #expect(try test.put(noisy).point.warnings.count < 100)
    let stuffed = MemoryFeed()
    for number in 0...4096 { stuffed.add(.attachment(Attachment(name: "\(number)", bytes: []))) }
    #expect(RepositoriesTests.complaint { try test.put(stuffed) }.contains("beyond the limits"))
  }

  @Test func `a feed that fails leaves no point`() throws {
    let test = try TestRepository()
    let feed = MemoryFeed()
    feed.volume(0, size: UInt64(2 * Self.step))
    feed.segment(0, at: 0, Noise.bytes(Self.step, seed: 5))
    feed.fail(FeedFault("upstream died"))
    #expect(RepositoriesTests.complaint { try test.put(feed) } == "upstream died")
    #expect(try test.files("points") == [])
    #expect(try test.files("copies") == ["config"])
    #expect(try test.files("writers") == [])
  }

  @Test func `two volumes of one name are refused`() throws {
    let test = try TestRepository()
    let feed = MemoryFeed()
    feed.volume(0, size: 0, name: "a")
    feed.volume(1, size: 0, name: "a")
    #expect(RepositoriesTests.complaint { try test.put(feed) } == "two volumes are named a")
  }

  /// What a leaf could not hold must not be stored: it could not be read again.
  @Test func `a segment in too many pieces is refused`() throws {
    let test = try TestRepository()
    let content = Noise.bytes(Self.step, seed: 1)
    func put(_ count: Int) -> String {
      let feed = MemoryFeed()
      feed.volume(0, size: UInt64(Self.step))
      var runs = (0..<count - 1).map {
        Segment.Run($0..<$0 + 1, .chunk(id: nil, codec: .plain, storedCount: 1))
      }
      runs.append(.init(count - 1..<Self.step, .hole(.zero)))
      feed.segment(0, at: 0, content, runs: runs)
      return RepositoriesTests.complaint { try test.put(feed, name: "n\(count)") }
    }
    #expect(put(8192) == "")
    #expect(try test.content("n8192")[..<8191] == content[..<8191])
    #expect(put(8193).contains("too many pieces"))
    #expect(put(20_000).contains("too many pieces"))
  }

  @Test func `volumes of a point that cannot be are refused`() throws {
    let test = try TestRepository()
    let result = try test.put(Noise.bytes(1000, seed: 1))
    let text = String(decoding: try result.point.fileBytes().dropFirst(16), as: UTF8.self)
    func complaint(_ old: String, _ new: String) throws -> String {
      let parts = text.split(separator: old, maxSplits: 1, omittingEmptySubsequences: false)
      try #require(parts.count == 2, "\(old)")
      return PointFile.complaint(parts[0] + new + parts[1])
    }
    #expect(try complaint("\"size\":1000", "\"size\":1001") == "")
    #expect(try complaint("\"size\":1000", "\"size\":72057594037927937").contains("makes no sense"))
    #expect(try complaint("\"size\":1000", "\"size\":-1").contains("points/"))
    #expect(try complaint("\"levels\":1", "\"levels\":2").contains("makes no sense"))
    #expect(try complaint("\"root\":\"", "\"root\":\"0").contains("makes no sense"))
    #expect(try complaint("\"format\":1", "\"format\":2").contains("point format 2"))
    #expect(try complaint("\"sequence\":1", "\"sequence\":7").contains("its sequence is 7"))
    let empty =
      "{\"bytes\":{},\"fields\":{},\"hole\":\"zero\",\"levels\":3,\"name\":\"v\","
      + "\"sectorSize\":512,\"size\":72057594037927936}"
    let many = Array(repeating: empty.replacing("\"levels\":3", with: "\"levels\":4"), count: 300)
    #expect(
      try complaint("\"volumes\":[", "\"volumes\":[\(many.joined(separator: ",")),")
        .contains("volumes"))
    let long = String(repeating: "x", count: 70_000)
    for attachment in [
      "{\"name\":\"\(long)\",\"size\":0,\"chunks\":[]}",
      "{\"name\":\"a\",\"size\":-1,\"chunks\":[]}",
      "{\"name\":\"a\",\"size\":8388609,\"chunks\":[]}",
    ] {
      #expect(
        try complaint("\"attachments\":[", "\"attachments\":[\(attachment)")
          .contains("attachment"))
    }
  }
}

/// Points' files that a test makes up.
enum PointFile {
  static func bytes(_ json: some StringProtocol) -> [UInt8] {
    Array("VPOINT\0\u{1}".utf8) + [UInt8](repeating: 0, count: 8) + Array(json.utf8)
  }

  /// What is said of a point with this JSON, whose name fits its content.
  static func complaint(_ json: some StringProtocol) -> String {
    complaint(ofFile: bytes(json))
  }

  static func complaint(ofFile bytes: [UInt8]) -> String {
    let name = PointName(sequence: 1, id: SHA256.digest(of: bytes))
    do {
      _ = try RecoveryPoint(fileBytes: bytes, name: name, file: "points/x")
      return ""
    } catch {
      return "\(error)"
    }
  }
}
