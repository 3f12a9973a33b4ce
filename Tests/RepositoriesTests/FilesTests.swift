import Blocks
import Bytes
import Chunking
import Codecs
import Platform
import TestSupport
import Testing

@testable import ObjectStores
@testable import Repositories

/// The small files: config, points, lists of known chunks, baselines.
struct FilesTests {
  private static let step = Segment.byteCount

  // MARK: Known ids

  private func known(_ count: Int) throws -> (ids: Set<Digest>, bytes: [UInt8]) {
    var noise = Noise(UInt64(count))
    let ids = Set((0..<count).map { _ in digest(noise.next() % 100, noise.next()) })
    let key = [UInt8](repeating: 5, count: 32)
    var bytes: [UInt8] = []
    try KnownIDs.write(
      cut: "aligned:65536:ab", fingerprintKey: key, ids: ids.sorted(), to: { bytes += $0 })
    return (ids, bytes)
  }

  @Test(arguments: [0, 1, 2, 1000])
  func `a list of known chunks finds what is in it`(count: Int) throws {
    let scratch = try Scratch()
    let (ids, bytes) = try known(count)
    let list = try KnownIDs(try scratch.file("known", bytes))
    #expect(list.cut == "aligned:65536:ab")
    #expect(list.fingerprintKey == [UInt8](repeating: 5, count: 32))
    for id in ids { #expect(list.contains(id)) }
    var noise = Noise(99)
    for _ in 0..<1000 {
      let id = digest(noise.next() % 100, noise.next())
      #expect(list.contains(id) == ids.contains(id))
    }
  }

  @Test func `every truncation and flip of a list of known chunks is refused`() throws {
    let scratch = try Scratch()
    try everyDamage(of: known(3).bytes, reserved: 20..<24) {
      _ = try KnownIDs(try scratch.file("k", $0))
    }
  }

  /// No damage is taken; what is thrown is an error about the format.
  private func everyDamage(
    of whole: [UInt8], reserved: Range<Int> = 0..<0, _ read: ([UInt8]) throws -> Void
  ) throws {
    try read(whole)
    for count in whole.indices {
      #expect(complaint { try read(Array(whole[..<count])) } != "", "\(count) bytes")
    }
    for place in whole.indices where !reserved.contains(place) {
      var damaged = whole
      damaged[place] ^= 0x08
      #expect(complaint { try read(damaged) } != "", "byte \(place)")
    }
  }

  @Test func `a repository's list holds all its chunks`() throws {
    let test = try TestRepository()
    let content = TestDisk.content(Self.step, seed: 1)
    try test.put(content)
    var bytes: [UInt8] = []
    try test.open().writeKnownIDs { bytes += $0 }
    let list = try KnownIDs(try test.scratch.file("known", bytes))
    let stream = try PutTests.deduplicated(content, .list(list), level: 1)
    for run in stream.runs {
      guard case .chunk(_, _, let stored) = run.content else { continue }
      #expect(stored == 0)
    }
    try test.put(stream.feed, name: "again")
    #expect(try test.content("again") == content)
  }

  @Test func `the ids of several tables come sorted, each once`() throws {
    let test = try TestRepository()
    let shared = TestDisk.content(Self.step, seed: 1)
    for seed in 2..<6 {
      try test.put(shared + TestDisk.content(Self.step, seed: UInt64(seed)), name: "\(seed)")
    }
    let index = try test.open().openIndex()
    #expect(index.tables.count > 1)
    var wanted: Set<Digest> = []
    for table in index.tables {
      for row in 0..<table.count { wanted.insert(try #require(table.entry(at: row)).id) }
    }
    #expect(Array(index.ids) == wanted.sorted())
  }

  // MARK: Baselines

  private func segment(_ content: [UInt8], _ index: Int) -> Segment {
    let start = index * Self.step
    let part = Array(content[start..<min(start + Self.step, content.count)])
    let segment = Segment()
    segment.reset(volume: 0, offset: UInt64(start), count: part.count)
    segment.buffer.copy(part.span, to: 0)
    segment.append(0..<part.count, .data)
    return segment
  }

  @Test func `a baseline knows what is unchanged`() throws {
    let test = try TestRepository()
    var content = TestDisk.content(2 * Self.step, seed: 1)
    content += [UInt8](repeating: 0, count: Self.step) + Noise.bytes(5000, seed: 3)
    let result = try test.put(content)
    let stored = try test.open().point(result.name)
    let bytes = try test.open().baseline(of: stored)
    let baseline = try BaselineFile(try test.scratch.file("base", bytes))
    #expect(baseline.pointID == "\(result.name.id)")
    #expect(baseline.volume("disk0", size: UInt64(content.count)) == 0)
    #expect(baseline.volume("disk0", size: 5) == nil)
    #expect(baseline.volume("disk1", size: UInt64(content.count)) == nil)
    for index in [0, 1, 3] {
      #expect(baseline.isUnchanged(segment(content, index), ofVolume: "disk0"))
      var changed = content
      changed[index * Self.step + 4999] ^= 1
      #expect(!baseline.isUnchanged(segment(changed, index), ofVolume: "disk0"))
    }
    #expect(!baseline.isUnchanged(segment(content, 0), ofVolume: "disk1"))
    #expect(baseline.known(0, 2) == .zero)
  }

  /// A disk that has grown since has segments that the baseline cannot know.
  @Test func `what lies beyond the baseline's end is not unchanged`() throws {
    let test = try TestRepository()
    let content = Noise.bytes(Self.step, seed: 1)
    let stored = try test.open().point(try test.put(content).name)
    let bytes = try test.open().baseline(of: stored)
    let baseline = try BaselineFile(try test.scratch.file("base", bytes))
    let grown = content + Noise.bytes(3 * Self.step, seed: 2)
    for index in 1...3 {
      #expect(!baseline.isUnchanged(segment(grown, index), ofVolume: "disk0"))
    }
  }

  @Test func `every truncation and flip of a baseline is refused`() throws {
    let test = try TestRepository()
    let stored = try test.open().point(try test.put(PutTests.machine(seed: 3)).name)
    let bytes = try test.open().baseline(of: stored)
    try everyDamage(of: bytes, reserved: 12..<16) {
      _ = try BaselineFile(try test.scratch.file("b", $0))
    }
  }

  // MARK: Config

  @Test func `every truncation and flip of the config is refused or made good by its copy`() throws
  {
    let test = try TestRepository()
    let config = try test.open().config
    let whole = try test.bytes("config")
    try everyDamage(of: whole) { bytes in
      _ = try RepositoryConfig(fileBytes: bytes, name: "config")
    }
    for damaged in [[], Array(whole[..<100]), [UInt8](repeating: 0, count: 500)] {
      try test.replace("config", damaged)
      let repository = try test.open()
      #expect(repository.config == config)
      #expect(repository.warnings.count == 1)
    }
    try Files.remove("\(test.path)/config")
    #expect(try test.open().config == config)
    try Files.remove("\(test.path)/copies/config")
    #expect(complaint { _ = try test.open() }.contains("no repository is here"))
  }

  @Test func `parameters out of bounds are refused`() throws {
    let line = String(
      decoding: try RepositoryConfig(chunking: .standard, level: 1).fileBytes(), as: UTF8.self
    )
    .split(separator: "\n")[0]
    func complaint(_ old: String, _ new: String) throws -> String {
      let text = line.replacing(old, with: new)
      try #require(text != line, "\(old)")
      let bytes = Array("\(text)\n".utf8)
      let file = bytes + Array("\(SHA256.digest(of: bytes))\n".utf8)
      do {
        _ = try RepositoryConfig(fileBytes: file, name: "config")
        return ""
      } catch {
        return "\(error)"
      }
    }
    #expect(try complaint("\"version\":1", "\"version\":2").contains("repository version 2"))
    #expect(try complaint("\"features\":[]", "\"features\":[\"x\"]").contains("features x"))
    for (old, new) in [
      ("65536", "65537"), ("65536", "0"), ("65536", "1"), ("aligned", "other"),
      ("\"level\":1", "\"level\":99"), ("\"level\":1", "\"level\":0"), ("\"zstd\"", "\"lz4\""),
      ("\"fingerprintKey\":\"", "\"fingerprintKey\":\"00"),
    ] {
      #expect(try complaint(old, new).contains("parameters out of bounds"), "\(new)")
    }
  }

  // MARK: Points

  @Test func `every truncation and flip of a point is refused or made good by its copy`() throws {
    let test = try TestRepository()
    let content = Noise.bytes(10_000, seed: 1)
    let result = try test.put(content)
    let file = "points/\(result.name)"
    let whole = try test.bytes(file)
    try everyDamage(of: whole) { bytes in
      _ = try RecoveryPoint(fileBytes: bytes, name: result.name, file: file)
    }
    try test.flip(file, 40)
    #expect(try test.content() == content)
    try Files.remove("\(test.path)/\(file)")
    #expect(try test.content() == content)
    #expect(try test.findings().contains { $0.file == file && $0.severity == .damage })
    try test.flip("copies/\(result.name)", 40)
    #expect(complaint { _ = try test.content() } != "")
  }

  @Test func `noise in place of a point's JSON is refused`() {
    for json in [
      "", "{", "null", "[]", "{}", "{\"format\":1}", String(repeating: "[", count: 100_000),
      String(repeating: "{\"a\":", count: 100_000), "\u{0}",
    ] {
      #expect(PointFile.complaint(json) != "", "\(json.prefix(20))")
    }
    var whole = PointFile.bytes("{}")
    whole[8] = 1
    #expect(PointFile.complaint(ofFile: whole).contains("flags 1"))
  }

  @Test func `names of points are read strictly`() {
    let id = "\(digest(1))"
    let name = PointName(sequence: 12, id: digest(1))
    #expect(PointName("0000000012-\(id)") == name)
    #expect(name.description == "0000000012-\(id)")
    #expect(PointName(sequence: 12_345_678_901, id: digest(1)).description == "12345678901-\(id)")
    for text in [
      "", "-", "12-\(id)", "00000000012-\(id)", "0000000012-\(id)0",
      "0000000012-\(id.uppercased())x",
      "+000000012-\(id)", "0000000012-", "0000000012\(id)", "0000000012-\(id)-",
    ] {
      #expect(PointName(text) == nil, "\(text)")
    }
    #expect(PointName(sequence: 1, id: digest(9)) < PointName(sequence: 2, id: digest(1)))
    #expect(PointName(sequence: 1, id: digest(1)) < PointName(sequence: 1, id: digest(2)))
  }

  @Test func `points are found by what people call them`() throws {
    let test = try TestRepository()
    var ids: [String] = []
    for turn in 0..<3 {
      ids.append("\(try test.put([UInt8](repeating: UInt8(turn + 1), count: 10)).name.id)")
    }
    let repository = try test.open()
    func id(_ text: String) throws -> String { "\(try repository.resolve(text).name.id)" }
    #expect(try id("web") == ids[2])
    #expect(try id("web~0") == ids[2])
    #expect(try id("web~2") == ids[0])
    #expect(try id(ids[1]) == ids[1])
    #expect(try id(String(ids[1].prefix(12)).uppercased()) == ids[1])
    for text in ["web~3", "web~-1", "web~x", "nobody", "", "~", "abc"] {
      #expect(complaint { _ = try id(text) } != "", "\(text)")
    }
  }
}
