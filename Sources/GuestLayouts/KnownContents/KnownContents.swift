internal import Blocks

/// File systems and the like that are recognized by their signatures only.
///
/// Listings show them, and their presence keeps anything else that seems to be in the same place
/// from being skipped: signatures of what an area held before may survive in it.
enum KnownContents: GuestLayout {
  static let name = "known signatures"
  static let isTable = false
  private static let encrypted = "encrypted: read whole"

  static func find(in area: GuestArea) throws -> [GuestFinding] {
    var found = try Signature.all.filter { try $0.matches(area) }.map {
      GuestFinding(
        $0.kind,
        label: $0.label.flatMap { GuestText.label(area.bytes($0.count, at: $0.lowerBound)) },
        uuid: $0.uuid.flatMap { GuestText.uuid(area.bytes(16, at: $0)) },
        note: $0.kind == "BitLocker" ? encrypted : nil)
    }
    if let finding = luks(in: area) { found.append(finding) }
    if let finding = try memberByItsEnd(area) { found.append(finding) }
    if try isZFS(area) { found.append(GuestFinding("ZFS member")) }
    return found
  }

  /// Whether the first sector is a file system's own, and so is no partition table.
  static func isBootSector(_ area: GuestArea) -> Bool {
    ["NTFS    ", "EXFAT   ", "-FVE-FS-", "ReFS\0\0\0\0"].contains { area.holds($0, at: 3) }
      || FAT.isBootSector(area)
  }

  private static func luks(in area: GuestArea) -> GuestFinding? {
    guard area.holds([0x4C, 0x55, 0x4B, 0x53, 0xBA, 0xBE], at: 0),
      let version = area.bytes(2, at: 6)
    else { return nil }
    return GuestFinding(
      "LUKS\(Int(version[0]) << 8 | Int(version[1]))",
      label: version == [0, 2] ? GuestText.label(area.bytes(48, at: 24)) : nil,
      uuid: GuestText.label(area.bytes(40, at: 168)), note: encrypted)
  }

  /// Members of mirrors and the like whose own data are behind everything else, so that from the
  /// start they look like what the mirror holds; a copy of them may be older in some places.
  ///
  /// DRBD has 4 KiB that begin with 56 bytes of identifiers, flags and a magic; the firmware of Intel's
  /// RAID the last sector but one; the Disk Data Format of SNIA its anchor in the last one, or 256 before.
  /// The places are those of libblkid.
  private static func memberByItsEnd(_ area: GuestArea) throws -> GuestFinding? {
    guard area.size >= 256 << 10 else { return nil }
    let sectors = area.size / 512
    func bytes(_ count: Int, at offset: UInt64) throws -> [UInt8] {
      try area.source.bytes(count, at: offset) ?? []
    }
    let magic = try bytes(4, at: (area.size & ~0xFFF) - 4096 + 60)
    if magic.starts(with: [0x83, 0x74, 0x02]), (0x6B...0x6D).contains(magic[3]) {
      return GuestFinding("DRBD member", note: "read whole")
    }
    if try bytes(24, at: (sectors - 2) * 512) == Array("Intel Raid ISM Cfg Sig. ".utf8) {
      return GuestFinding("Intel RAID member", note: "read whole")
    }
    for sector in [sectors - 1, sectors - 257] {
      let anchor = try bytes(4, at: sector * 512)
      guard anchor == [0xDE, 0x11, 0xDE, 0x11] || anchor == [0x11, 0xDE, 0x11, 0xDE] else {
        continue
      }
      return GuestFinding("DDF RAID member", note: "read whole")
    }
    return nil
  }

  /// ZFS has no magic at a fixed place: the ring of uberblocks in its first label is searched.
  private static func isZFS(_ area: GuestArea) throws -> Bool {
    let ring = 128 << 10
    guard let bytes = try area.source.bytes(ring, at: UInt64(ring)) else { return false }
    let magic: [UInt8] = [0x0C, 0xB1, 0xBA, 0, 0, 0, 0, 0]
    return stride(from: 0, to: ring, by: 1024).contains { start in
      let word = bytes[start..<start + 8]
      return word.elementsEqual(magic) || word.elementsEqual(magic.reversed())
    }
  }
}
