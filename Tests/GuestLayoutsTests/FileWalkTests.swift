import Blocks
import TestSupport
import Testing

@testable import GuestLayouts

/// Walks through trees, hostile ones among them.
struct FileWalkTests {
  /// Writes down what it is shown.
  private final class Recorder: FileVisitor {
    var taken: [String] = []
    var left: [String] = []
    var problems: [String] = []
    var refused: Set<String> = []
    var stopsAt: String?
    struct Stop: Error {}

    func take(_ file: WalkedFile) throws -> Bool {
      let path = String(decoding: file.path, as: UTF8.self)
      if path == stopsAt { throw Stop() }
      taken.append(path)
      return !refused.contains(path)
    }
    func leave(_ folder: WalkedFile) { left.append(String(decoding: folder.path, as: UTF8.self)) }
    func tell(_ problem: any Error, at path: [UInt8]) {
      problems.append("\(String(decoding: path, as: UTF8.self)): \(problem)")
    }
  }

  private func walk(
    _ system: FakeFileSystem, _ recorder: Recorder = Recorder(), limit: Int = 1000
  ) throws -> Recorder {
    var walk = FileWalk(system, recorder, entryLimit: limit)
    try walk.run(try system.file(system.root), named: [])
    return recorder
  }

  @Test func `files are shown in the order of their names, and folders are left`() throws {
    let system = FakeFileSystem(1 << 20)
    for name in ["/b", "/a/z", "/a/y/x", "/c"] { system.add(name) }
    let recorder = try walk(system)
    #expect(recorder.taken == ["", "a", "a/y", "a/y/x", "a/z", "b", "c"])
    #expect(recorder.left == ["a/y", "a", ""])
    let picky = Recorder()
    picky.refused = ["a"]
    #expect(try walk(system, picky).taken == ["", "a", "b", "c"])
  }

  @Test(arguments: [2, 3, 7, 50])
  func `all files of large folders are shown, however few names fit`(limit: Int) throws {
    let system = FakeFileSystem(1 << 20)
    for number in 0..<40 { system.add("/many/f\(number)") }
    system.add("/many/folder/inner")
    system.add("/last")
    let recorder = try walk(system, limit: limit)
    let wanted = (0..<40).map { "many/f\($0)" } + ["", "last", "many"]
    #expect(Set(recorder.taken).isSuperset(of: wanted))
    #expect(recorder.taken.count == Set(recorder.taken).count)
    // Folders are given up, and told, only where hardly any name fits.
    if limit > 3 {
      #expect(recorder.taken.contains("many/folder/inner"))
      #expect(recorder.problems == [])
    } else {
      #expect(
        recorder.taken.contains("many/folder/inner") == recorder.problems.isEmpty)
    }
  }

  @Test func `what the visitor throws ends the walk, also in large folders`() throws {
    let system = FakeFileSystem(1 << 20)
    for number in 10..<40 { system.add("/f\(number)") }
    for limit in [5, 100] {
      let recorder = Recorder()
      recorder.stopsAt = "f20"
      #expect(throws: Recorder.Stop.self) { try walk(system, recorder, limit: limit) }
      #expect(recorder.taken.count == 11)
    }
  }

  @Test func `circles and folders in two places are told, and gone into once`() throws {
    let system = FakeFileSystem(1 << 20)
    system.add("/a/file")
    let folder = try #require(system.nodes[2]?.entries.first?.1)
    system.link(folder, in: folder, as: "self")
    system.link(2, in: folder, as: "root")
    system.link(folder, in: 2, as: "b")
    let recorder = try walk(system)
    #expect(recorder.taken == ["", "a", "a/file"])
    #expect(recorder.problems.map { $0.prefix { $0 != ":" } } == ["a/root", "a/self", "b"])
  }

  @Test func `names that lead elsewhere are no names`() throws {
    let system = FakeFileSystem(1 << 20)
    let id = system.add("/good")
    for name in ["", ".", "..", "a/b", "/etc/passwd", "a\0b", "../x"] {
      system.link(id, in: 2, as: name)
    }
    let recorder = try walk(system)
    #expect(recorder.taken == ["", "good"])
    #expect(recorder.problems.count == 7)
  }

  @Test func `damage ends a folder, and nothing else`() throws {
    let system = FakeFileSystem(1 << 20)
    system.add("/a/file")
    system.add("/b/file")
    let folder = try #require(system.nodes[2]?.entries.first?.1)
    system.nodes[folder]?.trouble = GuestDoubt("it ends here")
    system.link(999, in: 2, as: "nothing")
    let recorder = try walk(system)
    #expect(recorder.taken == ["", "a", "a/file", "b", "b/file"])
    #expect(recorder.problems == ["a: it ends here", "nothing: no file 999"])
  }

  @Test func `no tree is too deep to end`() throws {
    let system = FakeFileSystem(1 << 20)
    system.add(String(repeating: "/d", count: 1500) + "/file")
    let recorder = try walk(system)
    #expect(recorder.taken.count == FileWalk.depthLimit)
    #expect(recorder.problems.count == 1)
  }
}
