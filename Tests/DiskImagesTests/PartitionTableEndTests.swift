import Bytes
import Codecs
import Testing

@testable import DiskImages

struct PartitionTableEndTests {
  /// The start of a disk with a GPT of one partition.
  static func start(unit: Int, sectors: UInt64, lastSectorOfPartition: UInt64) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: unit * 40)
    func set(_ place: Int, _ value: UInt64, _ count: Int = 8) {
      for index in 0..<count {
        bytes[place + index] = UInt8(truncatingIfNeeded: value >> UInt64(index * 8))
      }
    }
    func sum(_ range: Range<Int>) -> UInt64 { UInt64(CRC32.of(bytes.span.extracting(range))) }
    let entriesSectors = (128 * 128 + unit - 1) / unit
    set(450, 0xee, 1)
    set(454, 1, 4)
    set(458, min(sectors - 1, 0xffff_ffff), 4)
    set(510, 0xaa55, 2)
    for index in 0..<32 { bytes[2 * unit + index] = UInt8(index + 1) }
    set(2 * unit + 32, 64)
    set(2 * unit + 40, lastSectorOfPartition)
    bytes.replaceSubrange(unit..<unit + 8, with: Array("EFI PART".utf8))
    set(unit + 8, 0x10000, 4)
    set(unit + 12, 92, 4)
    set(unit + 24, 1)
    set(unit + 32, sectors - 1)
    set(unit + 40, UInt64(2 + entriesSectors))
    set(unit + 48, sectors - 2 - UInt64(entriesSectors))
    set(unit + 72, 2)
    set(unit + 80, 128, 4)
    set(unit + 84, 128, 4)
    set(unit + 88, sum(2 * unit..<2 * unit + 128 * 128), 4)
    set(unit + 16, sum(unit..<unit + 92), 4)
    return bytes
  }

  @Test(arguments: [512, 4096])
  func `the backup moves to the new end`(unit: Int) throws {
    let sectors = UInt64(10_000)
    let start = PartitionTableEndTests.start(
      unit: unit, sectors: sectors, lastSectorOfPartition: 9000)
    let size = UInt64(unit) * (sectors + 2048)
    guard
      case .move(let patches, let end, _) = PartitionTableEnd.plan(start.span, growingTo: size)
    else {
      Issue.record("not moved")
      return
    }
    #expect(end.offset + UInt64(end.bytes.count) == size)
    var grown = start
    for patch in patches {
      grown.replaceSubrange(
        Int(patch.offset)..<Int(patch.offset) + patch.bytes.count, with: patch.bytes)
    }
    #expect(
      PartitionTableEnd.isInPlace(grown.span, last: end.bytes.span, size: size) == true)
    #expect(
      PartitionTableEnd.isInPlace(start.span, last: end.bytes.span, size: size) == false)
    #expect(
      PartitionTableEnd.isInPlace(grown.span, last: end.bytes.span, size: size + 4096) == false)
    // Nothing but the MBR's size and the header's fields and checksum has changed.
    let changed = start.indices.filter { start[$0] != grown[$0] }
    #expect(changed.allSatisfy { (458..<462).contains($0) || (unit..<unit + 92).contains($0) })
  }

  @Test func `a table that cannot be moved says why`() {
    let sectors = UInt64(10_000)
    var start = PartitionTableEndTests.start(
      unit: 512, sectors: sectors, lastSectorOfPartition: 10_020)
    #expect(
      PartitionTableEnd.plan(start.span, growingTo: (sectors + 1) * 512)
        == .stuck("partition 1 reaches into the disk's end"))
    start[512 + 40] ^= 1
    #expect(
      PartitionTableEnd.plan(start.span, growingTo: (sectors + 2048) * 512)
        == .stuck("its header or its entries are damaged"))
    #expect(
      PartitionTableEnd.plan([UInt8](repeating: 0, count: 8192).span, growingTo: 1 << 20) == .none)
  }

  @Test func `no damage of the table traps`() {
    let whole = PartitionTableEndTests.start(
      unit: 512, sectors: 10_000, lastSectorOfPartition: 9000)
    for place in 512..<604 {
      var start = whole
      start[place] ^= 0xff
      // With the checksum computed anew, so that the fields are looked at.
      for index in 528..<532 { start[index] = 0 }
      let sum = CRC32.of(start.span.extracting(512..<604))
      for index in 0..<4 {
        start[528 + index] = UInt8(truncatingIfNeeded: sum >> UInt32(index * 8))
      }
      _ = PartitionTableEnd.plan(start.span, growingTo: 20_000 * 512)
    }
    for count in [0, 100, 511, 512, 600, 1024, 5000, whole.count - 1] {
      _ = PartitionTableEnd.plan(Array(whole.prefix(count)).span, growingTo: 20_000 * 512)
    }
  }

  @Test func `sizes for Azure are whole MiB from 20 on`() {
    #expect(AzureRules.size(for: 1) == 20 << 20)
    #expect(AzureRules.size(for: 20 << 20) == 20 << 20)
    #expect(AzureRules.size(for: (20 << 20) + 1) == 21 << 20)
    #expect(AzureRules.size(for: 127 << 30) == 127 << 30)
  }
}
