internal import Blocks
internal import Bytes

/// An XFS file system, of version 4 or 5.
///
/// Only its first superblock is looked at: where that is damaged, everything is read.
enum XFS: GuestLayout {
  static let name = "XFS"
  static let isTable = false

  static func find(in area: GuestArea) throws -> [GuestFinding] {
    guard area.holds("XFSB", at: 0), let bytes = area.bytes(XFSSuperblock.byteCount, at: 0) else {
      return []
    }
    var finding = GuestFinding(
      name, label: GuestText.label(area.bytes(12, at: 108)),
      uuid: GuestText.uuid(area.bytes(16, at: 32)))
    do throws(FormatError) {
      let superblock = try XFSSuperblock(parsing: bytes)
      if let feature = superblock.unknownFeature {
        finding.note = "\(feature) is not known: read whole"
        return [finding]
      }
      try superblock.validate()
      let volume = XFSVolume(source: area.source, superblock: superblock)
      if superblock.hasChecksums {
        guard let sector = area.bytes(superblock.sectorByteCount, at: 0) else {
          throw FormatError("XFS superblock", at: 0, .truncated)
        }
        try volume.verify(
          sector, checksumAt: XFSSuperblock.checksumOffset, of: "XFS superblock", at: 0)
      }
      guard superblock.byteCount <= area.size else {
        finding.note = "it reaches beyond the end: read whole"
        finding.warnings.append("XFS is read whole: it reaches beyond the end")
        return [finding]
      }
      finding.fileSystem = XFSFileSystem(volume)
    } catch {
      finding.note = "damaged: read whole"
      finding.warnings.append("XFS is read whole: \(error)")
    }
    return [finding]
  }
}
