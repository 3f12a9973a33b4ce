import Blocks
import Bytes
import Codecs
import TestSupport

@testable import DiskImages
@testable import GuestLayouts

/// Disk images: opened, read and checked.
struct VHDTarget: FuzzTarget {
  func mended(_ input: [UInt8]) -> [UInt8] {
    var bytes = input
    mend(&bytes, at: 0, 512, field: 64)
    mend(&bytes, at: bytes.count - 512, 512, field: 64)
    for place in [512, Int(truncatingIfNeeded: big(bytes, 16))] {
      mend(&bytes, at: place, 1024, field: 36)
    }
    return bytes
  }

  private func big(_ bytes: [UInt8], _ place: Int) -> UInt64 {
    bytes.little(place, 8).byteSwapped
  }

  /// The complement of the sum of all bytes but its own.
  private func mend(_ bytes: inout [UInt8], at place: Int, _ count: Int, field: Int) {
    guard place >= 0, place <= bytes.count - count else { return }
    bytes.set(place + field, 4, 0)
    let sum = bytes[place..<place + count].reduce(UInt32(0)) { $0 + UInt32($1) }
    bytes.setBig(place + field, 4, UInt64(~sum))
  }

  func run(_ input: [UInt8]) throws {
    let source = MemorySource(input)
    _ = try VHDCheck.findings(in: source, now: 1_800_000_000)
    let format = try DiskFormats.recognize(source)
    let disk = try format.init(opening: source)
    if let image = disk as? VHDImage { _ = try? AzureRules.findings(image) }
    var position: UInt64 = 0
    for _ in 0..<200 {
      guard let data = try disk.nextData(at: position) else { break }
      try Fuzz.require(
        data.lowerBound >= position && !data.isEmpty && data.upperBound <= disk.size,
        "data at \(data) of \(disk.size) from \(position)")
      _ = try disk.bytes(Int(min(data.upperBound - data.lowerBound, 65536)), at: data.lowerBound)
      position = data.upperBound
    }
    for offset in [0, disk.size / 2, disk.size - min(disk.size, 4096)] {
      _ = try? disk.bytes(Int(min(disk.size - offset, 4096)), at: offset)
    }
  }

  func samples() throws -> [[UInt8]] {
    let content = Noise.bytes(4096, seed: 1) + [UInt8](repeating: 0, count: 4096)
    let identifier = (0..<16).map { UInt8($0) }
    func footer(_ kind: VHDFooter.Kind) -> VHDFooter {
      VHDFooter(kind, size: 8192, created: 1_700_000_000, identifier: identifier)
    }
    var layout = try VHDDynamicLayout(size: 8192, blockByteCount: 4096)
    var file = [UInt8](repeating: 0, count: Int(layout.end))
    let start = Int(try layout.allocate(0))
    file += [UInt8](repeating: 0, count: start - file.count) + layout.bitmap + content[..<4096]
    file += [UInt8](repeating: 0, count: max(0, Int(layout.end) - file.count))
    let head = layout.start(footer(.dynamic))
    file.replaceSubrange(0..<head.count, with: head)
    return [content + footer(.fixed).bytes, file + footer(.dynamic).bytes]
  }
}

/// Partition tables, swap areas and whatever else a disk's first bytes may say.
struct LayoutTarget: FuzzTarget {
  func mended(_ input: [UInt8]) -> [UInt8] {
    var bytes = input
    for place in [512, 4096, bytes.count - 512] where place >= 0 && place + 92 <= bytes.count {
      let unit = place == 4096 ? 4096 : 512
      let entries = Int(truncatingIfNeeded: bytes.little(place + 72, 8)) &* unit
      let count =
        Int(bytes.little(place + 80, 4) & 0xffff) * Int(bytes.little(place + 84, 4) & 0xffff)
      if entries >= 0, entries <= bytes.count, count <= bytes.count - entries {
        let sum = CRC32.of(bytes.span.extracting(entries..<entries + count))
        bytes.set(place + 88, 4, UInt64(sum))
      }
      let length = Int(bytes.little(place + 12, 4))
      guard length >= 20, length <= bytes.count - place else { continue }
      bytes.set(place + 16, 4, 0)
      let sum = CRC32.of(bytes.span.extracting(place..<place + length))
      bytes.set(place + 16, 4, UInt64(sum))
    }
    return bytes
  }

  func run(_ input: [UInt8]) throws {
    for sectorSize: UInt32 in [512, 4096] {
      let source = MemorySource(input, sectorSize: sectorSize)
      let plan = SkipPlan(MachineLayout(of: [source]), kinds: [.free, .swap])
      for extents in plan.skipped[0].values {
        for range in extents.ranges {
          try Fuzz.require(range.upperBound <= source.size, "\(range) of \(source.size)")
        }
      }
    }
    for size in [UInt64(input.count), 1 << 40, 0] {
      _ = PartitionTableEnd.plan(input.span, growingTo: size)
    }
  }

  func samples() throws -> [[UInt8]] {
    var swap = [UInt8](repeating: 0, count: 8192)
    swap.replaceSubrange(4086..<4096, with: Array("SWAPSPACE2".utf8))
    swap.set(1024, 4, 1)
    swap.set(1028, 4, 1)
    var mbr = [UInt8](repeating: 0, count: 16384)
    mbr.set(446 + 4, 1, 0x82)
    mbr.set(446 + 8, 4, 8)
    mbr.set(446 + 12, 4, 8)
    mbr.set(462 + 4, 1, 5)
    mbr.set(462 + 8, 4, 16)
    mbr.set(462 + 12, 4, 16)
    mbr.set(510, 2, 0xaa55)
    mbr.set(16 * 512 + 510, 2, 0xaa55)
    return [swap, mbr, gpt()]
  }

  private func gpt() -> [UInt8] {
    var disk = [UInt8](repeating: 0, count: 40960)
    disk.set(446 + 4, 1, 0xee)
    disk.set(446 + 8, 4, 1)
    disk.set(446 + 12, 4, 79)
    disk.set(510, 2, 0xaa55)
    disk.replaceSubrange(512..<520, with: Array("EFI PART".utf8))
    disk.set(520, 4, 0x10000)
    disk.set(524, 4, 92)
    disk.set(536, 8, 1)
    disk.set(544, 8, 79)
    disk.set(552, 8, 34)
    disk.set(560, 8, 46)
    disk.set(584, 8, 2)
    disk.set(592, 4, 128)
    disk.set(596, 4, 128)
    let swap: [UInt8] = [
      0x6d, 0xfd, 0x57, 0x06, 0xab, 0xa4, 0xc4, 0x43, 0x84, 0xe5, 0x09, 0x33, 0xc8, 0x4b, 0x4f,
      0x4f,
    ]
    disk.replaceSubrange(1024..<1040, with: swap)
    disk.set(1040, 8, 1)
    disk.set(1056, 8, 34)
    disk.set(1064, 8, 40)
    return mended(disk)
  }
}
