import Blocks
import Testing

@testable import GuestLayouts

struct GPTTests {
  @Test(arguments: [512, 4096])
  func `partitions are found in both sector sizes`(unit: Int) {
    let layout = TestDisk.usual(unit: unit).layout
    #expect(layout.table?.kind == "GPT")
    #expect(layout.table?.uuid == "04030201-0605-0807-090a-0b0c0d0e0f10")
    #expect(layout.warnings == [])
    #expect(layout.partitions.map(\.type) == ["Linux", "Linux swap"])
    #expect(layout.partitions.map(\.name) == ["système", nil])
    #expect(layout.partitions.map(\.range) == [1 << 20..<2 << 20, 2 << 20..<3 << 20])
    #expect(layout.partitions.map { $0.contents.map(\.kind) } == [["ext4"], ["Linux swap"]])
    #expect(layout.swap == [TestDisk.usualSwap])
  }

  @Test func `a 4096-byte table is found although the image says 512`() {
    let disk = TestDisk.usual(unit: 4096)
    let layout = MachineLayout(of: [MemoryDisk(disk.bytes)])
    #expect(layout.swap == [TestDisk.usualSwap])
  }

  @Test func `a damaged first header gives way to the last sector's`() {
    var disk = TestDisk.usual()
    disk.bytes[512 + 60] ^= 1
    #expect(disk.layout.swap == [TestDisk.usualSwap])
    #expect(disk.layout.warnings.first?.contains("copy at the disk's end") == true)
    disk.bytes.replaceSubrange(512..<1024, with: [UInt8](repeating: 0, count: 512))
    #expect(disk.layout.swap == [TestDisk.usualSwap])
  }

  @Test func `damaged entries give way to the copy`() {
    var disk = TestDisk.usual()
    disk.bytes[1024 + 40] ^= 1
    #expect(disk.layout.swap == [TestDisk.usualSwap])
    #expect(!disk.layout.warnings.isEmpty)
  }

  @Test func `two damaged copies mean that everything is read`() {
    var disk = TestDisk.usual()
    disk.bytes[512 + 60] ^= 1
    disk.bytes[disk.bytes.count - 512 + 60] ^= 1
    let layout = disk.layout
    #expect(layout.swap == [])
    #expect(layout.partitions.isEmpty)
    #expect(layout.table?.note == "damaged")
    #expect(layout.warnings.count == 3)
  }

  @Test func `a copy at the end alone is no table`() {
    var disk = TestDisk.usual()
    disk.bytes.replaceSubrange(0..<2 << 20, with: [UInt8](repeating: 0, count: 2 << 20))
    disk.ext4(at: 0)
    #expect(disk.layout.table == nil)
    #expect(disk.layout.contents.map(\.kind) == ["ext4"])
  }

  @Test func `an MBR that does not point to the GPT wins`() {
    var disk = TestDisk.usual()
    disk.entry(0, type: 0x83, 2048, 2048)
    let layout = disk.layout
    #expect(layout.table?.kind == "MBR")
    #expect(layout.swap == [])
    #expect(layout.warnings.count == 1)
  }

  @Test func `a hybrid MBR's own partition keeps swap from being skipped`() {
    var disk = TestDisk.usual()
    disk.entry(1, type: 0x82, 4096, 2048)
    #expect(disk.layout.swap == [TestDisk.usualSwap])
    disk.entry(1, type: 0x83, 4096, 1024)
    #expect(disk.layout.swap == [])
    #expect(disk.layout.warnings.count == 1)
  }

  @Test(
    arguments: [
      (0xFFFF_FFFF, 128), (128, 0xFFFF_FFFF), (0xFFFF_FFFF, 0xFFFF_FFFF), (128, 0), (128, 127),
      (0x0200_0001, 128), (1 << 20, 4096),
    ] as [(UInt64, UInt64)])
  func `impossible counts are refused, not allocated`(count: UInt64, size: UInt64) {
    var disk = TestDisk.usual()
    let last = disk.sectorCount - 1
    disk.header(at: 1, other: last, entriesSector: 2, [], count: count, size: size)
    disk.header(at: last, other: 1, entriesSector: 2, [], count: count, size: size)
    #expect(disk.layout.swap == [])
    #expect(disk.layout.table?.note == "damaged")
  }

  @Test(arguments: [UInt64.max, UInt64.max / 512, 1 << 55, 8192, 8191])
  func `entries beyond the disk are refused`(sector: UInt64) {
    var disk = TestDisk.usual()
    let last = disk.sectorCount - 1
    disk.header(at: 1, other: last, entriesSector: sector, [])
    disk.header(at: last, other: 1, entriesSector: sector, [])
    #expect(disk.layout.table?.note == "damaged")
  }

  @Test(
    arguments: [
      (0, UInt64.max), (UInt64.max, UInt64.max), (UInt64.max, 0), (5000, 4096), (4096, 8192),
      (1 << 55, 1 << 56),
    ] as [(UInt64, UInt64)])
  func `a partition that does not lie on the disk is not followed`(first: UInt64, last: UInt64) {
    var disk = TestDisk(4 << 20)
    disk.gpt([TestDisk.Partition(type: TestDisk.swapType, first: first, last: last)])
    disk.swap(at: 2 << 20, 1 << 20)
    #expect(disk.layout.partitions.isEmpty)
    #expect(disk.layout.warnings == ["partition 1 does not lie on the disk"])
    #expect(disk.layout.swap == [])
  }

  @Test func `what overlaps the swap partition keeps it from being skipped`() {
    for other in [4096..<4097 as Range<UInt64>, 6143..<7000, 0..<8191, 5000..<5001, 2048..<6144] {
      var disk = TestDisk(4 << 20)
      disk.gpt([
        TestDisk.Partition(type: TestDisk.swapType, first: 4096, last: 6143),
        TestDisk.Partition(
          type: TestDisk.linuxType, first: other.lowerBound, last: other.upperBound - 1),
      ])
      disk.swap(at: 2 << 20, 1 << 20)
      #expect(disk.layout.swap == [], "\(other)")
      #expect(disk.layout.warnings.contains { $0.contains("overlaps") })
    }
  }

  @Test func `swap over the table's own sectors is not skipped`() {
    var disk = TestDisk(4 << 20)
    disk.gpt([TestDisk.Partition(type: TestDisk.swapType, first: 4096, last: 8191)])
    disk.swap(at: 2 << 20, 2 << 20)
    #expect(disk.layout.swap == [])
  }

  @Test func `no byte of the table can be flipped into a skip that was not there`() {
    let original = TestDisk.usual()
    let end = original.bytes.count
    for place in Array(440..<616) + Array(1024..<1300) + Array(end - 512..<end - 412) {
      var disk = original
      disk.bytes[place] ^= 0xFF
      let swap = disk.layout.swap
      #expect(swap == [TestDisk.usualSwap] || swap == [], "byte \(place)")
    }
  }

  @Test func `a table cut anywhere is not followed beyond its end`() {
    let bytes = TestDisk.usual().bytes
    let places = Array(0..<1200) + Array(stride(from: 1200, to: bytes.count, by: 40_961))
    for count in places {
      let layout = MachineLayout(of: [MemoryDisk(Array(bytes[0..<count]))])
      #expect(layout.swap.allSatisfy { $0.upperBound <= UInt64(count) })
    }
  }
}
