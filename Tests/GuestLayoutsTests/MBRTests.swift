import Blocks
import Testing

@testable import GuestLayouts

struct MBRTests {
  /// 4 MiB: ext4 in 1, an extended partition 2 with Linux in 5 and swap in 6.
  static func usual() -> TestDisk {
    var disk = TestDisk(4 << 20)
    disk.set(440, 0x1234_ABCD, 4)
    disk.entry(0, type: 0x83, 2048, 1024)
    disk.entry(1, type: 0x05, 3072, 5120)
    disk.entry(0, of: 3072, type: 0x83, 8, 1016)
    disk.entry(1, of: 3072, type: 0x05, 1024, 4096)
    disk.entry(0, of: 4096, type: 0x82, 8, 2048)
    disk.ext4(at: 2048 * 512)
    disk.swap(at: 4104 * 512, 1 << 20)
    return disk
  }
  static let usualSwap: Range<UInt64> = 4104 * 512 + (64 << 10)..<(4104 + 2048) * 512

  @Test func `primary and logical partitions are found`() {
    let layout = MBRTests.usual().layout
    #expect(layout.warnings == [])
    #expect(layout.table?.kind == "MBR")
    #expect(layout.table?.uuid == "1234abcd")
    #expect(layout.partitions.map(\.number) == [1, 2, 5, 6])
    #expect(layout.partitions.map(\.type) == ["Linux", "extended", "Linux", "Linux swap"])
    #expect(layout.partitions[2].range == 3080 * 512..<4096 * 512)
    #expect(layout.partitions[3].range == 4104 * 512..<6152 * 512)
    #expect(layout.swap == [MBRTests.usualSwap])
  }

  @Test func `the content counts, not the type`() {
    var disk = MBRTests.usual()
    disk.bytes[4096 * 512 + 446 + 4] = 0x83
    #expect(disk.layout.swap == [MBRTests.usualSwap])
    disk.bytes[4104 * 512 + 4090] ^= 1
    disk.bytes[4096 * 512 + 446 + 4] = 0x82
    #expect(disk.layout.swap == [])
    #expect(disk.layout.warnings == [])
  }

  @Test(arguments: [0, 1024, 1])
  func `a chain that comes back ends`(target: Int) {
    var disk = MBRTests.usual()
    disk.entry(0, of: 3073, type: 0x83, 1, 1)
    disk.entry(1, of: 3073, type: 0x05, 1, 4096)
    disk.entry(1, of: 4096, type: 0x05, target, 4096)
    let layout = disk.layout
    #expect(layout.warnings.contains { $0.contains("comes back") })
    #expect(layout.partitions.count <= 6)
  }

  @Test func `a chain without end is left after so many links`() {
    var disk = TestDisk(1 << 20)
    disk.entry(0, type: 0x0F, 1, 2047)
    for sector in 1..<2000 {
      disk.entry(0, of: sector, type: 0x83, 1, 1)
      disk.entry(1, of: sector, type: 0x05, sector, 1)
    }
    let layout = disk.layout
    #expect(layout.partitions.count == 1 + MBR.chainLimit)
    #expect(layout.warnings.contains { $0.contains("more than 256 boot records") })
    #expect(layout.warnings.contains { $0.contains("none of them is looked into") })
  }

  @Test(arguments: [5120, 5119, Int(UInt32.max)])
  func `a chain that leaves its partition ends`(target: Int) {
    var disk = MBRTests.usual()
    disk.entry(1, of: 3072, type: 0x05, target, 100)
    let layout = disk.layout
    #expect(!layout.warnings.isEmpty)
    #expect(layout.partitions.map(\.number) == [1, 2, 5])
    #expect(layout.swap == [])
  }

  @Test func `partitions beyond the disk are told and left alone`() {
    var disk = MBRTests.usual()
    disk.entry(2, type: 0x82, 8000, Int(UInt32.max))
    disk.entry(3, type: 0x82, Int(UInt32.max), Int(UInt32.max))
    let layout = disk.layout
    #expect(layout.partitions.count == 6)
    #expect(layout.warnings.filter { $0.contains("beyond the end") }.count == 2)
    #expect(layout.swap == [MBRTests.usualSwap])
  }

  @Test func `a primary partition over the logical swap keeps it from being skipped`() {
    var disk = MBRTests.usual()
    disk.entry(2, type: 0x83, 6000, 8)
    #expect(disk.layout.swap == [])
    #expect(
      disk.layout.warnings == ["partition 6 overlaps something else: nothing of it is skipped"])
  }

  @Test func `a later boot record inside the swap keeps it from being skipped`() {
    var disk = MBRTests.usual()
    disk.entry(1, of: 4096, type: 0x05, 2048, 1024)
    disk.entry(0, of: 3072 + 2048, type: 0x83, 1100, 4)
    #expect(disk.layout.swap == [])
  }

  @Test func `empty entries are no partitions`() {
    var disk = MBRTests.usual()
    disk.entry(2, type: 0x82, 4104, 0)
    disk.entry(3, type: 0, 4104, 2048)
    #expect(disk.layout.partitions.map(\.number) == [1, 2, 5, 6])
    #expect(disk.layout.swap == [MBRTests.usualSwap])
  }

  @Test func `a file system's boot sector is no table`() {
    var disk = MBRTests.usual()
    disk.put([0xEB, 0x3C, 0x90], at: 0)
    disk.put("FAT16   ", at: 54)
    #expect(disk.layout.table == nil)
    #expect(disk.layout.contents.map(\.kind) == ["FAT16"])
    disk = MBRTests.usual()
    disk.put("NTFS    ", at: 3)
    #expect(disk.layout.table == nil)
    disk = MBRTests.usual()
    disk.bytes[446] = 0x33
    #expect(disk.layout.table == nil)
  }

  @Test func `no byte of the tables can be flipped into a skip outside the swap area`() {
    let original = MBRTests.usual()
    let sectors = [0, 3072, 4096]
    for place in sectors.flatMap({ $0 * 512..<($0 + 1) * 512 }) {
      var disk = original
      disk.bytes[place] ^= [0x01, 0x80, 0xFF][place % 3]
      let swap = disk.layout.swap
      #expect(swap == [MBRTests.usualSwap] || swap == [], "byte \(place)")
    }
  }

  @Test func `a table cut anywhere is not followed beyond its end`() {
    let bytes = MBRTests.usual().bytes
    var counts = Array(stride(from: 520, to: bytes.count, by: 65_537))
    for sector in [0, 3072, 4096, 4104] { counts += sector * 512..<sector * 512 + 520 }
    for count in counts {
      let layout = MachineLayout(of: [MemoryDisk(Array(bytes[0..<count]))])
      #expect(layout.swap.allSatisfy { $0.upperBound <= UInt64(count) })
    }
  }

  @Test func `noise between signatures never traps`() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var noise = Noise(seed)
    for round in 0..<300 {
      var disk = TestDisk(1 << 18, unit: round % 2 == 0 ? 512 : 4096)
      for index in disk.bytes.indices where index % 7 == 0 || index < 4096 {
        disk.bytes[index] = UInt8(truncatingIfNeeded: noise.next())
      }
      for place in [510, 4096 + 510, 8192 + 510] { disk.set(place, 0xAA55, 2) }
      for index in 0..<4 {
        disk.bytes[446 + index * 16] = 0
        disk.bytes[446 + index * 16 + 4] = [0x05, 0x82, 0xEE, 0x0F][Int(noise.next() % 4)]
        disk.set(446 + index * 16 + 8, noise.next() % 600, 4)
      }
      if round % 3 == 0 { disk.put("EFI PART", at: disk.unit) }
      disk.put("SWAPSPACE2", at: 4086)
      let layout = disk.layout
      #expect(layout.swap.allSatisfy { $0.upperBound <= 1 << 18 }, "seed \(seed)")
    }
  }
}
