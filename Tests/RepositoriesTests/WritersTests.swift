import Blocks
import Bytes
import Codecs
import Platform
import TestSupport
import Testing

@testable import ObjectStores
@testable import Repositories

/// Many writers, dead writers, and what they leave.
struct WritersTests {
  private final class Writer: Sendable {
    let number: Int
    init(_ number: Int) { self.number = number }
  }

  @Test func `writers at the same time all succeed`() throws {
    let test = try TestRepository()
    let common = TestDisk.content(Segment.byteCount, seed: 50)
    let own = (0..<8).map { Noise.bytes(300_000, seed: UInt64(60 + $0)) }
    let workers = Workers<Writer>(count: 8, window: 8) { writer in
      for turn in 0..<3 {
        var content = common + own[writer.number]
        content[turn] ^= 0xff
        try test.put(content, name: "m\(writer.number)")
      }
    }
    for number in 0..<8 { workers.give(Writer(number)) }
    while try workers.take() != nil {}
    workers.close()
    #expect(try test.files("points").count == 24)
    #expect(try test.files("copies").count == 25)
    #expect(try test.files("writers") == [])
    #expect(try test.findings().filter { $0.severity == .damage } == [])
    for number in 0..<8 {
      var content = common + own[number]
      content[2] ^= 0xff
      #expect(try test.content("m\(number)") == content)
      content[2] ^= 0xff
      content[0] ^= 0xff
      #expect(try test.content("m\(number)~2") == content)
    }
  }

  @Test func `what a dead writer left is removed, a live one's is kept`() throws {
    let test = try TestRepository()
    let live = try test.open().store.beginWriting()
    let staged = try live.stage()
    try staged.file.write([1, 2, 3])
    let dead = "00112233445566778899aabbccddeeff"
    try Files.makeDirectory("\(test.path)/writers/\(dead)")
    try test.scratch.file("repo/writers/\(dead).alive", [])
    try test.scratch.file("repo/writers/\(dead)/1", [9])
    let half = "ff112233445566778899aabbccddeeff"
    try test.scratch.file("repo/writers/\(half).alive", [])
    try test.put(Noise.bytes(100, seed: 1))
    let left = try test.files("writers")
    #expect(left.count == 2)
    #expect(left.allSatisfy { !$0.hasPrefix(dead) && !$0.hasPrefix(half) })
    try live.publish(staged, as: "index/\(digest(1))")
    try live.end()
    #expect(try test.bytes("index/\(digest(1))") == [1, 2, 3])
    #expect(try test.files("writers") == [])
  }

  @Test func `a writer that was fenced off commits nothing`() throws {
    let test = try TestRepository()
    let session = try test.open().store.beginWriting()
    let staged = try session.stage()
    let folder = try #require(try Files.names(in: "\(test.path)/writers").first)
    try Files.rename("\(test.path)/writers/\(folder)", to: "\(test.path)/quarantine/\(folder)")
    let text = complaint { try session.publish(staged, as: "index/\(digest(1))") }
    #expect(text.contains("another process has ended this writer's session"))
    #expect(complaint { _ = try session.stage() }.contains("another process has ended"))
    #expect(try test.files("index") == [])
  }

  @Test func `an object that is there already is kept`() throws {
    let test = try TestRepository()
    let session = try test.open().store.beginWriting()
    for content: [UInt8] in [[1], [2]] {
      let staged = try session.stage()
      try staged.file.write(content)
      try session.publish(staged, as: "packs/ab/x")
    }
    try session.flush()
    try session.end()
    #expect(try test.bytes("packs/ab/x") == [1])
  }

  @Test func `packs that no index covers are used`() throws {
    let test = try TestRepository()
    let content = TestDisk.content(2 * Segment.byteCount, seed: 70)
    let first = try test.put(content)
    for file in try test.files("index") { try Files.remove("\(test.path)/index/\(file)") }
    #expect(try test.content() == content)
    let second = try test.put(MemoryFeed.disk(content), name: "other")
    #expect(second.point.addedChunks == 0)
    #expect(second.point.volumes[0].root == first.point.volumes[0].root)
    // The writer has adopted them.
    #expect(try test.files("index").count == 1)
    #expect(try test.findings() == [])
    #expect(try test.open().repairIndex().packs == 0)
  }

  @Test func `an index that is lost is noticed and made anew`() throws {
    let test = try TestRepository()
    let content = TestDisk.content(Segment.byteCount, seed: 75)
    try test.put(content)
    for file in try test.files("index") { try Files.remove("\(test.path)/index/\(file)") }
    #expect(try test.findings().contains { $0.severity == .damage && $0.file == "index" })
    #expect(try test.open().repairIndex().packs == 1)
    #expect(try test.findings() == [])
    #expect(try test.content() == content)
  }

  /// Index files are never changed nor removed by a writer; but few of them are in use.
  @Test func `many small index files become few`() throws {
    let test = try TestRepository()
    for turn in 0..<60 { try test.put(Noise.bytes(5000, seed: UInt64(turn)), name: "m\(turn)") }
    #expect(try test.files("index").count == 60)
    let index = try test.open().openIndex()
    #expect(index.files.count < 20, "\(index.files.count) in use")
    #expect(index.count < 200, "\(index.count) rows for 120 chunks")
    #expect(try test.findings() == [])
    for turn in 0..<60 {
      #expect(try test.content("m\(turn)") == Noise.bytes(5000, seed: UInt64(turn)))
    }
  }

  @Test func `a damaged index file is noticed and made anew`() throws {
    let test = try TestRepository()
    let content = TestDisk.content(Segment.byteCount, seed: 71)
    try test.put(content)
    let index = try #require(try test.files("index").first)
    try test.flip("index/\(index)", -1)
    #expect(try test.content() == content)
    #expect(try test.findings().contains { $0.severity == .damage && $0.file == "index/\(index)" })
    let repair = try test.open().repairIndex()
    #expect(repair.quarantined == ["index/\(index)"])
    #expect(repair.packs == 1)
    #expect(try test.findings() == [])
  }

  @Test func `a lost pack is noticed, and its chunks are stored again`() throws {
    let test = try TestRepository()
    let content = TestDisk.content(Segment.byteCount, seed: 72)
    try test.put(content)
    let pack = try #require(try test.files("packs").first)
    try Files.remove("\(test.path)/packs/\(pack)")
    #expect(complaint { _ = try test.content() }.contains("in no pack"))
    #expect(try test.findings().contains { $0.file == "packs/\(pack)" })
    let again = try test.put(content)
    #expect(again.point.addedChunks > 0)
    #expect(try test.content() == content)
  }

  @Test func `a pack that prune is about to delete is not built upon`() throws {
    let test = try TestRepository()
    let content = TestDisk.content(Segment.byteCount, seed: 73)
    try test.put(content)
    let pack = try #require(try test.files("packs").first)
    let text = Array("\(Files.name(of: pack))\n".utf8)
    try test.scratch.file("repo/tombstones/\(SHA256.digest(of: text))", text)
    // With and without a base, what it holds is stored again.
    #expect(try test.put(content).point.addedChunks > 0)
    try test.put(content, name: "other")
    try Files.remove("\(test.path)/packs/\(pack)")
    #expect(try test.content() == content)
    #expect(try test.content("other") == content)
    #expect(complaint { _ = try test.content("web~1") } == "")
  }

  @Test(arguments: [-1, 100, 5000])
  func `a flipped byte of a pack is found and never restored`(place: Int) throws {
    let test = try TestRepository()
    let content = Noise.bytes(100_000, seed: 74)
    try test.put(content)
    let pack = "packs/" + (try #require(try test.files("packs").first))
    try test.flip(pack, place)
    #expect(try test.findings().contains { $0.severity == .damage && $0.file == pack })
    if place >= 0 { #expect(complaint { _ = try test.content() }.contains(pack)) }
  }

  @Test func `every flipped byte of a pack is found`() throws {
    let test = try TestRepository()
    try test.put((0..<6000).map { UInt8(truncatingIfNeeded: $0 / 50) })
    let pack = "packs/" + (try #require(try test.files("packs").first))
    let whole = try test.bytes(pack)
    for place in whole.indices {
      var damaged = whole
      damaged[place] ^= 0x10
      try test.replace(pack, damaged)
      let found = try test.findings().contains { $0.severity == .damage && $0.file == pack }
      #expect(found, "byte \(place) of \(whole.count)")
    }
  }
}
