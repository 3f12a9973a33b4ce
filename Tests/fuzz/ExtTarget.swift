import Blocks
import Bytes

@testable import GuestLayouts

extension GuestTarget {
  /// ext2, ext3 and ext4: the checksums of the first inodes, of bitmaps, descriptors and the
  /// superblock.
  ///
  /// What else has checksums is open to changes in images that have none.
  static let ext = GuestTarget(layout: Ext.self) { bytes in
    guard bytes.count > 4096 else { return }
    do {
      let superblock = try ExtSuperblock(parsing: Array(bytes[1024..<2048]))
      let volume = try ExtVolume(MemorySource(bytes), superblock)
      if volume.hasChecksums { mendInodes(&bytes, volume) }
      if superblock.features.hasGroupChecksums { mendDescriptors(&bytes, volume) }
      if volume.hasChecksums {
        bytes.set(
          1024 + 0x3FC, 4, UInt64(ExtChecksum.crc32c(~0, bytes.span.extracting(1024..<2044))))
      }
    } catch {}
  }

  private static func mendInodes(_ bytes: inout [UInt8], _ volume: ExtVolume) {
    let size = Int(volume.geometry.inodeSize)
    guard let table = place(of: 8, inDescriptorAt: descriptor(0, volume), bytes, volume) else {
      return
    }
    for number in 1...min(24, Int(volume.geometry.inodesPerGroup)) {
      let start = table + (number - 1) * size
      guard start + size <= bytes.count else { return }
      let isWhole = size > 128 && bytes.little(start + 0x80, 2) >= 4
      bytes.set(start + 0x7C, 2, 0)
      if isWhole { bytes.set(start + 0x82, 2, 0) }
      var sum = ExtChecksum.crc32c(volume.seed, UInt32(number))
      sum = ExtChecksum.crc32c(sum, bytes.span.extracting(start + 0x64..<start + 0x68))
      sum = ExtChecksum.crc32c(sum, bytes.span.extracting(start..<start + size))
      bytes.set(start + 0x7C, 2, UInt64(sum & 0xFFFF))
      if isWhole { bytes.set(start + 0x82, 2, UInt64(sum >> 16)) }
    }
  }

  private static func mendDescriptors(_ bytes: inout [UInt8], _ volume: ExtVolume) {
    let geometry = volume.geometry
    for number in 0..<min(geometry.groupCount, 64) {
      let start = descriptor(number, volume)
      let end = start + geometry.descriptorSize
      guard end <= bytes.count else { return }
      guard volume.hasChecksums else {
        var sum = ExtChecksum.crc16(~0, volume.superblock.uuid.span)
        let digits = ExtChecksum.little(UInt32(number))
        sum = ExtChecksum.crc16(sum, digits.span)
        sum = ExtChecksum.crc16(sum, bytes.span.extracting(start..<start + 0x1E))
        sum = ExtChecksum.crc16(sum, bytes.span.extracting(start + 0x20..<end))
        bytes.set(start + 0x1E, 2, UInt64(sum))
        continue
      }
      if let bitmap = place(of: 0, inDescriptorAt: start, bytes, volume) {
        let end = bitmap + Int(geometry.clustersPerGroup / 8)
        let sum = ExtChecksum.crc32c(volume.seed, bytes.span.extracting(bitmap..<end))
        bytes.set(start + 0x18, 2, UInt64(sum & 0xFFFF))
        if geometry.descriptorSize >= 64 { bytes.set(start + 0x38, 2, UInt64(sum >> 16)) }
      }
      bytes.set(start + 0x1E, 2, 0)
      var sum = ExtChecksum.crc32c(volume.seed, UInt32(number))
      sum = ExtChecksum.crc32c(sum, bytes.span.extracting(start..<end))
      bytes.set(start + 0x1E, 2, UInt64(sum & 0xFFFF))
    }
  }

  private static func descriptor(_ number: Int, _ volume: ExtVolume) -> Int {
    let geometry = volume.geometry
    return Int(geometry.descriptorBlock(number / geometry.descriptorsPerBlock) * geometry.blockSize)
      + number % geometry.descriptorsPerBlock * geometry.descriptorSize
  }

  /// Where a structure begins that a descriptor names in its first bytes; nil when it is outside.
  private static func place(
    of field: Int, inDescriptorAt start: Int, _ bytes: [UInt8], _ volume: ExtVolume
  ) -> Int? {
    guard start + 64 <= bytes.count else { return nil }
    let block = bytes.little(start + field, 4)
    guard block < volume.geometry.blockCount else { return nil }
    return Int(block * volume.geometry.blockSize)
  }
}
