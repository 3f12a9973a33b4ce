import Blocks
import Bytes

@testable import GuestLayouts

/// An XFS file system of one allocation group of 1 MiB, built field by field.
///
///     block   0       headers, 512 bytes each
///             1, 2    free extents by block and by size
///             3       inode chunks
///             5 - 8   the free list
///            16 - 23  64 inodes; the root is 128
///            24       the directory `dir`
///            25       a leaf of the extents of `tree`
///            26 - 29  content of `file` and `tree`
///            64 - 127 the log
struct TestXFS {
  static let block = 4096
  static let blockCount = 256
  static let root = 128
  static let usual: [Range<Int>] = [30..<64, 128..<200, 210..<256]
  static let uuid = [UInt8](0x10..<0x20)
  static let logStart = 64 * block

  var disk = TestDisk(TestXFS.block * TestXFS.blockCount)
  let version: Int
  var isNew: Bool { version == 5 }

  init(_ version: Int = 5) {
    self.version = version
    superblock()
    groupHeaders()
    free(TestXFS.usual)
    inodeTree()
    files()
    log([unmount()])
    mend()
  }

  mutating func set(_ place: Int, _ value: UInt64, _ count: Int) {
    for index in 0..<count {
      disk.bytes[place + index] = UInt8(
        truncatingIfNeeded: value >> UInt64((count - 1 - index) * 8))
    }
  }

  private mutating func superblock() {
    disk.put("XFSB", at: 0)
    set(4, 4096, 4)
    set(8, UInt64(TestXFS.blockCount), 8)
    disk.put(TestXFS.uuid, at: 32)
    set(48, 64, 8)
    set(56, UInt64(TestXFS.root), 8)
    set(84, UInt64(TestXFS.blockCount), 4)
    set(88, 1, 4)
    set(96, 64, 4)
    set(100, isNew ? 0xB4B5 : 0xB4B4, 2)
    set(102, 512, 2)
    set(104, 512, 2)
    set(106, 8, 2)
    disk.put("label", at: 108)
    disk.bytes.replaceSubrange(120..<125, with: [12, 9, 9, 3, 8])
    disk.bytes[193] = 0
    for place in [200, 204] { set(place, 0x8A | 0x200, 4) }
    if isNew { set(216, 1, 4) }
  }

  private mutating func groupHeaders() {
    disk.put("XAGF", at: 512)
    set(516, 1, 4)
    set(524, UInt64(TestXFS.blockCount), 4)
    for (index, value) in [1, 2, 0, 1, 1, 0, 0, 3, 4].enumerated() {
      set(528 + index * 4, UInt64(value), 4)
    }
    disk.put("XAGI", at: 1024)
    set(1028, 1, 4)
    set(1036, UInt64(TestXFS.blockCount), 4)
    set(1040, 64, 4)
    set(1044, 3, 4)
    set(1048, 1, 4)
    let list = isNew ? 1536 + 36 : 1536
    if isNew {
      disk.put("XAFL", at: 1536)
      disk.put(TestXFS.uuid, at: 1544)
      disk.put(TestXFS.uuid, at: 512 + 64)
      disk.put(TestXFS.uuid, at: 1024 + 296)
    }
    for (index, block) in [5, 6, 7, 8].enumerated() { set(list + index * 4, UInt64(block), 4) }
  }

  /// The header of a tree's block; returns where its records begin.
  @discardableResult
  private mutating func tree(_ block: Int, _ magics: (String, String), _ count: Int) -> Int {
    let place = block * TestXFS.block
    disk.put(isNew ? magics.1 : magics.0, at: place)
    set(place + 6, UInt64(count), 2)
    set(place + 8, UInt64.max, 8)
    guard isNew else { return place + 16 }
    set(place + 16, UInt64(place / 512), 8)
    disk.put(TestXFS.uuid, at: place + 32)
    return place + 56
  }

  /// Makes these blocks free, in both trees and in all counters.
  mutating func free(_ ranges: [Range<Int>]) {
    let sorted = ranges.sorted { ($0.count, $0.lowerBound) < ($1.count, $1.lowerBound) }
    for (block, magics, ranges) in [(1, ("ABTB", "AB3B"), ranges), (2, ("ABTC", "AB3C"), sorted)] {
      let start = tree(block, magics, ranges.count)
      for (index, range) in ranges.enumerated() {
        set(start + index * 8, UInt64(range.lowerBound), 4)
        set(start + index * 8 + 4, UInt64(range.count), 4)
      }
    }
    let sum = ranges.reduce(0) { $0 + $1.count }
    set(512 + 52, UInt64(sum), 4)
    set(512 + 56, UInt64(ranges.map(\.count).max() ?? 0), 4)
    set(144, UInt64(sum + 4), 8)
  }

  private mutating func inodeTree() {
    let start = tree(3, ("IABT", "IAB3"), 1)
    set(start, UInt64(TestXFS.root), 4)
  }

  // MARK: Files

  /// An inode's place.
  static func place(_ inode: Int) -> Int { 16 * block + (inode - root) * 512 }

  private mutating func inode(
    _ number: Int, _ mode: UInt16, form: UInt8, size: Int, extents: Int = 0, _ data: [UInt8],
    attributes: [UInt8] = []
  ) {
    let place = TestXFS.place(number)
    disk.put("IN", at: place)
    set(place + 2, UInt64(mode), 2)
    disk.bytes[place + 4] = isNew ? 3 : 2
    disk.bytes[place + 5] = form
    set(place + 8, 1000, 4)
    set(place + 12, 100, 4)
    set(place + 16, 1, 4)
    // 2001-09-09 01:46:40.5
    for time in [32, 40, 48] { set(place + time, 1_000_000_000 << 32 | 500_000_000, 8) }
    set(place + 56, UInt64(size), 8)
    set(place + 64, form > 1 ? 8 : 0, 8)
    set(place + 76, UInt64(extents), 4)
    let start = place + (isNew ? 176 : 100)
    disk.put(data, at: start)
    if !attributes.isEmpty {
      disk.bytes[place + 82] = 20
      disk.bytes[place + 83] = 1
      disk.put(attributes, at: start + 160)
    }
    guard isNew else { return }
    set(place + 152, UInt64(number), 8)
    disk.put(TestXFS.uuid, at: place + 160)
  }

  static func extent(_ place: Int, _ block: Int, _ count: Int, isWritten: Bool = true) -> [UInt8] {
    let high = (isWritten ? 0 : 1 << 63) | UInt64(place) << 9
    let low = UInt64(block) << 21 | UInt64(count)
    return big(high, 8) + big(low, 8)
  }

  static func big(_ value: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64((count - 1 - $0) * 8)) }
  }

  private func inside(_ entries: [(String, Int)]) -> [UInt8] {
    var bytes: [UInt8] = [UInt8(entries.count), 0] + TestXFS.big(UInt64(TestXFS.root), 4)
    for (name, inode) in entries {
      bytes += [UInt8(name.utf8.count), 0, 0] + Array(name.utf8) + [1]
      bytes += TestXFS.big(UInt64(inode), 4)
    }
    return bytes
  }

  private mutating func files() {
    let root = inside([("file", 131), ("dir", 132), ("link", 133), ("tree", 135)])
    inode(128, 0o40755, form: 1, size: root.count, root)
    let attributes: [UInt8] = [0, 9, 1, 0, 1, 1, 0] + Array("a1".utf8)
    inode(
      131, 0o100640, form: 2, size: 5000, extents: 1, TestXFS.extent(0, 26, 2),
      attributes: attributes)
    inode(132, 0o40700, form: 2, size: 4096, extents: 1, TestXFS.extent(0, 24, 1))
    inode(133, 0o120777, form: 1, size: 4, Array("file".utf8))
    inode(134, 0o100600, form: 2, size: 0, [])
    var treeRoot = TestXFS.big(1 << 16 | 1, 4) + TestXFS.big(0, 8)
    let room = (512 - (isNew ? 176 : 100) - 4) / 16
    treeRoot += [UInt8](repeating: 0, count: (room - 1) * 8) + TestXFS.big(25, 8)
    inode(135, 0o100600, form: 3, size: 50000, extents: 2, treeRoot)
    let leaf = 25 * TestXFS.block
    disk.put(isNew ? "BMA3" : "BMAP", at: leaf)
    set(leaf + 6, 2, 2)
    if isNew {
      set(leaf + 24, UInt64(leaf / 512), 8)
      disk.put(TestXFS.uuid, at: leaf + 40)
      set(leaf + 56, 135, 8)
    }
    disk.put(
      TestXFS.extent(0, 28, 1) + TestXFS.extent(10, 29, 1, isWritten: false),
      at: leaf + (isNew ? 72 : 24))
    for block in 26..<30 {
      for index in 0..<TestXFS.block {
        disk.bytes[block * TestXFS.block + index] = UInt8(truncatingIfNeeded: block + index)
      }
    }
    directory()
  }

  private mutating func directory() {
    let start = 24 * TestXFS.block
    disk.put(isNew ? "XDB3" : "XD2B", at: start)
    if isNew {
      set(start + 8, UInt64(start / 512), 8)
      disk.put(TestXFS.uuid, at: start + 24)
      set(start + 40, 132, 8)
    }
    var place = start + (isNew ? 64 : 16)
    for (name, inode) in [(".", 132), ("..", 128), ("inner", 134)] {
      set(place, UInt64(inode), 8)
      disk.bytes[place + 8] = UInt8(name.utf8.count)
      disk.put(name, at: place + 9)
      let length = (12 + name.utf8.count + 7) / 8 * 8
      set(place + length - 2, UInt64(place - start), 2)
      place += length
    }
    let end = start + TestXFS.block - 8 - 3 * 8
    set(place, 0xFFFF, 2)
    set(place + 2, UInt64(end - place), 2)
    set(end - 2, UInt64(place - start), 2)
    set(start + TestXFS.block - 8, 3, 4)
  }

  // MARK: The log

  /// A record: its operations, each with transaction, flags and bytes.
  typealias Operations = [(transaction: UInt32, flags: UInt8, bytes: [UInt8])]

  func unmount() -> Operations { [(7, 0x20, [0x6E, 0x55, 0, 0, 0, 0, 0, 0])] }

  /// Writes records from the log's first block on, in cycle 1.
  mutating func log(_ records: [Operations], tail: Int = 0) {
    for index in TestXFS.logStart..<128 * TestXFS.block { disk.bytes[index] = 0 }
    var block = 0
    for operations in records {
      var body: [UInt8] = []
      for operation in operations {
        body += TestXFS.big(UInt64(operation.transaction), 4)
        body += TestXFS.big(UInt64(operation.bytes.count), 4) + [0x69, operation.flags, 0, 0]
        body += operation.bytes
      }
      body += [UInt8](repeating: 0, count: (512 - body.count % 512) % 512)
      let place = TestXFS.logStart + block * 512
      for (index, value) in [0xFEED_BABE, 1, 2, UInt64(body.count)].enumerated() {
        set(place + index * 4, value, 4)
      }
      set(place + 16, 1 << 32 | UInt64(block), 8)
      set(place + 24, 1 << 32 | UInt64(tail), 8)
      set(place + 40, UInt64(operations.count), 4)
      set(place + 300, 1, 4)
      disk.put(TestXFS.uuid, at: place + 304)
      set(place + 320, 32768, 4)
      for index in 0..<body.count / 512 {
        disk.put(Array(body[index * 512..<index * 512 + 4]), at: place + 44 + index * 4)
        body.replaceSubrange(index * 512..<index * 512 + 4, with: [0, 0, 0, 1])
      }
      disk.put(body, at: place + 512)
      var sum = RunningCRC32(.castagnoli)
      sum.add(disk.bytes[place..<place + 328] + body)
      disk.set(place + 32, UInt64(sum.value), 4)
      block += 1 + body.count / 512
    }
  }

  /// The operations of a transaction.
  static func transaction(
    _ number: UInt32, _ items: [[[UInt8]]], commits: Bool = true
  ) -> Operations {
    var operations: Operations = [
      (number, 1, []), (number, 0, little(0x5452_414E, 4) + [UInt8](repeating: 0, count: 12)),
    ]
    for region in items.joined() { operations.append((number, 0, region)) }
    if commits { operations.append((number, 2, [])) }
    return operations
  }

  static func little(_ value: UInt64, _ count: Int) -> [UInt8] { big(value, count).reversed() }

  /// A buffer item with all of a buffer, as it is in another image.
  func buffer(_ place: Int, _ count: Int, kind: UInt64, flags: UInt64 = 0) -> [[UInt8]] {
    var format = TestXFS.little(0x123C, 2) + TestXFS.little(flags & 2 != 0 ? 1 : 2, 2)
    format += TestXFS.little(kind << 11 | flags, 2) + TestXFS.little(UInt64(count / 512), 2)
    format += TestXFS.little(UInt64(place / 512), 8) + TestXFS.little(1, 4)
    format += TestXFS.little(1 << UInt64(count / 128) - 1, 4)
    return flags & 2 != 0 ? [format] : [format, Array(disk.bytes[place..<place + count])]
  }

  // MARK: Checksums

  /// Makes the checksums of all that has one fit.
  mutating func mend() {
    guard isNew else { return }
    sum(0, 512, 224)
    sum(512, 512, 216)
    sum(1024, 512, 312)
    sum(1536, 512, 32)
    for block in [1, 2, 3] { sum(block * TestXFS.block, TestXFS.block, 52) }
    sum(24 * TestXFS.block, TestXFS.block, 4)
    sum(25 * TestXFS.block, TestXFS.block, 64)
    for inode in [128, 131, 132, 133, 134, 135] { sum(TestXFS.place(inode), 512, 100) }
  }

  private mutating func sum(_ place: Int, _ count: Int, _ field: Int) {
    disk.set(place + field, 0, 4)
    disk.set(
      place + field, UInt64(RunningCRC32.castagnoli(disk.bytes[place..<place + count])), 4)
  }

  // MARK: What is found

  func finding() throws -> GuestFinding? { try XFS.find(in: GuestArea(disk.source)).first }

  /// The free blocks, or why they are not known.
  func freeBlocks() throws -> [Range<Int>] {
    guard let fileSystem = try finding()?.fileSystem else { return [] }
    return try fileSystem.freeSpace().extents.ranges.map {
      Int($0.lowerBound) / TestXFS.block..<Int($0.upperBound) / TestXFS.block
    }
  }

  func tree() throws -> (any FileTree)? { try finding()?.fileSystem?.files() }
}

extension RunningCRC32 {
  fileprivate static func castagnoli(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    var sum = RunningCRC32(.castagnoli)
    sum.add(bytes)
    return sum.value
  }
}
