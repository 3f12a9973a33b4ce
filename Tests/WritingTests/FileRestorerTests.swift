import Blocks
import Bytes
import Platform
import TestSupport
import Testing

@testable import GuestLayouts
@testable import Writing

/// Guests' files in a folder.
struct FileRestorerTests {
  /// A restore of all of a file system.
  private final class Run {
    let scratch: Scratch
    var problems: [String] = []
    var counts = RestoredCounts()
    var holes: ContentHoles.Finder?

    var path: String { scratch["out"] }

    init() throws { scratch = try Scratch() }

    func restore(_ system: FakeFileSystem, force: Bool = false) throws {
      if try Files.status(path) == nil { try Files.makeDirectory(path) }
      let target = FolderTarget(try TargetFolder(opening: path), replaces: force)
      let restorer = FileRestorer(
        into: target, holes: holes, advance: { _ in },
        say: { [unowned self] in problems.append("\($0): \($1)") })
      let files = MachineFiles(.machine(system))
      try restorer.restore(try system.file(2), of: files.fileSystems[0], 0, path: [], place: [])
      try target.finish()
      counts = restorer.counts
    }

    func text(_ name: String) throws -> String? {
      guard try Files.status("\(path)/\(name)") != nil else { return nil }
      return String(decoding: try scratch.contents("out/\(name)"), as: UTF8.self)
    }
  }

  @Test func `files, folders and links come as they are`() throws {
    let system = FakeFileSystem(1 << 20)
    let id = system.add("/a/file", content: Array("text".utf8), links: 3)
    system.nodes[id]?.file.mode = 0o640
    system.nodes[id]?.file.modified = FileTime(seconds: 1_000_000_000, nanoseconds: 123_456_789)
    system.link(id, in: 2, as: "other")
    system.addLink("/a/link", to: "../nowhere")
    system.add("/empty")
    let run = try Run()
    try run.restore(system)
    #expect(run.problems == [])
    #expect(try run.text("a/file") == "text")
    #expect(try run.text("empty") == "")
    let status = try #require(try Files.status("\(run.path)/a/file"))
    #expect(status.permissions == 0o640)
    #expect(status.modified == 1_000_000_000)
    #expect(try Files.status("\(run.path)/other")?.inode == status.inode)
    #expect(try Files.isLink("\(run.path)/a/link"))
    #expect(run.counts.files == 2 && run.counts.hardLinks == 1 && run.counts.symbolicLinks == 1)
    #expect(try Scratch.files(below: run.path).sorted() == ["a/file", "a/link", "empty", "other"])
  }

  @Test func `a link and a folder of one name lead nowhere`() throws {
    for force in [false, true] {
      let system = FakeFileSystem(1 << 20)
      let run = try Run()
      try Files.makeDirectory(run.scratch["outside"])
      system.addLink("/same", to: run.scratch["outside"])
      let folder = system.addFolder("/zzz")
      system.add("/zzz/file", content: [1])
      system.nodes[2]?.entries.removeLast()
      system.link(folder, in: 2, as: "same")
      system.add("/zz", content: [2])
      try run.restore(system, force: force)
      #expect(try Files.names(in: run.scratch["outside"]) == [])
      #expect(run.problems.count == 1)
      #expect(try run.text("zz") != nil)
    }
  }

  @Test func `an archive takes a name once, and no link that it could not remember`() throws {
    func file(_ path: String, _ kind: GuestFile.Kind = .regular) -> RestoredFile {
      let name = Array(Files.name(of: path).utf8)
      let walked = WalkedFile(
        file: GuestFile(id: 5, kind: kind), name: name, path: Array(path.utf8))
      return RestoredFile(walked: walked, attributes: [])
    }
    var names = ArchiveNames(places: [[], Array("a/b".utf8)], limit: 6)
    try names.begin(in: [])
    try names.enter(file("a", .directory))
    try names.enter(file("a/b", .directory))
    try names.claim(file("a/b/link", .symbolicLink))
    #expect(throws: FileContent.Problem.self) { try names.claim(file("a/b/link")) }
    #expect(throws: FileContent.Problem.self) { try names.enter(file("a/b/link", .directory)) }
    try names.claim(file("a/b/file"))
    names.leave()
    try names.claim(file("a/link", .symbolicLink))
    names.leave()
    #expect(throws: FileContent.Problem.self) { try names.claim(file("a", .symbolicLink)) }
    try names.claim(file("ab", .symbolicLink))
    // Of what was left, the link is known where more comes, and the room of the others is free.
    try names.begin(in: [Array("a".utf8)])
    try names.enter(file("a/b", .directory))
    try names.claim(file("a/b/file"))
    #expect(throws: FileContent.Problem.self) { try names.enter(file("a/b/link", .directory)) }
    try names.claim(file("a/b/link", .symbolicLink))
    for number in 0..<5 { try names.claim(file("a/b/\(number)")) }
    #expect(throws: FileContent.Problem.self) {
      try names.claim(file("a/b/last", .symbolicLink))
    }
    #expect(throws: FileContent.Problem.self) {
      try names.begin(in: ["a", "b", "link"].map { Array($0.utf8) })
    }
  }

  @Test func `what is there is replaced only when it may be, and never followed`() throws {
    let system = FakeFileSystem(1 << 20)
    system.add("/file", content: Array("new".utf8))
    system.add("/folder/file", content: Array("new".utf8))
    let run = try Run()
    try Files.makeDirectory(run.path)
    try run.scratch.file("out/file", Array("old".utf8))
    try run.restore(system)
    #expect(try run.text("file") == "old")
    #expect(try run.text("folder/file") == "new")
    #expect(run.problems.count == 1 && run.problems[0].hasPrefix("/file: "))
    try run.restore(system, force: true)
    #expect(try run.text("file") == "new")
    #expect(run.problems.count == 1)
  }

  @Test func `what cannot be read leaves nothing, and spoils nothing else`() throws {
    let system = FakeFileSystem(1 << 20)
    let id = system.add("/damaged", content: Noise.bytes(3 << 20, seed: 1))
    system.nodes[id]?.damage = 2 << 20
    system.add("/good", content: [7])
    let other = system.add("/strange")
    system.nodes[other]?.file.kind = .other
    let run = try Run()
    try run.restore(system)
    #expect(try Files.names(in: run.path) == ["good"])
    #expect(run.problems.count == 2)
    #expect(run.problems[0].hasPrefix("/damaged: ") && run.problems[1].hasPrefix("/strange: "))
  }

  @Test func `holes stay holes`() throws {
    let system = FakeFileSystem(1 << 20)
    let content = Noise.bytes(8192, seed: 2)
    let id = system.add("/sparse", content: content)
    system.nodes[id]?.file.size = 64 << 20
    system.nodes[id]?.data = [0..<8192, 32 << 20..<(32 << 20) + 4096]
    let run = try Run()
    try run.restore(system)
    let status = try #require(try Files.status("\(run.path)/sparse"))
    #expect(status.size == 64 << 20)
    #expect(status.allocated < 1 << 20)
    let file = try FileDescriptor("\(run.path)/sparse", .read)
    #expect(try file.read(8192, at: 0) == content)
  }

  @Test func `what the backup does not hold is told`() throws {
    let system = FakeFileSystem(1 << 20)
    for (index, name) in ["excluded", "partly", "tail", "bad", "doubtful"].enumerated() {
      let start = UInt64(index) * 65536
      let id = system.add("/\(name)", [start..<start + 8192])
      system.nodes[id]?.file.size = 5000
      if name == "doubtful" { system.nodes[id]?.doubt = GuestDoubt("shared") }
    }
    let run = try Run()
    let left: [(Range<UInt64>, HoleKind)] = [
      (0..<8192, .excluded), (65536 + 4096..<65536 + 8192, .swap),
      // Behind the file's end.
      (131072 + 5000..<131072 + 8192, .free), (196608..<196608 + 4096, .bad),
      (262144..<262144 + 8192, .excluded),
    ]
    run.holes = { _, range in
      var result: [HoleKind: UInt64] = [:]
      for (hole, kind) in left {
        let part = hole.clamped(to: range)
        if !part.isEmpty { result[kind, default: 0] += UInt64(part.count) }
      }
      return result
    }
    try run.restore(system)
    #expect(try Files.names(in: run.path) == ["bad", "doubtful", "tail"])
    #expect(
      run.problems == [
        "/bad: 4096 bytes of it could not be read when the backup was made: they are zeros",
        "/excluded: its content was left out of the backup (excluded)",
        "/partly: its content was left out of the backup (swap)",
      ])
  }

  @Test func `holes that make no sense are damage, and very many of them become data`() throws {
    final class Odd: BlockSource {
      let size: UInt64 = 1 << 40
      let sectorSize: UInt32 = 512
      let step: UInt64
      init(step: UInt64) { self.step = step }
      func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) {}
      func nextData(at offset: UInt64) -> Range<UInt64>? {
        step == 0 ? offset..<offset : offset / step * step + step..<offset / step * step + step + 1
      }
    }
    let buffer = Buffer(count: FileContent.pieceByteCount)
    #expect(throws: FileContent.Problem.self) { _ = try FileContent(Odd(step: 0), buffer) }
    let content = try FileContent(Odd(step: 4096), buffer)
    #expect(content.data.count <= 1 << 16)
    #expect(content.data.last?.upperBound == 1 << 40)
  }
}

extension MachineLayout {
  /// A disk with one file system.
  fileprivate static func machine(_ system: FakeFileSystem) -> MachineLayout {
    let disk = MemorySource([UInt8](repeating: 0, count: 4096))
    var layout = MachineLayout(of: [disk])
    var finding = GuestFinding("fake")
    finding.fileSystem = system
    layout.volumes = [
      GuestVolume(
        title: "the disk", placement: Placement(disk: 0, range: 0..<system.byteCount),
        source: disk, contents: [finding])
    ]
    return layout
  }
}
