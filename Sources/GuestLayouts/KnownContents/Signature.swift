internal import Blocks

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

  func matches(_ area: GuestArea) throws -> Bool {
    if offset + magic.count <= GuestArea.headByteCount { return area.holds(magic, at: offset) }
    return try area.source.bytes(magic.count, at: UInt64(offset)) == magic
  }

  /// Whether nothing of that kind is ever written after it was made.
  static func isReadOnly(_ kind: String) -> Bool {
    ["ISO 9660", "UDF", "squashfs", "EROFS", "cramfs", "romfs"].contains(kind)
  }

  private static let bcache: [UInt8] = [
    0xC6, 0x85, 0x73, 0xF6, 0x4E, 0x1A, 0x45, 0xCA, 0x82, 0x65, 0xF5, 0x7F, 0x48, 0xBA, 0x6D, 0x81,
  ]

  /// The places are those of util-linux's libblkid.
  static let all: [Signature] =
    [
      Signature("BitLocker", "-FVE-FS-", at: 3),
      Signature("ReFS", "ReFS\0\0\0\0", at: 3),
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
      Signature(
        "bcachefs",
        [
          0xC6, 0x85, 0x73, 0xF6, 0x66, 0xCE, 0x90, 0xA9, 0xD9, 0x6A, 0x60, 0xCF, 0x80, 0x3D, 0xF7,
          0xEF,
        ], at: 4096 + 24),
      Signature("UDF", "BEA01", at: 32769),
      Signature("UDF", "NSR0", at: 34817),
      Signature("NILFS2", [0x34, 0x34], at: 1024 + 6),
      Signature("HPFS", [0x49, 0xE8, 0x95, 0xF9], at: 8192),
      Signature("Stratis member", "!Stra0tis", at: 516),
      Signature("Stratis member", "!Stra0tis", at: 4096 + 516),
      Signature("VDO", "dmvdo001", at: 0),
      Signature("BSD disklabel", [0x57, 0x45, 0x56, 0x82], at: 512),
      Signature("Solaris disklabel", [0xEE, 0xDE, 0x0D, 0x60], at: 512 + 12),
      Signature("dm-integrity", "integrt\0", at: 0),
      Signature("dm-verity", "verity\0\0", at: 0),
      Signature("Ceph OSD", "bluestore block device", at: 0),
      Signature("VMFS", [0x0D, 0xD0, 0x01, 0xC0], at: 1 << 20),
      Signature("VMFS", [0x5E, 0xF1, 0xAB, 0x2F], at: 2 << 20),
      Signature("BeFS", "1SFB", at: 32 + 512),
      Signature("DRBD", [0x83, 0x74, 0x02, 0x6B], at: 4096 + 60),
      Signature("cramfs", [0x45, 0x3D, 0xCD, 0x28], at: 0),
      Signature("romfs", "-rom1fs-", at: 0),
      Signature("VxFS", [0xF5, 0xFC, 0x01, 0xA5], at: 1024),
    ] + ocfs2 + ufs

  private static let ocfs2 = [1, 2, 4, 8].map {
    Signature("OCFS2", "OCFSV2", at: $0 * 1024)
  }

  /// UFS1 and UFS2, at the places and in the byte orders that there are.
  private static let ufs = [0, 8, 64, 256].flatMap { kibibytes in
    [
      [0x54, 0x19, 0x01, 0x00], [0x00, 0x01, 0x19, 0x54], [0x19, 0x01, 0x54, 0x19],
      [0x19, 0x54, 0x01, 0x19],
    ].map { Signature("UFS", $0, at: kibibytes * 1024 + 1372) }
  }
}
