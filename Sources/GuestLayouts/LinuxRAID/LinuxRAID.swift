internal import Blocks
internal import Bytes

/// A member of a Linux software RAID (md).
///
/// What it holds is a part of something else, or looks
/// like a file system and is one half of it, so it is read whole.
///
/// The superblock lies at byte 0 (version 1.1), at byte 4096 (1.2), or near the end: 8 to 12 KiB
/// before it (1.0), 64 to 128 KiB before it (0.90).
///
///     1.x   offset size  field               0.90  offset size  field
///                0    4  A92B4EFC                       0    4  A92B4EFC
///                4    4  1                              4    4  0
///               16   16  UUID of the array              8    4  90
///               32   32  name of the array             28    4  level
///               72    4  level
///              144    8  own place, in 512 bytes
///
/// 1.x is little-endian, 0.90 in the order of the machine that made it. Linux,
/// include/uapi/linux/raid/md_p.h.
enum LinuxRAID: GuestLayout {
  static let name = "Linux RAID member"
  static let isTable = false

  private static let byteCount = 256
  private static let magic: UInt32 = 0xA92B_4EFC

  static func find(in area: GuestArea) throws -> [GuestFinding] {
    for (version, offset) in places(areaByteCount: area.size) {
      guard let bytes = try area.source.bytes(byteCount, at: offset) else { continue }
      if let finding = finding(version, bytes, at: offset) { return [finding] }
    }
    return []
  }

  /// Where a superblock may be, by version.
  private static func places(areaByteCount: UInt64) -> [(version: String, offset: UInt64)] {
    var places: [(String, UInt64)] = [("1.1", 0), ("1.2", 4096)]
    if areaByteCount >= 12 << 10 {
      places.append(("1.0", (areaByteCount / 512 - 16) / 8 * 8 * 512))
    }
    if areaByteCount >= 128 << 10 {
      places.append(("0.90", areaByteCount / (64 << 10) * (64 << 10) - (64 << 10)))
    }
    return places
  }

  private static func finding(
    _ version: String, _ bytes: [UInt8], at offset: UInt64
  ) -> GuestFinding? {
    let span = bytes.span
    if version == "0.90" {
      for isSwapped in [false, true] {
        func word(_ place: Int) -> UInt32 {
          isSwapped ? span.little32(at: place).byteSwapped : span.little32(at: place)
        }
        guard word(0) == magic, word(4) == 0, word(8) == 90 else { continue }
        return member(version, level: word(28), name: nil)
      }
      return nil
    }
    guard span.little32(at: 0) == magic, span.little32(at: 4) == 1,
      span.little64(at: 144) == offset / 512
    else { return nil }
    var finding = member(
      version, level: span.little32(at: 72), name: GuestText.label(Array(bytes[32..<64])))
    finding.uuid = GuestText.uuid(Array(bytes[16..<32]))
    return finding
  }

  private static func member(_ version: String, level: UInt32, name label: String?) -> GuestFinding
  {
    let number = Int32(bitPattern: level)
    let kind =
      switch number {
      case -1: "linear"
      case 0...10: "RAID \(number)"
      default: "level \(number)"
      }
    return GuestFinding(
      name, label: label, note: "\(kind), metadata \(version): read whole")
  }
}
