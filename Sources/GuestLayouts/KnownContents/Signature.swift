/// Bytes at a fixed place that tell what an area holds.
struct Signature {
  let kind: String
  let offset: Int
  let magic: [UInt8]
  /// Where the label is, if it has one.
  let label: Range<Int>?
  /// Where the 16 bytes of its UUID are, if it has one.
  let uuid: Int?

  init(
    _ kind: String, _ magic: [UInt8], at offset: Int, label: Range<Int>? = nil, uuid: Int? = nil
  ) {
    self.kind = kind
    self.magic = magic
    self.offset = offset
    self.label = label
    self.uuid = uuid
  }

  init(
    _ kind: String, _ magic: String, at offset: Int, label: Range<Int>? = nil, uuid: Int? = nil
  ) {
    self.init(kind, Array(magic.utf8), at: offset, label: label, uuid: uuid)
  }

  func matches(_ area: GuestArea) -> Bool { area.holds(magic, at: offset) }

  private static let btrfs = 64 << 10
  private static let bcache: [UInt8] = [
    0xC6, 0x85, 0x73, 0xF6, 0x4E, 0x1A, 0x45, 0xCA, 0x82, 0x65, 0xF5, 0x7F, 0x48, 0xBA, 0x6D, 0x81,
  ]
  private static let raid: [UInt8] = [0xFC, 0x4E, 0x2B, 0xA9]

  /// The places are those of util-linux's libblkid.
  static let all: [Signature] = [
    Signature("XFS", "XFSB", at: 0, label: 108..<120, uuid: 32),
    Signature("NTFS", "NTFS    ", at: 3),
    Signature("exFAT", "EXFAT   ", at: 3),
    Signature("BitLocker", "-FVE-FS-", at: 3),
    Signature("ReFS", "ReFS\0\0\0\0", at: 3),
    Signature(
      "btrfs", "_BHRfS_M", at: btrfs + 64, label: btrfs + 299..<btrfs + 555, uuid: btrfs + 32),
    Signature("Linux RAID member", raid, at: 0),
    Signature("Linux RAID member", raid, at: 4096),
    Signature("bcache", bcache, at: 4096 + 24),
    Signature("F2FS", [0x10, 0x20, 0xF5, 0xF2], at: 1024),
    Signature("HFS+", "H+", at: 1024),
    Signature("HFSX", "HX", at: 1024),
    Signature("APFS", "NXSB", at: 32),
    Signature("JFS", "JFS1", at: 32 << 10),
    Signature("ReiserFS", "ReIsErFs", at: 65536 + 52),
    Signature("ReiserFS", "ReIsEr2Fs", at: 65536 + 52),
    Signature("ReiserFS", "ReIsEr3Fs", at: 65536 + 52),
    Signature("GFS2", [0x01, 0x16, 0x19, 0x70], at: 65536),
    Signature("ISO 9660", "CD001", at: 32769),
    Signature("squashfs", "hsqs", at: 0),
    Signature("EROFS", [0xE2, 0xE1, 0xF5, 0xE0], at: 1024),
    Signature("Oracle ASM", "ORCLDISK", at: 32),
  ]
}
