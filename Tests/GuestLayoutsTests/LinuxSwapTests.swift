import Blocks
import Testing

@testable import GuestLayouts

struct LinuxSwapTests {
  static let size = 2 << 20
  static let skipped: Range<UInt64> = 64 << 10..<2 << 20

  @Test(arguments: [4096, 8192, 16384, 32768, 65536], [false, true])
  func `a whole disk with the signature is swap`(page: Int, bigEndian: Bool) {
    var disk = TestDisk(LinuxSwapTests.size)
    disk.swap(at: 0, LinuxSwapTests.size, page: page, bigEndian: bigEndian)
    let layout = disk.layout
    #expect(layout.contents.map(\.kind) == ["Linux swap"])
    #expect(layout.contents.first?.label == "spare")
    #expect(layout.contents.first?.uuid == "abababab-abab-abab-abab-abababababab")
    #expect(layout.swap == [LinuxSwapTests.skipped])
    #expect(layout.warnings == [])
  }

  @Test func `only what the header covers is skipped`() {
    var disk = TestDisk(LinuxSwapTests.size)
    disk.swap(at: 0, 1 << 20)
    #expect(disk.layout.swap == [64 << 10..<1 << 20])
  }

  @Test func `a header that claims more than there is skips nothing`() {
    for byteCount in [LinuxSwapTests.size + 4096, 1 << 40] {
      var disk = TestDisk(LinuxSwapTests.size)
      disk.swap(at: 0, byteCount)
      #expect(disk.layout.swap == [])
      #expect(disk.layout.warnings.count == 1)
    }
    var disk = TestDisk(LinuxSwapTests.size)
    disk.swap(at: 0, LinuxSwapTests.size, page: 65536)
    disk.set(1028, UInt64(UInt32.max), 4)
    #expect(disk.layout.swap == [])
  }

  @Test func `an area within the kept bytes skips nothing`() {
    for byteCount in [40960, 65536] {
      var disk = TestDisk(65536)
      disk.swap(at: 0, byteCount)
      #expect(disk.layout.contents.map(\.kind) == ["Linux swap"])
      #expect(disk.layout.swap == [])
    }
  }

  @Test func `an absurd header skips nothing`() {
    var disk = TestDisk(LinuxSwapTests.size)
    disk.swap(at: 0, LinuxSwapTests.size)
    disk.set(1032, 638, 4)
    #expect(disk.layout.swap == [])
    disk.set(1032, 637, 4)
    #expect(disk.layout.swap == [LinuxSwapTests.skipped])
    disk.set(1028, 8, 4)
    #expect(disk.layout.swap == [])
    disk.set(1028, 511, 4)
    disk.set(1024, 2, 4)
    #expect(disk.layout.swap == [])
  }

  @Test(
    arguments: ["S1SUSPEND", "S2SUSPEND", "ULSUSPEND", "LINHIB0001"],
    [4096, 8192, 16384, 32768, 65536])
  func `a suspend image is never skipped`(magic: String, page: Int) {
    var disk = TestDisk(LinuxSwapTests.size)
    disk.swap(at: 0, LinuxSwapTests.size)
    disk.put(magic, at: page - 10)
    #expect(disk.layout.contents.first?.kind == "Linux suspend image")
    #expect(disk.layout.swap == [])
  }

  @Test func `a TuxOnIce image is never skipped`() {
    var disk = TestDisk(LinuxSwapTests.size)
    disk.swap(at: 0, LinuxSwapTests.size)
    disk.put([0xED, 0xC3, 0x02, 0xE9, 0x98, 0x56, 0xE5, 0x0C], at: 0)
    #expect(disk.layout.contents.first?.kind == "Linux suspend image")
    #expect(disk.layout.swap == [])
  }

  @Test func `the old version is not skipped`() {
    var disk = TestDisk(LinuxSwapTests.size)
    disk.swap(at: 0, LinuxSwapTests.size, magic: "SWAP-SPACE")
    #expect(disk.layout.contents.first?.kind == "Linux swap")
    #expect(disk.layout.swap == [])
  }

  @Test func `a second signature in the same place wins over the skip`() {
    var disk = TestDisk(LinuxSwapTests.size)
    disk.swap(at: 0, LinuxSwapTests.size)
    let places: [(String, Int)] = [
      ("LABELONE\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0LVM2 001", 512), ("XFSB", 0),
      ("_BHRfS_M", 65536 + 64), ("LUKS\u{1}", 0), ("CD001", 32769), ("NTFS    ", 3),
    ]
    for (magic, place) in places where magic != "LUKS\u{1}" {
      var other = disk
      other.put(magic, at: place)
      #expect(other.layout.swap == [], "\(magic)")
      #expect(other.layout.warnings.last?.contains("looks like") == true)
    }
    disk.put([0x0C, 0xB1, 0xBA, 0, 0, 0, 0, 0], at: 200 << 10)
    #expect(disk.layout.swap == [])
  }

  @Test func `cut areas never make a skip beyond their end`() {
    var disk = TestDisk(LinuxSwapTests.size)
    disk.swap(at: 0, 1 << 20)
    for count in Array(0..<4200) + Array(stride(from: 4200, to: disk.bytes.count, by: 4093)) {
      let layout = MachineLayout(of: [MemoryDisk(Array(disk.bytes[0..<count]))])
      #expect(layout.swap == (count >= 1 << 20 ? [64 << 10..<1 << 20] : []))
    }
  }

  @Test func `every flipped bit of the header leaves a skip inside the area`() {
    var disk = TestDisk(LinuxSwapTests.size)
    disk.swap(at: 0, 1 << 20)
    for place in Array(1024..<1070) + Array(4086..<4096) {
      for bit in 0..<8 {
        var other = disk
        other.bytes[place] ^= 1 << UInt8(bit)
        #expect(other.layout.swap.allSatisfy { $0.upperBound <= UInt64(LinuxSwapTests.size) })
      }
    }
  }

  @Test func `an unreadable disk is a warning and no skip`() {
    let layout = MachineLayout(of: [BrokenDisk()])
    #expect(layout.swap == [])
    #expect(layout.table == nil)
    #expect(layout.warnings.count == 1)
  }

  @Test func `labels cannot steer a terminal`() {
    var disk = TestDisk(LinuxSwapTests.size)
    disk.swap(at: 0, LinuxSwapTests.size)
    disk.put("a\u{1b}[31m\u{202e}b", at: 1052)
    let label = disk.layout.contents.first?.label ?? ""
    #expect(label == "a\u{FFFD}[31m\u{FFFD}b")
  }
}

/// A disk that cannot be read.
private final class BrokenDisk: BlockSource {
  let size: UInt64 = 1 << 20
  let sectorSize: UInt32 = 512

  func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    throw SourceError(offset..<offset + UInt64(bytes.count), .ended)
  }

  func nextData(at offset: UInt64) throws -> Range<UInt64>? { offset..<size }
}
