import Blocks
import Testing

@testable import GuestLayouts

/// Areas that were one thing and are another by now: nothing of them may be left out.
struct SecondUseTests {
  /// A GPT disk with a swap partition of 2 MiB.
  private func swapPartition() -> TestDisk {
    var disk = TestDisk(4 << 20)
    disk.gpt([TestDisk.Partition(type: TestDisk.swapType, first: 2048, last: 6143)])
    disk.swap(at: 1 << 20, 2 << 20)
    return disk
  }

  @Test func `a partition with a table of its own is somebody's disk, whatever it was before`() {
    #expect(!swapPartition().layout.swap.isEmpty)
    var nested = TestDisk(2 << 20)
    nested.entry(0, type: 0x83, 2048, 2000)
    var disk = swapPartition()
    disk.put(Array(nested.bytes[0..<512]), at: 1 << 20)
    #expect(disk.layout.swap.isEmpty)
    #expect(
      disk.layout.warnings == [
        "partition 1 looks like Linux swap and MBR partition table: nothing of it is skipped"
      ])

    nested = TestDisk(2 << 20)
    nested.gpt([TestDisk.Partition(type: TestDisk.linuxType, first: 2048, last: 4000)])
    disk = swapPartition()
    disk.put(nested.bytes, at: 1 << 20)
    #expect(disk.layout.partitions[0].contents.map(\.kind) == ["GPT partition table"])
    // A boot sector without entries is no table.
    disk = swapPartition()
    disk.set((1 << 20) + 510, 0xAA55, 2)
    #expect(!disk.layout.swap.isEmpty)
  }

  @Test func `a disk that looks like something as a whole keeps its partitions, too`() {
    var disk = TestDisk.usual()
    #expect(!disk.layout.swap.isEmpty)
    disk.put("ReIsEr2Fs", at: 65536 + 52)
    #expect(disk.layout.swap.isEmpty)
    #expect(
      disk.layout.warnings.first
        == "the disk as a whole looks like ReiserFS: nothing of its partitions is skipped")

    disk = TestDisk(4 << 20)
    disk.entry(0, type: 0x82, 2048, 4096)
    disk.swap(at: 1 << 20, 2 << 20)
    #expect(!disk.layout.swap.isEmpty)
    disk.swap(at: 0, 4 << 20)
    #expect(disk.layout.swap.isEmpty)
  }

  @Test(arguments: [
    ("DRBD member", 4096 - 60, [0x83, 0x74, 0x02, 0x6B] as [UInt8]),
    ("DRBD member", 4096 - 60, [0x83, 0x74, 0x02, 0x6D]),
    ("Intel RAID member", 1024, Array("Intel Raid ISM Cfg Sig. ".utf8)),
    ("DDF RAID member", 512, [0xDE, 0x11, 0xDE, 0x11]),
    ("DDF RAID member", 257 * 512, [0xDE, 0x11, 0xDE, 0x11]),
  ])
  func `members of mirrors are known by their end`(kind: String, place: Int, magic: [UInt8]) {
    var disk = TestDisk(2 << 20)
    disk.swap(at: 0, 2 << 20)
    disk.put(magic, at: disk.bytes.count - place)
    #expect(disk.layout.contents.map(\.kind) == ["Linux swap", kind])
    #expect(disk.layout.swap.isEmpty)
    var partition = swapPartition()
    partition.put(magic, at: (3 << 20) - place)
    #expect(partition.layout.swap.isEmpty)
  }
}
