import Blocks

@testable import GuestLayouts

/// A small ext file system that a test builds field by field: one group, blocks of 1 KiB.
///
///     block 1 superblock · 2 descriptors · 3 block bitmap · 4 inode bitmap · 5 to 8 inodes
///     block 9 root directory · 10 and up what the test puts there
struct TestExt {
  static let block = 1024
  static let blockCount = 256
  static let superblock = 1024
  static let descriptor = 2048
  static let bitmap = 3072

  var disk = TestDisk(blockCount * block)
  private var freeBlockCount = blockCount - 1

  init(compatible: UInt64 = 0, incompatible: UInt64 = 2, readOnly: UInt64 = 1) {
    let place = TestExt.superblock
    disk.set(place, 32, 4)
    disk.set(place + 4, UInt64(TestExt.blockCount), 4)
    disk.set(place + 0x14, 1, 4)
    for field in [0x20, 0x24] { disk.set(place + field, 8192, 4) }
    disk.set(place + 0x28, 32, 4)
    disk.set(place + 0x38, 0xEF53, 2)
    disk.set(place + 0x3A, 1, 2)
    disk.set(place + 0x4C, 1, 4)
    disk.set(place + 0x54, 11, 4)
    disk.set(place + 0x58, 128, 2)
    disk.set(place + 0x5C, compatible, 4)
    disk.set(place + 0x60, incompatible, 4)
    disk.set(place + 0x64, readOnly, 4)
    disk.put([UInt8](1...16), at: place + 0x68)
    disk.put("small", at: place + 0x78)
    disk.set(TestExt.descriptor, 3, 4)
    disk.set(TestExt.descriptor + 4, 4, 4)
    disk.set(TestExt.descriptor + 8, 5, 4)
    use(1..<10)
    folder(2, in: 9, [])
  }

  var source: MemoryDisk { disk.source }
  var area: GuestArea { get throws { try GuestArea(source) } }
  var finding: GuestFinding? { get throws { try Ext.find(in: area).first } }
  var free: FreeSpace? { get throws { try finding?.fileSystem?.freeSpace() } }
  /// The free space in blocks.
  var freeBlocks: [Range<UInt64>] {
    get throws {
      try (free?.extents.ranges ?? []).map { $0.lowerBound / 1024..<$0.upperBound / 1024 }
    }
  }

  // MARK: Structures

  /// Marks blocks in the bitmap, and counts them.
  mutating func use(_ blocks: Range<Int>) {
    for block in blocks {
      let bit = block - 1
      disk.bytes[TestExt.bitmap + bit / 8] |= 1 << UInt8(bit % 8)
    }
    count(freeBlockCount - blocks.count)
  }

  /// Writes how many blocks are free.
  mutating func count(_ free: Int) {
    freeBlockCount = free
    disk.set(TestExt.superblock + 0xC, UInt64(free), 4)
    disk.set(TestExt.descriptor + 0xC, UInt64(free), 2)
  }

  static func inode(_ number: Int) -> Int { 5 * block + (number - 1) * 128 }

  mutating func inode(_ number: Int, mode: UInt64, size: UInt64, flags: UInt64 = 0, _ map: [UInt64])
  {
    let place = TestExt.inode(number)
    disk.set(place, mode, 2)
    disk.set(place + 4, size & 0xFFFF_FFFF, 4)
    disk.set(place + 0x6C, size >> 32, 4)
    disk.set(place + 0x1A, 1, 2)
    disk.set(place + 0x20, flags, 4)
    for (index, word) in map.enumerated() { disk.set(place + 0x28 + index * 4, word, 4) }
  }

  /// The words of a leaf of extents in an inode: first block, length, place.
  static func leaf(_ extents: [(UInt64, UInt64, UInt64)]) -> [UInt64] {
    [UInt64(extents.count) << 16 | 0xF30A, 4, 0] + extents.flatMap { [$0.0, $0.1, $0.2] }
  }

  /// A directory of one block.
  mutating func folder(_ number: Int, in block: Int, _ names: [(String, Int)]) {
    inode(number, mode: 0x41ED, size: 1024, [UInt64(block)])
    var place = block * TestExt.block
    let all = [(".", number), ("..", 2)] + names
    for (index, (name, target)) in all.enumerated() {
      let end = (block + 1) * TestExt.block
      let length = index == all.count - 1 ? end - place : (8 + name.utf8.count + 3) & ~3
      disk.set(place, UInt64(target), 4)
      disk.set(place + 4, UInt64(length), 2)
      disk.set(place + 6, UInt64(name.utf8.count), 1)
      disk.put(name, at: place + 8)
      place += length
    }
  }

  /// A directory and files of each kind of block map, and free space between them.
  static func usual() -> TestExt {
    var system = TestExt(incompatible: 0x42)
    system.folder(2, in: 9, [("listed", 12), ("extents", 13), ("folder", 14), ("link", 15)])
    system.inode(
      12, mode: 0x81A4, size: 16 * 1024, [10, 0, 12] + [UInt64](repeating: 0, count: 9) + [20])
    system.disk.set(20 * 1024 + 4, 30, 4)
    for block in [10, 12, 30] { system.fill(block, UInt8(block)) }
    system.inode(
      13, mode: 0x81A4, size: 9000, flags: 0x80000,
      leaf([(0, 2, 40), (4, 2, 50), (6, 32768 + 3, 60)]))
    for block in [40, 41, 50, 51, 60] { system.fill(block, UInt8(block)) }
    system.folder(14, in: 16, [("inside", 13)])
    system.inode(15, mode: 0xA1FF, size: 6, [])
    system.disk.put("listed", at: inode(15) + 0x28)
    for blocks in [10..<11, 12..<13, 16..<17, 20..<21, 30..<31, 40..<42, 50..<52, 60..<63] {
      system.use(blocks)
    }
    return system
  }

  mutating func fill(_ block: Int, _ byte: UInt8) {
    disk.put([UInt8](repeating: byte, count: TestExt.block), at: block * TestExt.block)
  }
}
