import Bytes

@testable import GuestLayouts

/// Targets whose file systems have checksums or copies that would hide the rest from the fuzzer.
extension GuestTarget {
  /// The second FAT, and FAT32's copy of the boot sector.
  static let fat = GuestTarget(layout: FAT.self) { bytes in
    do {
      let boot = try FATBootSector(parsing: Array(bytes[0..<512]))
      let end = boot.fatOffset + boot.fatByteCount
      if boot.fatCount > 1, end + boot.fatByteCount <= UInt64(bytes.count) {
        let table = Array(bytes[Int(boot.fatOffset)..<Int(end)])
        bytes.replaceSubrange(Int(end)..<Int(end) + table.count, with: table)
      }
      if let copy = boot.copyOffset, copy + 512 <= UInt64(bytes.count) {
        bytes.replaceSubrange(Int(copy)..<Int(copy) + 512, with: Array(bytes[0..<512]))
      }
    } catch {}
  }

  /// The sum of the boot sectors, and those of entry sets that lie in one sector.
  static let exFAT = GuestTarget(layout: ExFAT.self) { bytes in
    let end = 11 * 512
    let sum = ExFATBootSector.checksum(bytes[0..<end])
    for place in stride(from: end, to: end + 512, by: 4) { bytes.set(place, 4, UInt64(sum)) }
    for place in stride(from: 24 * 512, to: bytes.count - 512, by: 32) where bytes[place] == 0x85 {
      let end = place + 32 * (1 + Int(bytes[place + 1]))
      guard bytes[place + 32] == 0xC0, end <= place / 512 * 512 + 512 else { continue }
      var sum: UInt16 = 0
      for index in place..<end where index != place + 2 && index != place + 3 {
        sum = (sum << 15 | sum >> 1) &+ UInt16(bytes[index])
      }
      bytes.set(place + 2, 2, UInt64(sum))
    }
  }

  /// CRC-32C of the superblock and of tree blocks of 4,096 bytes.
  static let btrfs = GuestTarget(layout: Btrfs.self) { bytes in
    let superblock = 64 << 10
    guard bytes.count > superblock + 4096 else { return }
    let identifier = Array(bytes[superblock + 32..<superblock + 48])
    for place in stride(from: superblock, to: bytes.count - 4095, by: 4096)
    where bytes[place + 32] == identifier[0] && Array(bytes[place + 32..<place + 48]) == identifier
    {
      var sum = RunningCRC32(.castagnoli)
      sum.add(bytes[place + 32..<place + 4096])
      bytes.set(place, 4, UInt64(sum.value))
    }
  }
}
