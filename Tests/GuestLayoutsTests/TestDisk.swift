import Blocks
import Bytes
import Codecs

@testable import GuestLayouts

/// A disk in memory that a test builds field by field.
struct TestDisk {
  var bytes: [UInt8]
  var unit = 512

  init(_ byteCount: Int, unit: Int = 512) {
    bytes = [UInt8](repeating: 0, count: byteCount)
    self.unit = unit
  }

  var source: MemoryDisk { MemoryDisk(bytes, sectorSize: UInt32(unit)) }
  var layout: MachineLayout { MachineLayout(of: [source]) }

  mutating func set(_ place: Int, _ value: UInt64, _ count: Int) {
    for index in 0..<count {
      bytes[place + index] = UInt8(truncatingIfNeeded: value >> UInt64(index * 8))
    }
  }

  mutating func put(_ text: String, at place: Int) { put(Array(text.utf8), at: place) }

  mutating func put(_ part: [UInt8], at place: Int) {
    bytes.replaceSubrange(place..<place + part.count, with: part)
  }

  // MARK: MBR

  /// Writes an entry of the boot record in `sector`.
  mutating func entry(_ index: Int, of sector: Int = 0, type: UInt8, _ start: Int, _ count: Int) {
    let place = sector * unit + 446 + index * 16
    bytes[place + 4] = type
    set(place + 8, UInt64(start), 4)
    set(place + 12, UInt64(count), 4)
    set(sector * unit + 510, 0xAA55, 2)
  }

  // MARK: GPT

  static let swapType: [UInt8] = [
    0x6D, 0xFD, 0x57, 0x06, 0xAB, 0xA4, 0xC4, 0x43, 0x84, 0xE5, 0x09, 0x33, 0xC8, 0x4B, 0x4F, 0x4F,
  ]
  static let linuxType: [UInt8] = [
    0xAF, 0x3D, 0xC6, 0x0F, 0x83, 0x84, 0x72, 0x47, 0x8E, 0x79, 0x3D, 0x69, 0xD8, 0x47, 0x7D, 0xE4,
  ]

  struct Partition {
    var type: [UInt8]
    var first: UInt64
    var last: UInt64
    var name = ""
  }

  var sectorCount: UInt64 { UInt64(bytes.count / unit) }

  /// Writes a protective MBR and both copies of a table with 128 entries.
  mutating func gpt(_ partitions: [Partition]) {
    entry(0, type: 0xEE, 1, Int(min(sectorCount - 1, 0xFFFF_FFFF)))
    var entries = TestDisk(128 * 128)
    for (index, partition) in partitions.enumerated() {
      let place = index * 128
      entries.put(partition.type, at: place)
      entries.put([UInt8](repeating: UInt8(index + 1), count: 16), at: place + 16)
      entries.set(place + 32, partition.first, 8)
      entries.set(place + 40, partition.last, 8)
      for (position, unit) in partition.name.utf16.enumerated() {
        entries.set(place + 56 + position * 2, UInt64(unit), 2)
      }
    }
    let last = sectorCount - 1
    let entriesSectors = UInt64((entries.bytes.count + unit - 1) / unit)
    put(entries.bytes, at: 2 * unit)
    put(entries.bytes, at: Int(last - entriesSectors) * unit)
    header(at: 1, other: last, entriesSector: 2, entries.bytes)
    header(at: last, other: 1, entriesSector: last - entriesSectors, entries.bytes)
  }

  /// Writes one header.
  mutating func header(
    at sector: UInt64, other: UInt64, entriesSector: UInt64, _ entries: [UInt8],
    count: UInt64 = 128, size: UInt64 = 128
  ) {
    let place = Int(sector) * unit
    put("EFI PART", at: place)
    set(place + 8, 0x10000, 4)
    set(place + 12, 92, 4)
    set(place + 24, sector, 8)
    set(place + 32, other, 8)
    set(place + 40, 34, 8)
    set(place + 48, sectorCount - 34, 8)
    put([UInt8](1...16), at: place + 56)
    set(place + 72, entriesSector, 8)
    set(place + 80, count, 4)
    set(place + 84, size, 4)
    set(place + 88, UInt64(CRC32.of(entries.span)), 4)
    sum(at: sector)
  }

  /// Makes a header's checksum right again.
  mutating func sum(at sector: UInt64) {
    let place = Int(sector) * unit
    set(place + 16, 0, 4)
    set(place + 16, UInt64(CRC32.of(bytes.span.extracting(place..<place + 92))), 4)
  }

  // MARK: Swap

  /// Writes the header of a swap area of `byteCount` bytes.
  mutating func swap(
    at place: Int, _ byteCount: Int, page: Int = 4096, magic: String = "SWAPSPACE2",
    bigEndian: Bool = false
  ) {
    func number(_ value: Int) -> UInt64 {
      UInt64(bigEndian ? UInt32(value).byteSwapped : UInt32(value))
    }
    set(place + 1024, number(1), 4)
    set(place + 1028, number(byteCount / page - 1), 4)
    put([UInt8](repeating: 0xAB, count: 16), at: place + 1036)
    put("spare", at: place + 1052)
    put(magic, at: place + page - 10)
  }

  /// Writes just enough of an ext4 file system to be taken for one.
  mutating func ext4(at place: Int) {
    set(place + 1024 + 56, 0xEF53, 2)
    set(place + 1024 + 96, 0x40, 4)
    put("root", at: place + 1024 + 120)
  }

  /// A GPT disk of 4 MiB with an ext4 and a swap partition of 1 MiB each.
  static func usual(unit: Int = 512) -> TestDisk {
    var disk = TestDisk(4 << 20, unit: unit)
    let mebibyte = UInt64((1 << 20) / unit)
    disk.gpt([
      Partition(type: linuxType, first: mebibyte, last: 2 * mebibyte - 1, name: "système"),
      Partition(type: swapType, first: 2 * mebibyte, last: 3 * mebibyte - 1),
    ])
    disk.ext4(at: 1 << 20)
    disk.swap(at: 2 << 20, 1 << 20)
    return disk
  }

  static let usualSwap: Range<UInt64> = (2 << 20) + (64 << 10)..<3 << 20
}

/// A disk in memory that copies fast, for tests that read much.
final class MemoryDisk: BlockSource {
  private let content: [UInt8]
  let sectorSize: UInt32
  var size: UInt64 { UInt64(content.count) }

  init(_ content: [UInt8], sectorSize: UInt32 = 512) {
    self.content = content
    self.sectorSize = sectorSize
  }

  func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    precondition(offset <= size && UInt64(bytes.count) <= size - offset, "read beyond the end")
    let all = content
    bytes.copy(all.span.extracting(Int(offset)..<Int(offset) + bytes.count), to: 0)
  }

  func nextData(at offset: UInt64) throws -> Range<UInt64>? { offset..<size }
}

/// Numbers that look random and come again with the same seed.
struct Noise: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}

extension MachineLayout {
  /// The swap ranges that may be skipped, of the only disk.
  var swap: [Range<UInt64>] { skipped(.swap) }
  /// The ranges of a kind that may be skipped, of the only disk.
  func skipped(_ kind: HoleKind) -> [Range<UInt64>] {
    SkipPlan(self, kinds: [kind]).skipped[0][kind]?.ranges ?? []
  }
  var table: GuestFinding? { disks[0].table }
  var contents: [GuestFinding] { disks[0].contents }
  var partitions: [GuestPartition] { table?.partitions ?? [] }
  var warnings: [String] { disks[0].warnings }
}
