internal import Bytes

/// The checksums of the extended file systems, neither of which is inverted at its end.
///
/// Linux, fs/ext4 (`ext4_chksum`, `ext4_group_desc_csum`).
enum ExtChecksum {
  /// CRC-32C from `seed` on: what `metadata_csum` uses everywhere.
  static func crc32c(_ seed: UInt32, _ bytes: Span<UInt8>) -> UInt32 {
    var running = RunningCRC32(.castagnoli, start: seed)
    running.add(bytes)
    return ~running.value
  }

  /// The same over a number, as it is in the file system.
  static func crc32c(_ seed: UInt32, _ number: some FixedWidthInteger) -> UInt32 {
    let bytes = little(number)
    return crc32c(seed, bytes.span)
  }

  /// CRC-16 (reflected polynomial A001) from `seed` on: that of group descriptors with `uninit_bg`.
  static func crc16(_ seed: UInt16, _ bytes: Span<UInt8>) -> UInt16 {
    var state = seed
    for index in 0..<bytes.count {
      state ^= UInt16(bytes[index])
      for _ in 0..<8 { state = state & 1 == 1 ? state >> 1 ^ 0xA001 : state >> 1 }
    }
    return state
  }

  static func little(_ number: some FixedWidthInteger) -> [UInt8] {
    (0..<number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
  }
}
