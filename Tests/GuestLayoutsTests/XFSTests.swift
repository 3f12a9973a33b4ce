import Blocks
import Bytes
import Testing

@testable import GuestLayouts

struct XFSTests {
  @Test(arguments: [4, 5])
  func `what both trees call free is free`(version: Int) throws {
    let image = TestXFS(version)
    let finding = try #require(try image.finding())
    #expect(finding.kind == "XFS")
    #expect(finding.label == "label")
    #expect(finding.uuid == "10111213-1415-1617-1819-1a1b1c1d1e1f")
    #expect(finding.warnings == [])
    let fileSystem = try #require(finding.fileSystem)
    #expect(fileSystem.byteCount == 1 << 20)
    #expect(fileSystem.usedByteCount == UInt64((256 - 152 - 4) * 4096))
    #expect(fileSystem.fileDoubt == nil)
    #expect(try image.freeBlocks() == TestXFS.usual)
  }

  @Test func `what is not known is said, and nothing is free`() throws {
    let changes: [(place: Int, value: UInt64, count: Int, note: String)] = [
      (208, 4, 4, "compatible feature 0x4"), (212, 0x10, 4, "read-only feature 0x10"),
      (216, 0x101, 4, "incompatible feature 0x100"), (220, 2, 4, "log feature 0x2"),
    ]
    for change in changes {
      var image = TestXFS()
      image.set(change.place, change.value, change.count)
      image.mend()
      let finding = try #require(try image.finding())
      #expect(finding.note == "\(change.note) is not known: read whole")
      #expect(finding.fileSystem == nil)
    }
    var old = TestXFS(4)
    old.set(100, 0xB6B4, 2)
    #expect(try old.finding()?.note == "version bit 0x200 is not known: read whole")
    old.set(100, 0x94B4, 2)
    #expect(try old.finding()?.note == "old directories is not known: read whole")
    old.set(100, 0xB4B3, 2)
    #expect(try old.finding()?.warnings.count == 1)
  }

  @Test func `where not all is here or whole, nothing is free`() throws {
    let changes: [(place: Int, value: UInt64, count: Int, doubt: String)] = [
      (126, 1, 1, "mkfs.xfs or xfs_copy did not finish it"),
      (216, 0x11, 4, "it says that it needs xfs_repair"),
      (48, 0, 8, "its log is on another device"),
      (16, 9, 8, "it has a realtime device"),
    ]
    for change in changes {
      var image = TestXFS()
      image.set(change.place, change.value, change.count)
      image.mend()
      #expect(doubt { try image.freeBlocks() } == change.doubt)
      #expect(try image.finding()?.fileSystem?.fileDoubt == change.doubt)
    }
  }

  @Test(arguments: [4, 5])
  func `counters and trees have to agree`(version: Int) throws {
    // The superblock's free blocks, the AGF's, the longest, the blocks of its trees, inodes.
    for place in [144 + 7, 512 + 55, 512 + 59, 512 + 63, 1040 + 3] {
      var image = TestXFS(version)
      image.disk.bytes[place] &+= 1
      image.mend()
      #expect(throws: (any Error).self) { try image.freeBlocks() }
    }
    for block in [1, 2] {
      var image = TestXFS(version)
      let count = block * TestXFS.block + (version == 5 ? 56 : 16) + 7
      image.disk.bytes[count] &-= 1
      image.mend()
      #expect(throws: (any Error).self) { try image.freeBlocks() }
    }
  }

  @Test func `nothing that is in use may be called free`() throws {
    // The log, a tree's block, the free list, inodes.
    for range in [70..<80, 3..<4, 6..<7, 18..<20] {
      var image = TestXFS()
      image.free(([range] + TestXFS.usual).sorted { $0.lowerBound < $1.lowerBound })
      image.mend()
      #expect(doubt { try image.freeBlocks() }?.hasSuffix("what it calls free") == true)
    }
    for range in [0..<2, 250..<257] {
      var image = TestXFS()
      image.free([range])
      image.mend()
      #expect(throws: FormatError.self) { try image.freeBlocks() }
    }
  }

  @Test func `every checksum is compared`() throws {
    for place in [512, 1024, 1536, 1 << 12, 2 << 12, 3 << 12] {
      for inside in [100, 300, 511] where !(place == 1536 && inside > 511) {
        var image = TestXFS()
        image.disk.bytes[place + inside] ^= 1
        #expect(throws: FormatError.self) { try image.freeBlocks() }
      }
    }
    var image = TestXFS()
    image.disk.bytes[300] ^= 1
    #expect(try image.finding()?.note == "damaged: read whole")
  }

  @Test func `a file system that is cut off is read whole`() throws {
    var image = TestXFS()
    image.disk.bytes.removeLast(4096)
    #expect(try image.finding()?.note == "it reaches beyond the end: read whole")
    for count in stride(from: 0, to: 20000, by: 97) {
      image.disk.bytes.removeLast(image.disk.bytes.count - (20000 - count))
      #expect(try image.finding()?.fileSystem == nil)
    }
  }

  // MARK: Files

  @Test(arguments: [4, 5])
  func `files are as they were put there`(version: Int) throws {
    let image = TestXFS(version)
    let tree = try #require(try image.tree())
    #expect(try names(in: tree.root, of: tree) == ["file", "dir", "link", "tree"])
    #expect(try names(in: 132, of: tree) == ["inner"])
    let file = try tree.file(131)
    #expect(file.kind == .regular)
    #expect(file.size == 5000)
    #expect(file.mode == 0o640)
    #expect(file.owner == 1000)
    #expect(file.group == 100)
    #expect(file.modified == FileTime(seconds: 1_000_000_000, nanoseconds: 500_000_000))
    #expect(
      try tree.attributes(of: file)
        == [ExtendedAttribute(name: Array("user.a".utf8), value: Array("1".utf8))])
    #expect(try tree.extents(of: file) == [FileExtent(offset: 0, range: 26 * 4096..<28 * 4096)])
    #expect(
      try tree.content(of: file).bytes(5000, at: 0)
        == Array(image.disk.bytes[26 * 4096..<26 * 4096 + 5000]))
    #expect(try tree.target(of: try tree.file(133)) == Array("file".utf8))
    let other = try tree.file(135)
    let content = try tree.content(of: other)
    var expected = [UInt8](repeating: 0, count: 50000)
    expected.replaceSubrange(0..<4096, with: image.disk.bytes[28 * 4096..<29 * 4096])
    #expect(try content.bytes(50000, at: 0) == expected)
    #expect(try content.nextData(at: 0) == 0..<4096)
    #expect(try content.nextData(at: 4096) == nil)
    #expect(try tree.extents(of: other).count == 2)
  }

  @Test func `content that is shared or elsewhere is not told`() throws {
    var image = TestXFS()
    image.set(TestXFS.place(131) + 120, 2, 8)
    image.mend()
    var tree = try #require(try image.tree())
    let shared = try tree.file(131)
    #expect(doubt { try tree.extents(of: shared) } == "it may share its blocks with other files")
    image = TestXFS()
    image.set(TestXFS.place(131) + 90, 1, 2)
    image.mend()
    tree = try #require(try image.tree())
    let elsewhere = try tree.file(131)
    #expect(doubt { try tree.content(of: elsewhere) } == "its content is on the realtime device")
  }

  @Test func `large times reach beyond 2038`() throws {
    var image = TestXFS()
    image.set(TestXFS.place(131) + 120, 8, 8)
    image.set(TestXFS.place(131) + 40, UInt64(4_000_000_000 + (1 << 31)) * 1_000_000_000 + 7, 8)
    image.mend()
    let tree = try #require(try image.tree())
    #expect(try tree.file(131).modified == FileTime(seconds: 4_000_000_000, nanoseconds: 7))
  }

  private func names(in directory: UInt64, of tree: any FileTree) throws -> [String] {
    var names: [String] = []
    try tree.forEachEntry(of: try tree.file(directory)) {
      names.append(String(decoding: $0.name, as: UTF8.self))
      return true
    }
    return names
  }
}

/// The doubt that something ends in.
func doubt(_ body: () throws -> some Any) -> String? {
  do {
    _ = try body()
    return nil
  } catch {
    return "\(error)"
  }
}
