import Bytes
import Testing

@testable import GuestLayouts

/// A journal of 16 blocks from block 100 on, in inode 8, in a file system with descriptor checksums.
struct ExtJournalTests {
  private static let first = 100

  private func system(isDirty: Bool = true, features: UInt64 = 0) -> TestExt {
    var system = TestExt(compatible: 4, incompatible: isDirty ? 0x46 : 0x42, readOnly: 0x11)
    system.use(100..<116)
    system.disk.set(TestExt.superblock + 0xE0, 8, 4)
    system.inode(
      8, mode: 0x8180, size: 16 << 10, flags: 0x80000,
      TestExt.leaf([(0, 16, UInt64(ExtJournalTests.first))]))
    let place = ExtJournalTests.first * 1024
    let fields: [UInt64] = [0xC03B_3998, 4, 1, 1024, 16, 1, 1, isDirty ? 1 : 0]
    for (offset, value) in fields.enumerated() {
      system.disk.setBig(place + offset * 4, value, 4)
    }
    system.disk.setBig(place + 40, features, 4)
    system.sumDescriptor()
    return system
  }

  /// A descriptor block in `number`, with tags of blocks whose copies follow.
  private func describe(
    _ blocks: [UInt64], at number: Int, in system: inout TestExt, flags: UInt64 = 0,
    size: Int = 8
  ) {
    var place = (ExtJournalTests.first + number) * 1024
    let fields: [UInt64] = [0xC03B_3998, 1, 7]
    for (offset, value) in fields.enumerated() {
      system.disk.setBig(place + offset * 4, value, 4)
    }
    place += 12
    for (index, block) in blocks.enumerated() {
      let last: UInt64 = index == blocks.count - 1 ? 8 : 0
      system.disk.setBig(place, block, 4)
      system.disk.setBig(place + (size == 16 ? 4 : 6), flags | last | (index > 0 ? 2 : 0), 2)
      if size == 16 { system.disk.setBig(place + 4, flags | last | (index > 0 ? 2 : 0), 4) }
      place += size + (index == 0 ? 16 : 0)
    }
  }

  /// A copy of the bitmap in a block of the journal, with one more block in use.
  private func copy(_ number: Int, using block: Int, in system: inout TestExt) {
    let place = (ExtJournalTests.first + number) * 1024
    system.disk.put(Array(system.disk.bytes[3072..<4096]), at: place)
    system.disk.bytes[place + (block - 1) / 8] |= 1 << UInt8((block - 1) % 8)
  }

  @Test func `an empty journal changes nothing`() throws {
    #expect(try system(isDirty: false).freeBlocks == [10..<100, 116..<256])
  }

  @Test func `a journal that is not empty after a clean unmount makes a doubt`() throws {
    var system = system(isDirty: false)
    system.disk.setBig(100 * 1024 + 28, 1, 4)
    #expect(throws: GuestDoubt.self) { try system.free }
  }

  @Test func `what any copy of a bitmap in the journal marks is in use`() throws {
    var system = system()
    describe([50, 3], at: 3, in: &system)
    copy(5, using: 200, in: &system)
    describe([3], at: 15, in: &system)
    copy(1, using: 220, in: &system)
    #expect(try system.finding?.fileSystem?.fileDoubt != nil)
    #expect(try system.freeBlocks == [10..<100, 116..<200, 201..<220, 221..<256])
  }

  @Test func `tags of the third version have 16 bytes`() throws {
    var system = system(features: 0x10)
    system.sumJournal()
    describe([50, 3], at: 3, in: &system, size: 16)
    copy(5, using: 200, in: &system)
    #expect(try system.freeBlocks == [10..<100, 116..<200, 201..<256])
  }

  @Test func `checksums hold in transactions that will be replayed`() throws {
    var system = system(features: 0x10)
    system.disk.setBig(100 * 1024 + 24, 7, 4)
    system.disk.setBig(100 * 1024 + 28, 3, 4)
    system.sumJournal()
    describe([2, 3], at: 3, in: &system, size: 16)
    var later = system
    later.use(200..<201)
    later.sumDescriptor()
    system.disk.put(Array(later.disk.bytes[2048..<4096]), at: 104 * 1024)
    // Nothing ends the transaction: it will not be replayed, and may be damaged as it likes.
    #expect(try system.freeBlocks == [10..<100, 116..<200, 201..<256])
    for (offset, value) in ([0xC03B_3998, 2, 7] as [UInt64]).enumerated() {
      system.disk.setBig(106 * 1024 + offset * 4, value, 4)
    }
    #expect(throws: FormatError.self) { try system.free }
    system.sumTransaction(tags: [103 * 1024 + 12, 103 * 1024 + 44], copies: [104, 105])
    #expect(try system.freeBlocks == [10..<100, 116..<200, 201..<256])
    for place in [103 * 1024 + 500, 105 * 1024 + 900] {
      var other = system
      other.disk.bytes[place] ^= 4
      #expect(throws: FormatError.self) { try other.free }
    }
  }

  @Test func `a copy that begins like the journal's own blocks was changed for it`() throws {
    var system = system()
    describe([3], at: 3, in: &system, flags: 1)
    copy(4, using: 200, in: &system)
    system.disk.put([0, 0, 0, 0], at: 104 * 1024)
    let magic: [UInt8] = [0xC0, 0x3B, 0x39, 0x98]
    var expected = Array(system.disk.bytes[3072..<3104])
    for index in 0..<4 { expected[index] |= magic[index] }
    expected[199 / 8] |= 1 << UInt8(199 % 8)
    var free: [Range<UInt64>] = []
    BitRuns.forEachClear(in: expected.span, count: 255) {
      free.append(UInt64($0.lowerBound + 1)..<UInt64($0.upperBound + 1))
    }
    #expect(try system.freeBlocks == free)
  }

  @Test func `a group that the journal may initialize is as its bitmap says in its place`() throws {
    var system = system()
    system.disk.set(TestExt.descriptor + 0x12, 2, 2)
    system.use(230..<240)
    system.count(256 - 1 - 8 - 16)
    system.sumDescriptor()
    #expect(try system.freeBlocks == [9..<100, 116..<256])
    // The copy of the descriptors makes the bitmap count, whatever its flags are.
    describe([2], at: 3, in: &system)
    #expect(try system.freeBlocks == [10..<100, 116..<230, 240..<256])
  }

  @Test func `descriptors and bitmaps are those that replaying would install`() throws {
    var system = system()
    let descriptor = Array(system.disk.bytes[2048..<3072])
    let bitmap = Array(system.disk.bytes[3072..<4096])
    system.count(5)
    system.sumDescriptor()
    #expect(throws: GuestDoubt.self) { try system.free }
    // A transaction of both; what is in their places may be anything but bits that are set.
    system.disk.setBig(100 * 1024 + 24, 7, 4)
    system.disk.setBig(100 * 1024 + 28, 14, 4)
    describe([2, 3], at: 14, in: &system)
    system.disk.put(descriptor, at: 115 * 1024)
    system.disk.put(bitmap, at: 101 * 1024)
    system.disk.put([UInt8](repeating: 0, count: 1024), at: 3072)
    #expect(throws: GuestDoubt.self) { try system.free }
    for (offset, value) in ([0xC03B_3998, 2, 7] as [UInt64]).enumerated() {
      system.disk.setBig(102 * 1024 + offset * 4, value, 4)
    }
    #expect(try system.freeBlocks == [10..<100, 116..<256])
  }

  @Test func `files are those that replaying would make, and blocks that were given up stay`()
    throws
  {
    var system = system()
    system.inode(12, mode: 0x81A4, size: 2048, [40, 41])
    system.fill(40, 1)
    system.fill(41, 1)
    system.disk.setBig(100 * 1024 + 24, 7, 4)
    system.disk.setBig(100 * 1024 + 28, 3, 4)
    describe([40, 41], at: 3, in: &system)
    system.fill(104, 2)
    system.fill(105, 2)
    let blocks: [(place: Int, fields: [UInt64])] = [
      (106, [0xC03B_3998, 5, 7, 20, 41]), (107, [0xC03B_3998, 2, 7]),
    ]
    for block in blocks {
      for (offset, value) in block.fields.enumerated() {
        system.disk.setBig(block.place * 1024 + offset * 4, value, 4)
      }
    }
    let tree = try #require(try system.finding?.fileSystem?.files())
    let content = try tree.content(of: tree.file(12))
    #expect(try content.bytes(1024, at: 0) == [UInt8](repeating: 2, count: 1024))
    #expect(try content.bytes(1024, at: 1024) == [UInt8](repeating: 1, count: 1024))
    #expect(try content.bytes(4, at: 1022) == [2, 2, 1, 1])
  }

  @Test(arguments: [
    (40, 0x20), (40, 0x40), (36, 2), (32, 1), (12, 2048), (16, 17), (20, 16), (20, 0),
  ])
  func `a journal that is not understood ends the search`(place: Int, value: UInt64) throws {
    var system = system()
    system.disk.setBig(100 * 1024 + place, value, 4)
    #expect(throws: (any Error).self) { try system.free }
  }

  @Test func `fast commits and journals elsewhere make a doubt`() throws {
    var system = system()
    system.disk.set(TestExt.superblock + 0x5C, 0x404, 4)
    #expect(throws: GuestDoubt.self) { try system.free }
    system.disk.set(TestExt.superblock + 0x5C, 4, 4)
    system.disk.set(TestExt.superblock + 0xE0, 0, 4)
    #expect(throws: GuestDoubt.self) { try system.free }
  }

  @Test func `a journal in what is free makes a doubt`() throws {
    var system = system(isDirty: false)
    system.disk.bytes[TestExt.bitmap + 104 / 8] &= ~(1 << UInt8(104 % 8))
    system.count(256 - 10 - 15)
    system.sumDescriptor()
    #expect(throws: GuestDoubt.self) { try system.free }
  }

  @Test func `every change of a byte of the journal leaves its file system free or in doubt`()
    throws
  {
    var system = system()
    describe([50, 3], at: 3, in: &system)
    copy(5, using: 200, in: &system)
    let ranges = [102_400..<102_496, 105_472..<105_536]
    for place in ranges.joined() {
      let old = system.disk.bytes[place]
      let values: [UInt8] = [0, 0xFF, old &+ 1, old ^ 0x80]
      for value in values {
        var other = system
        other.disk.bytes[place] = value
        do {
          for range in try other.freeBlocks {
            #expect(range.lowerBound >= 10 && !range.overlaps(100..<116))
          }
        } catch is FormatError {
        } catch is GuestDoubt {}
      }
    }
  }
}

extension TestDisk {
  mutating func setBig(_ place: Int, _ value: UInt64, _ count: Int) {
    for index in 0..<count {
      bytes[place + index] = UInt8(truncatingIfNeeded: value >> UInt64((count - 1 - index) * 8))
    }
  }
}

extension TestExt {
  /// Makes the journal's checksum fit.
  mutating func sumJournal() {
    let place = 100 * 1024
    disk.set(place + 252, 0, 4)
    let bytes = Array(disk.bytes[place..<place + 1024])
    disk.setBig(place + 252, UInt64(ExtChecksum.crc32c(~0, bytes.span)), 4)
  }

  /// Makes the checksums of transaction 7 fit, whose descriptor is in block 3 of the journal.
  mutating func sumTransaction(tags: [Int], copies: [Int]) {
    let uuid = [UInt8](repeating: 0, count: 16)
    let seed = ExtChecksum.crc32c(~0, uuid.span)
    for (tag, copy) in zip(tags, copies) {
      let bytes = Array(disk.bytes[copy * 1024..<copy * 1024 + 1024])
      let sum = ExtChecksum.crc32c(ExtChecksum.crc32c(seed, UInt32(7).byteSwapped), bytes.span)
      disk.setBig(tag + 12, UInt64(sum), 4)
    }
    let end = 104 * 1024 - 4
    disk.setBig(end, 0, 4)
    let bytes = Array(disk.bytes[103 * 1024..<104 * 1024])
    disk.setBig(end, UInt64(ExtChecksum.crc32c(seed, bytes.span)), 4)
  }
}
