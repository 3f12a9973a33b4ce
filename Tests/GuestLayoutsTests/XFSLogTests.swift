import Testing

@testable import GuestLayouts

struct XFSLogTests {
  static let notUnmounted = "its log has not been replayed: it was not unmounted cleanly"

  /// The items that make an image's free space that of another.
  static func change(to other: TestXFS) -> [[[UInt8]]] {
    [
      other.buffer(512, 512, kind: 5), other.buffer(1 << 12, 4096, kind: 4),
      other.buffer(2 << 12, 4096, kind: 4),
    ]
  }

  /// An image in which less is free, but for its log.
  static func fuller() -> TestXFS {
    var image = TestXFS()
    image.free([40..<64, 128..<200])
    image.mend()
    return image
  }

  @Test func `a log that ends with anything but an unmount is replayed, or is a doubt`() throws {
    var image = TestXFS()
    image.log([TestXFS.transaction(1, [image.buffer(0, 512, kind: 18)])])
    #expect(try image.freeBlocks() == TestXFS.usual)
    var old = TestXFS(4)
    old.log([TestXFS.transaction(1, [old.buffer(0, 512, kind: 18)])])
    #expect(doubt { try old.freeBlocks() } == XFSLogTests.notUnmounted)
    old.log([])
    #expect(doubt { try old.freeBlocks() } == "its log is empty")
  }

  @Test func `files of a frozen file system can be trusted, of others not`() throws {
    var image = TestXFS()
    image.log([TestXFS.transaction(1, [image.buffer(0, 512, kind: 18)])])
    #expect(try image.finding()?.fileSystem?.fileDoubt == nil)
    image.log([TestXFS.transaction(1, XFSLogTests.change(to: image))])
    #expect(try image.finding()?.fileSystem?.fileDoubt == "its log has not been replayed")
  }

  @Test func `free is what is free after the replay`() throws {
    let fuller = XFSLogTests.fuller()
    var image = TestXFS()
    image.log([TestXFS.transaction(1, XFSLogTests.change(to: fuller))])
    #expect(try image.freeBlocks() == [40..<64, 128..<200])
    var emptier = fuller
    emptier.log([TestXFS.transaction(1, XFSLogTests.change(to: TestXFS()))])
    #expect(try emptier.freeBlocks() == TestXFS.usual)
  }

  @Test func `places that the log names are not free`() throws {
    let image = TestXFS()
    let cases: [(item: [[UInt8]], free: [Range<Int>])] = [
      (image.buffer(130 << 12, 512, kind: 10), [30..<64, 128..<130, 131..<200, 210..<256]),
      (
        image.buffer(140 << 12, 4096, kind: 0, flags: 2),
        [30..<64, 128..<140, 141..<200, 210..<256]
      ),
    ]
    for (item, _) in cases {
      var other = image
      other.log([TestXFS.transaction(1, [item])])
      let free = try #require(try other.finding()?.fileSystem?.freeSpace().extents)
      let place = UInt64(item[0][8]) | UInt64(item[0][9]) << 8
      #expect(free.range(containing: place * 512) == nil)
      #expect(free.byteCount < UInt64(152 * 4096))
    }
    var inodes = image
    var item = TestXFS.little(0x123F, 2) + TestXFS.little(1, 2) + TestXFS.big(0, 4)
    item += TestXFS.big(150, 4) + TestXFS.big(64, 4) + TestXFS.big(512, 4) + TestXFS.big(8, 4)
    inodes.log([TestXFS.transaction(1, [[item + TestXFS.big(0, 4)]])])
    #expect(try inodes.freeBlocks() == [30..<64, 128..<150, 158..<200, 210..<256])
  }

  @Test func `what was not committed, was freed later or is older than the disk does not count`()
    throws
  {
    let fuller = XFSLogTests.fuller()
    let change = XFSLogTests.change(to: fuller)
    var image = TestXFS()
    image.log([TestXFS.transaction(1, change, commits: false)])
    #expect(try image.freeBlocks() == TestXFS.usual)

    let cancel = [
      image.buffer(1 << 12, 4096, kind: 0, flags: 2),
      image.buffer(2 << 12, 4096, kind: 0, flags: 2),
    ]
    // Without its trees, the AGF does not agree with them.
    image.log([TestXFS.transaction(1, change), TestXFS.transaction(2, cancel)])
    #expect(throws: (any Error).self) { try image.freeBlocks() }
    image.log([TestXFS.transaction(1, Array(change[1...])), TestXFS.transaction(2, cancel)])
    #expect(try image.freeBlocks() == TestXFS.usual)
    // What is used again after it was freed counts.
    image.log([
      TestXFS.transaction(1, cancel), TestXFS.transaction(2, change),
    ])
    #expect(try image.freeBlocks() == [40..<64, 128..<200])

    var newer = TestXFS()
    for place in [512 + 208, 1 << 12 | 24, 2 << 12 | 24] { newer.set(place, 1 << 32 | 99, 8) }
    newer.mend()
    newer.log([TestXFS.transaction(1, change)])
    #expect(try newer.freeBlocks() == TestXFS.usual)
  }

  @Test func `a transaction may go on in the next record`() throws {
    var image = TestXFS()
    let operations = TestXFS.transaction(9, XFSLogTests.change(to: XFSLogTests.fuller()))
    // The fourth operation is the AGF's bytes.
    let bytes = operations[3].bytes
    var first = Array(operations[0..<4])
    first[3] = (9, 4, Array(bytes[0..<200]))
    let rest = [(transaction: UInt32(9), flags: UInt8(0x18), bytes: Array(bytes[200...]))]
    image.log([first, rest + operations[4...]])
    #expect(try image.freeBlocks() == [40..<64, 128..<200])
  }

  @Test func `what is not understood is a doubt`() throws {
    let image = TestXFS()
    var elsewhere = image.buffer(1 << 12, 4096, kind: 4)
    elsewhere[0].replaceSubrange(8..<16, with: TestXFS.little(3000, 8))
    let unknown: [[[UInt8]]] = [
      elsewhere,
      [TestXFS.little(0x1250, 2) + TestXFS.little(1, 2) + TestXFS.big(0, 12)],
      image.buffer(0, 512, kind: 19), image.buffer(1024, 512, kind: 5),
      image.buffer(1 << 12, 512, kind: 4),
      [TestXFS.little(0x123B, 2) + TestXFS.little(1, 2)],
    ]
    for item in unknown {
      var other = image
      other.log([TestXFS.transaction(1, [item])])
      #expect(doubt { try other.freeBlocks() }?.hasPrefix("its log has not been replayed") == true)
    }
    var larger = image
    larger.set(8, 255, 8)
    var other = image
    other.log([TestXFS.transaction(1, [larger.buffer(0, 512, kind: 18)])])
    #expect(
      doubt { try other.freeBlocks() }
        == "its log has not been replayed, and changes the whole file system")
  }

  @Test func `the first attribute changes the superblock, and nothing else`() throws {
    var image = TestXFS()
    image.set(100, 0xB485, 2)
    image.mend()
    var marked = image
    marked.set(100, 0xB4F5, 2)
    image.log([TestXFS.transaction(1, [marked.buffer(0, 512, kind: 18)])])
    #expect(try image.freeBlocks() == TestXFS.usual)
  }

  @Test func `every byte of the log that changes leaves what is free, or a doubt`() throws {
    var image = TestXFS()
    image.log([
      TestXFS.transaction(1, XFSLogTests.change(to: XFSLogTests.fuller())), image.unmount(),
    ])
    // The unmount ends the log, so nothing of it is replayed.
    #expect(try image.freeBlocks() == TestXFS.usual)
    image.log([TestXFS.transaction(1, XFSLogTests.change(to: XFSLogTests.fuller()))])
    for place in stride(from: TestXFS.logStart, to: TestXFS.logStart + 24 * 512, by: 11) {
      var other = image
      other.disk.bytes[place] ^= 0x41
      do {
        let free = try other.freeBlocks()
        #expect(free == [40..<64, 128..<200], "\(place)")
      } catch {}
    }
  }
}
