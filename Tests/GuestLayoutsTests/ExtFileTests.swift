import Blocks
import Bytes
import Testing

@testable import GuestLayouts

struct ExtFileTests {
  private func tree(_ system: TestExt) throws -> any FileTree {
    try #require(try system.finding?.fileSystem?.files())
  }

  private func names(_ tree: any FileTree, _ id: UInt64) throws -> [String] {
    var names: [String] = []
    try tree.forEachEntry(of: tree.file(id)) {
      names.append(String(decoding: $0.name, as: UTF8.self))
      return true
    }
    return names
  }

  @Test func `names are found`() throws {
    let tree = try tree(TestExt.usual())
    #expect(try names(tree, tree.root) == ["listed", "extents", "folder", "link"])
    #expect(try tree.find([Array("folder".utf8), Array("inside".utf8)])?.id == 13)
    #expect(try tree.find([Array("none".utf8)]) == nil)
    #expect(try tree.target(of: tree.file(15)) == Array("listed".utf8))
  }

  @Test func `content is read from lists of blocks, with holes as zeros`() throws {
    let tree = try tree(TestExt.usual())
    let content = try tree.content(of: tree.file(12))
    #expect(content.size == 16 << 10)
    let bytes = try #require(try content.bytes(16 << 10, at: 0))
    for (block, byte) in [(0, 10), (1, 0), (2, 12), (3, 0), (12, 0), (13, 30), (14, 0)] {
      #expect(bytes[block * 1024] == UInt8(byte))
      #expect(bytes[block * 1024 + 1023] == UInt8(byte))
    }
    #expect(try content.nextData(at: 0) == 0..<1024)
    #expect(try content.nextData(at: 1024) == 2048..<3072)
    #expect(try content.nextData(at: 3072) == 13 * 1024..<14 * 1024)
    #expect(try content.nextData(at: 14 * 1024) == nil)
    #expect(try content.bytes(3, at: 13 * 1024 - 1) == [0, 30, 30])
    let places = try tree.extents(of: tree.file(12))
    #expect(places.map { $0.offset / 1024 } == [0, 2, 13])
    #expect(places.map { $0.range.lowerBound / 1024 } == [10, 12, 30])
  }

  @Test func `content is read from extents, what was never written as zeros`() throws {
    let tree = try tree(TestExt.usual())
    let content = try tree.content(of: tree.file(13))
    let bytes = try #require(try content.bytes(9000, at: 0))
    let expected = [40, 41, 0, 0, 50, 51, 0, 0, 0]
    for (block, byte) in expected.enumerated() { #expect(bytes[block * 1024] == UInt8(byte)) }
    #expect(try content.nextData(at: 0) == 0..<2048)
    #expect(try content.nextData(at: 2048) == 4096..<6144)
    #expect(try content.nextData(at: 6144) == nil)
    let places = try tree.extents(of: tree.file(13))
    #expect(places.map(\.offset) == [0, 4096, 6144])
    #expect(places.map(\.range) == [40960..<43008, 51200..<53248, 61440..<64512])
  }

  @Test func `a file in the place of structures is not left out`() throws {
    var system = TestExt.usual()
    system.inode(13, mode: 0x81A4, size: 2048, flags: 0x80000, TestExt.leaf([(0, 2, 7)]))
    let tree = try tree(system)
    #expect(throws: GuestDoubt.self) { try tree.extents(of: tree.file(13)) }
  }

  @Test func `times reach beyond 2038 and have nanoseconds`() throws {
    var bytes = [UInt8](repeating: 0, count: 256)
    func set(_ place: Int, _ value: UInt32) {
      for index in 0..<4 { bytes[place + index] = UInt8(truncatingIfNeeded: value >> (index * 8)) }
    }
    set(0x80, 28)
    set(0x10, UInt32(bitPattern: -5))
    set(0x88, 1 | 123_456_789 << 2)
    set(0x0C, UInt32(bitPattern: -5))
    let inode = try ExtInode(parsing: bytes, number: 12, at: 0)
    #expect(inode.modified == FileTime(seconds: 4_294_967_291, nanoseconds: 123_456_789))
    #expect(inode.changed == FileTime(seconds: -5))
    #expect(inode.created == FileTime(seconds: 0))
  }

  @Test func `access lists get the form in which Linux shows them`() throws {
    let stored: [UInt8] = [1, 0, 0, 0, 1, 0, 6, 0, 2, 0, 4, 0, 57, 48, 0, 0, 4, 0, 4, 0]
    let shown: [UInt8] =
      [2, 0, 0, 0] + [1, 0, 6, 0, 255, 255, 255, 255] + [2, 0, 4, 0, 57, 48, 0, 0]
      + [4, 0, 4, 0, 255, 255, 255, 255]
    #expect(try ExtAccessList.linux(stored) == shown)
    #expect(throws: FormatError.self) { try ExtAccessList.linux(Array(stored.dropLast())) }
  }

  // MARK: Hostile

  @Test func `lists and trees that come back to themselves end`() throws {
    var system = TestExt.usual()
    // A list of lists that is its own, and a node that is its own child.
    system.inode(12, mode: 0x81A4, size: 1 << 40, [UInt64](repeating: 0, count: 14) + [20])
    for word in 0..<256 { system.disk.set(20 * 1024 + word * 4, 20, 4) }
    system.inode(
      13, mode: 0x81A4, size: 1 << 40, flags: 0x80000, [1 << 16 | 0xF30A, 1 << 16 | 4, 0, 0, 20, 0])
    let tree = try tree(system)
    for id: UInt64 in [12, 13] { exercise(tree, id) }
  }

  @Test func `names that cannot be are damage`() throws {
    for name in ["a/b", "a\0b"] {
      var system = TestExt.usual()
      system.folder(14, in: 16, [(name, 13)])
      let tree = try tree(system)
      #expect(throws: FormatError.self) { try names(tree, 14) }
    }
  }

  @Test(arguments: [0, 1, 3, 8, 10, 4096, 65535])
  func `entries that lead nowhere end`(length: UInt64) throws {
    var system = TestExt.usual()
    system.disk.set(16 * 1024 + 4, length, 2)
    let tree = try tree(system)
    #expect(throws: FormatError.self) { try names(tree, 14) }
  }

  @Test func `reserved inodes and those that are not there have no names`() throws {
    let tree = try tree(TestExt.usual())
    for id: UInt64 in [0, 1, 8, 10, 16, 33, 1 << 32 | 12] {
      #expect(throws: FormatError.self) { try tree.file(id) }
    }
  }

  @Test func `whatever byte of a structure changes, all ends, and in bounds`() throws {
    let system = TestExt.usual()
    let usual = try #require(try system.free).extents
    var noise = Noise(11)
    let ranges = [
      1024..<2048, 2048..<2080, 3072..<3108, TestExt.inode(12)..<TestExt.inode(16), 9216..<9300,
      16384..<16420, 20480..<20500,
    ]
    for place in ranges.joined() {
      let old = system.disk.bytes[place]
      let random = UInt8.random(in: 0...255, using: &noise)
      let values: [UInt8] = [0, 0xFF, old &+ 1, old &- 1, random]
      for value in values where value != old {
        var other = system
        other.disk.bytes[place] = value
        guard let found = try other.finding?.fileSystem else { continue }
        do {
          let free = try found.freeSpace().extents
          // Nothing checks a bitmap here but counts; everything else must not free more.
          if !(3072..<4096).contains(place) {
            for range in free.ranges { #expect(usual.intersection(range) == [range], "\(place)") }
          }
        } catch is FormatError {
        } catch is GuestDoubt {}
        guard let tree = try found.files() else { continue }
        for id: UInt64 in [2, 12, 13, 14, 15] { exercise(tree, id) }
      }
    }
  }

  /// Does all that can be done with a file; only the errors of this module may come out.
  private func exercise(_ tree: any FileTree, _ id: UInt64) {
    func attempt(_ body: () throws -> Void) {
      do { try body() } catch {
        #expect(error is FormatError || error is GuestDoubt || error is SourceError, "\(error)")
      }
    }
    attempt {
      let file = try tree.file(id)
      attempt { _ = try tree.extents(of: file) }
      attempt { _ = try tree.attributes(of: file) }
      attempt { _ = try tree.target(of: file) }
      attempt { try tree.forEachEntry(of: file) { _ in true } }
      attempt {
        let content = try tree.content(of: file)
        let starts = [0, content.size / 2, content.size - min(content.size, 5000)]
        for start in starts {
          attempt { _ = try content.bytes(Int(min(content.size - start, 5000)), at: start) }
        }
        var position: UInt64 = 0
        for _ in 0..<20 {
          guard let data = try content.nextData(at: position) else { break }
          #expect(data.lowerBound >= position && !data.isEmpty && data.upperBound <= content.size)
          position = data.upperBound
        }
      }
    }
  }
}
