import Blocks
import Bytes
import Testing

@testable import GuestLayouts

/// Files of an NTFS volume.
struct NTFSFilesTests {
  private typealias Attribute = TestNTFS.Attribute

  private func id(_ number: UInt64 = UInt64(TestNTFS.file)) -> UInt64 { number | number << 48 }

  /// The only file of a volume with these attributes.
  private func file(
    _ others: [Attribute], attributes: UInt64 = 0, patches: [(Int, [UInt8])] = []
  ) throws -> (tree: any FileTree, file: GuestFile) {
    var volume = TestNTFS()
    volume.file("file", attributes: attributes, others)
    volume.used.formUnion(200..<300)
    volume.patches = patches
    let tree = try volume.files()
    return (tree, try tree.file(id()))
  }

  private func content(
    _ others: [Attribute], patches: [(Int, [UInt8])] = []
  ) throws -> [UInt8] {
    let (tree, file) = try file(others, patches: patches)
    let source = try tree.content(of: file)
    #expect(source.size == file.size)
    // Only what `nextData` tells is read, and the rest is zero.
    var result = [UInt8](repeating: 0, count: Int(source.size))
    var position: UInt64 = 0
    while let data = try source.nextData(at: position) {
      let bytes = try source.bytes(Int(data.upperBound - data.lowerBound), at: data.lowerBound)
      result.replaceSubrange(Int(data.lowerBound)..<Int(data.upperBound), with: bytes ?? [])
      position = data.upperBound
    }
    #expect(try source.bytes(Int(source.size), at: 0) == result)
    return result
  }

  private func data(
    _ runs: [(cluster: Int?, count: Int)], size: Int, initialized: Int? = nil, flags: Int = 0,
    unit: Int = 0
  ) -> Attribute {
    Attribute(
      type: 0x80, flags: flags,
      form: .mapped(runs, size: size, initialized: initialized, unit: unit))
  }

  private func filled(_ cluster: Int, _ value: UInt8) -> (Int, [UInt8]) {
    (cluster * 4096, [UInt8](repeating: value, count: 4096))
  }

  // MARK: Content

  @Test func `content is in the record or in clusters, with holes`() throws {
    #expect(try content([TestNTFS.data([1, 2, 3])]) == [1, 2, 3])
    #expect(try content([]) == [])
    let sparse = data([(200, 1), (nil, 2), (202, 1)], size: 4 * 4096 - 5, flags: 0x8000)
    let bytes = try content([sparse], patches: [filled(200, 1), filled(202, 2)])
    #expect(bytes[0..<4096].allSatisfy { $0 == 1 })
    #expect(bytes[4096..<3 * 4096].allSatisfy { $0 == 0 })
    #expect(bytes[(3 * 4096)...].allSatisfy { $0 == 2 })
    #expect(bytes.count == 4 * 4096 - 5)
  }

  @Test func `what was never written is zero, whatever its clusters hold`() throws {
    let part = data([(200, 2)], size: 8000, initialized: 100)
    let bytes = try content([part], patches: [filled(200, 1), filled(201, 2)])
    #expect(bytes[0..<100].allSatisfy { $0 == 1 })
    #expect(bytes[100...].allSatisfy { $0 == 0 })
  }

  @Test func `compressed units are stored, compressed or holes`() throws {
    // Units of two clusters: one as it is, one compressed, one of nothing, one more compressed.
    let file = data(
      [(200, 2), (202, 1), (nil, 3), (203, 1), (nil, 1)], size: 8 * 4096 - 7,
      initialized: 6 * 4096 + 2, flags: 1, unit: 1)
    let packed: [UInt8] = [0x03, 0xB0, 0x02, 0x41, 0xFC, 0x0F, 0x00, 0x30, 0x55, 0, 0]
    let bytes = try content(
      [file], patches: [filled(200, 1), filled(201, 2), (202 * 4096, packed), (203 * 4096, packed)])
    #expect(bytes[0..<4096].allSatisfy { $0 == 1 })
    #expect(bytes[4096..<8192].allSatisfy { $0 == 2 })
    #expect(bytes[8192..<8192 + 4096].allSatisfy { $0 == 0x41 })
    #expect(bytes[8192 + 4096] == 0x55)
    #expect(bytes[(8192 + 4097)..<6 * 4096].allSatisfy { $0 == 0 })
    #expect(bytes[6 * 4096] == 0x41)
    #expect(bytes[6 * 4096 + 1] == 0x41)
    #expect(bytes[(6 * 4096 + 2)...].allSatisfy { $0 == 0 })
  }

  @Test func `compressed content that is damaged is an error`() throws {
    let file = data([(202, 1), (nil, 1)], size: 8192, flags: 1, unit: 1)
    #expect(throws: FormatError.self) { try content([file], patches: [filled(202, 0x12)]) }
    let gap = data([(nil, 1), (202, 1)], size: 8192, flags: 1, unit: 1)
    #expect(throws: FormatError.self) { try content([gap], patches: []) }
  }

  @Test func `what cannot be told is a doubt`() throws {
    for file in [
      data([(200, 1)], size: 9, flags: 0x4000), data([(200, 1)], size: 9, flags: 2, unit: 4),
      data([(200, 1)], size: 9, flags: 1, unit: 0), data([(200, 1)], size: 9, flags: 1, unit: 12),
    ] {
      #expect(throws: GuestDoubt.self) { try content([file]) }
    }
    for tag: UInt64 in [0x8000_0017, 0x8000_0013, 0x8000_0007, 0xC000_0004, 0x9000_101A] {
      let reparse = Attribute(
        type: 0xC0, form: .resident(TestNTFS.number(tag, 4) + [2, 0, 0, 0, 9, 9]))
      let (tree, file) = try file([TestNTFS.data([1]), reparse], attributes: 0x40_0400)
      #expect(file.kind == .regular)
      #expect(throws: GuestDoubt.self) { _ = try tree.content(of: file) }
    }
  }

  @Test func `a file that a cloud keeps here is read`() throws {
    let reparse = Attribute(
      type: 0xC0, form: .resident(TestNTFS.number(0x9000_101A, 4) + [0, 0, 0, 0]))
    #expect(try content([TestNTFS.data([1]), reparse]) == [1])
  }

  @Test func `clusters of a file are told, but not those of others`() throws {
    let sparse = data([(200, 1), (nil, 2), (202, 3)], size: 5 * 4096, flags: 0x8000)
    let (tree, file) = try file([sparse])
    #expect(
      try tree.extents(of: file) == [
        FileExtent(offset: 0, range: TestNTFS.places([200..<201])[0]),
        FileExtent(offset: 3 * 4096, range: TestNTFS.places([202..<205])[0]),
      ])
    let (other, small) = try self.file([TestNTFS.data([1])])
    #expect(try other.extents(of: small).isEmpty)
    for cluster in [0, 2, 3, 4, 19, 100] {
      let (tree, file) = try self.file([data([(cluster, 1)], size: 9)])
      #expect(throws: GuestDoubt.self) { _ = try tree.extents(of: file) }
    }
  }

  // MARK: Kinds

  /// The data of a link.
  private func link(
    _ tag: UInt64, _ substitute: String, _ printed: String, isJunction: Bool = false
  ) -> Attribute {
    let first = TestNTFS.words(substitute)
    let second = TestNTFS.words(printed)
    var data = [0, first.count, first.count, second.count].flatMap {
      TestNTFS.number(UInt64($0), 2)
    }
    if !isJunction { data += [1, 0, 0, 0] }
    data += first + second
    let head = TestNTFS.number(tag, 4) + TestNTFS.number(UInt64(data.count), 4)
    return Attribute(type: 0xC0, form: .resident(head + data))
  }

  @Test func `links point to where they say`() throws {
    let linux =
      TestNTFS.number(0xA000_001D, 4) + [7, 0, 0, 0, 2, 0, 0, 0] + Array("a/ä".utf8.prefix(3))
    let interix = Array("IntxLNK\u{1}".utf8) + TestNTFS.words("/etc/ä")
    let cases: [([Attribute], UInt64, String)] = [
      ([link(0xA000_000C, "..\\a\\b", "..\\a\\b")], 0x400, "../a/b"),
      ([link(0xA000_000C, "\\??\\C:\\a b", "")], 0x400, "C:/a b"),
      ([link(0xA000_0003, "\\??\\C:\\a", "C:\\x", isJunction: true)], 0x400, "C:/x"),
      ([TestNTFS.data(interix)], 4, "/etc/ä"),
      ([Attribute(type: 0xC0, form: .resident(linux))], 0x400, "a/\u{FFFD}"),
    ]
    for (attributes, flags, target) in cases {
      let (tree, file) = try file(attributes, attributes: flags)
      #expect(file.kind == .symbolicLink)
      #expect(String(decoding: try tree.target(of: file), as: UTF8.self) == target)
      #expect(throws: (any Error).self) { _ = try tree.extents(of: file) }
    }
    let (_, ordinary) = try file([TestNTFS.data(interix)], attributes: 0)
    #expect(ordinary.kind == .regular)
  }

  @Test func `a link with names outside it is refused`() throws {
    var broken = link(0xA000_000C, "a", "b")
    guard case .resident(var value) = broken.form else { return }
    value[12] = 0xF0
    broken.form = .resident(value)
    let (tree, file) = try file([broken], attributes: 0x400)
    #expect(throws: FormatError.self) { _ = try tree.target(of: file) }
  }

  @Test func `files of the Linux subsystem have modes, owners and devices`() throws {
    func attribute(_ name: String, _ value: [UInt8], isLast: Bool = false) -> [UInt8] {
      var bytes: [UInt8] = [0, UInt8(name.utf8.count)] + TestNTFS.number(UInt64(value.count), 2)
      bytes += Array(name.utf8) + [0] + value
      bytes += [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
      return TestNTFS.number(isLast ? 0 : UInt64(bytes.count + 4), 4) + bytes
    }
    let values =
      attribute("$LXUID", TestNTFS.number(1000, 4)) + attribute("$LXGID", TestNTFS.number(100, 4))
      + attribute("$LXMOD", TestNTFS.number(0o020640, 4))
      + attribute(
        "$LXDEV", TestNTFS.number(4, 4) + TestNTFS.number(64, 4), isLast: true)
    let extended = Attribute(type: 0xE0, form: .resident(values))
    let kinds: [(UInt64, GuestFile.Kind)] = [
      (0x8000_0023, .socket), (0x8000_0024, .fifo),
      (0x8000_0025, .characterDevice(major: 4, minor: 64)),
      (0x8000_0026, .blockDevice(major: 4, minor: 64)), (0xA000_0019, .other),
    ]
    for (tag, kind) in kinds {
      let reparse = Attribute(
        type: 0xC0, form: .resident(TestNTFS.number(tag, 4) + [0, 0, 0, 0]))
      let (_, file) = try file([reparse, extended], attributes: 0x400)
      #expect(file.kind == kind)
      #expect(file.mode == 0o640)
      #expect(file.owner == 1000)
      #expect(file.group == 100)
    }
  }

  @Test func `times, links and streams are told`() throws {
    let others = [
      TestNTFS.fileName("FILE~1", space: 2), TestNTFS.fileName("other", space: 0),
      TestNTFS.data([1]),
      Attribute(type: 0x80, name: "Zone.Identifier", form: .resident(Array("web".utf8))),
      Attribute(type: 0x80, name: "big", form: .mapped([(200, 17)], size: 17 * 4096)),
    ]
    let (tree, file) = try file(others)
    #expect(file.linkCount == 2)
    #expect(file.created == FileTime(seconds: 1, nanoseconds: 500))
    #expect(file.modified == FileTime(seconds: 2, nanoseconds: 1000))
    #expect(file.changed == FileTime(seconds: 3, nanoseconds: 1500))
    #expect(file.accessed == FileTime(seconds: 4, nanoseconds: 2000))
    #expect(file.mode == nil)
    #expect(
      try tree.attributes(of: file) == [
        ExtendedAttribute(name: Array("user.Zone.Identifier".utf8), value: Array("web".utf8))
      ])
  }

  // MARK: Directories

  private func names(_ volume: TestNTFS) throws -> [String] {
    let tree = try volume.files()
    var names: [String] = []
    try tree.forEachEntry(of: try tree.file(tree.root)) { entry in
      names.append(String(decoding: entry.name, as: UTF8.self))
      return true
    }
    return names
  }

  /// A root directory with blocks, in clusters from 200 on.
  private func directory(root: [UInt8], blocks: [[UInt8]]) -> TestNTFS {
    var volume = TestNTFS()
    let count = blocks.count
    volume.record(
      5,
      [
        TestNTFS.standardInformation(), TestNTFS.indexRoot(root),
        Attribute(type: 0xA0, name: "$I30", form: .mapped([(200, count)], size: count * 4096)),
      ], isDirectory: true)
    volume.used.formUnion(200..<200 + count)
    volume.patches = blocks.enumerated().map { ((200 + $0.offset) * 4096, $0.element) }
    return volume
  }

  private func entry(_ name: String, below: Int? = nil, space: UInt8 = 1) -> [UInt8] {
    TestNTFS.entry(Array(name.utf16), 40, space: space, below: below)
  }

  @Test func `a directory is walked in the order of its tree`() throws {
    let volume = directory(
      root: entry("d", below: 1) + TestNTFS.lastEntry(below: 2),
      blocks: [
        TestNTFS.indexBlock(0, entry("a") + TestNTFS.lastEntry()),
        TestNTFS.indexBlock(1, entry("b", below: 0) + entry("c") + TestNTFS.lastEntry()),
        TestNTFS.indexBlock(2, entry("E~1", space: 2) + entry("e") + TestNTFS.lastEntry()),
      ])
    #expect(try names(volume) == ["a", "b", "c", "d", "e"])
    #expect(volume.doubt == nil)
    let tree = try volume.files()
    var count = 0
    try tree.forEachEntry(of: try tree.file(tree.root)) { _ in
      count += 1
      return count < 2
    }
    #expect(count == 2)
  }

  @Test func `the file system's own files are not among them`() throws {
    var volume = TestNTFS()
    volume.file("file", [])
    volume.names += [(".", 5), ("$MFT", 0), ("$Extend", 11)]
    #expect(try names(volume) == ["file"])
  }

  @Test(
    arguments: [
      ["."], [".."], ["a/b"], ["a\0b"], [""],
    ] as [[String]])
  func `a name that no file can have is damage`(names: [String]) {
    var volume = TestNTFS()
    volume.names = names.map { ($0, 40) }
    #expect(throws: FormatError.self) { try self.names(volume) }
  }

  @Test func `loops and damage in an index are refused`() {
    let leaf = TestNTFS.indexBlock(0, entry("a") + TestNTFS.lastEntry())
    var broken: [TestNTFS] = [
      // Itself, twice the same, not there, another's place, no block at all.
      directory(
        root: TestNTFS.lastEntry(below: 0),
        blocks: [TestNTFS.indexBlock(0, TestNTFS.lastEntry(below: 0))]),
      directory(root: entry("a", below: 0) + TestNTFS.lastEntry(below: 0), blocks: [leaf]),
      directory(root: TestNTFS.lastEntry(below: 1), blocks: [leaf]),
      directory(root: TestNTFS.lastEntry(below: .max), blocks: [leaf]),
      directory(root: TestNTFS.lastEntry(below: 1), blocks: [leaf, leaf]),
      directory(root: TestNTFS.lastEntry(below: 0), blocks: [[UInt8](repeating: 0, count: 4096)]),
      directory(root: entry("a"), blocks: [leaf]),
    ]
    var torn = leaf
    torn[1022] ^= 1
    broken.append(directory(root: TestNTFS.lastEntry(below: 0), blocks: [torn]))
    for (place, bytes) in [
      (0, [0x31]), (4, [8]), (8, [0xFF, 0xFF]), (10, [0xFF]), (12, [1]), (16 + 64, [0xFF]),
    ] as [(Int, [UInt8])] {
      var entries = entry("a") + TestNTFS.lastEntry()
      entries.replaceSubrange(place..<place + bytes.count, with: bytes)
      if place > 4 { broken.append(directory(root: entries, blocks: [leaf])) }
    }
    for (index, volume) in broken.enumerated() {
      #expect(throws: FormatError.self, "\(index)") { try names(volume) }
      #expect(volume.doubt != nil, "\(index)")
    }
  }

  @Test func `an index is not deeper than it can be`() {
    let blocks = (0..<40).map { TestNTFS.indexBlock($0, TestNTFS.lastEntry(below: $0 + 1)) }
    let volume = directory(root: TestNTFS.lastEntry(below: 0), blocks: blocks)
    #expect(throws: FormatError.self) { try names(volume) }
  }

  @Test func `a reference to an earlier use of a record is damage`() throws {
    var volume = TestNTFS()
    volume.file("file", [])
    let tree = try volume.files()
    _ = try tree.file(30)
    #expect(throws: FormatError.self) { _ = try tree.file(30 | 29 << 48) }
    #expect(throws: FormatError.self) { _ = try tree.file(31) }
    #expect(throws: FormatError.self) { _ = try tree.file(1 << 40) }
  }
}
