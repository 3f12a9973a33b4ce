internal import Blocks
internal import Bytes

/// btrfs, by the first of its superblocks; the copies are not looked at.
enum Btrfs: GuestLayout {
  static let name = "btrfs"
  static let isTable = false

  static func find(in area: GuestArea) throws -> [GuestFinding] {
    let offset = Int(BtrfsSuperblock.offset)
    guard area.holds(BtrfsSuperblock.magic, at: offset + 64),
      let bytes = area.bytes(BtrfsSuperblock.byteCount, at: offset)
    else { return [] }
    var finding = GuestFinding(name)
    let superblock: BtrfsSuperblock
    do { superblock = try BtrfsSuperblock(parsing: bytes) } catch {
      finding.note = "damaged: read whole"
      finding.warnings.append("\(error)")
      return [finding]
    }
    finding.label = superblock.label
    finding.uuid = GuestText.uuid(superblock.uuid)
    guard let holds = BtrfsChecksum.holds(bytes, kind: superblock.checksumKind) else {
      finding.note = "its kind of checksum, \(superblock.checksumKind), is not known: read whole"
      return [finding]
    }
    guard holds else {
      finding.note = "damaged: read whole"
      finding.warnings.append("the checksum of the btrfs superblock does not hold")
      return [finding]
    }
    if let doubt = superblock.doubt(areaByteCount: area.size) {
      finding.note = "\(doubt): read whole"
      return [finding]
    }
    finding.fileSystem = BtrfsFileSystem(source: area.source, superblock: superblock)
    return [finding]
  }
}
