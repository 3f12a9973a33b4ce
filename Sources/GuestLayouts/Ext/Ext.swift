internal import Bytes

/// The second, third and fourth extended file systems: one format, told apart by its features.
///
/// Copies of the superblock in other groups are not looked at: where the first is damaged,
/// everything is read. Linux, Documentation/filesystems/ext4; e2fsprogs, lib/ext2fs.
enum Ext: GuestLayout {
  static let name = "ext"
  static let isTable = false

  static func find(in area: GuestArea) throws -> [GuestFinding] {
    let place = Int(ExtSuperblock.offset)
    guard area.u16(at: place + 0x38) == ExtSuperblock.magic,
      let bytes = area.bytes(ExtSuperblock.byteCount, at: place)
    else { return [] }
    let superblock: ExtSuperblock
    do { superblock = try ExtSuperblock(parsing: bytes) } catch { return [] }
    var finding = GuestFinding(
      superblock.features.kind, label: GuestText.label(superblock.label),
      uuid: GuestText.uuid(superblock.uuid))
    if let reason = reasonNotToRead(superblock) {
      finding.note = "\(reason): read whole"
      return [finding]
    }
    do {
      try check(superblock)
      finding.fileSystem = ExtFileSystem(volume: try ExtVolume(area.source, superblock))
    } catch {
      finding.note = "its superblock is damaged: read whole"
      finding.warnings = ["\(error)"]
    }
    return [finding]
  }

  /// Why nothing is understood of a file system that may be in order; nil when it is understood.
  private static func reasonNotToRead(_ superblock: ExtSuperblock) -> String? {
    if superblock.features.incompatible.contains(.journalDevice) { return "a journal only" }
    if let unknown = superblock.features.unknown { return "\(unknown) is not known" }
    guard superblock.revision <= 1 else { return "revision \(superblock.revision) is not known" }
    let features = superblock.features
    let hasFeatures =
      !features.compatible.isEmpty || !features.incompatible.isEmpty || !features.readOnly.isEmpty
    if superblock.revision == 0, hasFeatures { return "revision 0 with features is not known" }
    if features.readOnly.contains(.metadataChecksums), superblock.checksumKind != 1 {
      return "checksum \(superblock.checksumKind) is not known"
    }
    return nil
  }

  private static func check(_ superblock: ExtSuperblock) throws(FormatError) {
    guard superblock.features.readOnly.contains(.metadataChecksums),
      superblock.checksum != superblock.computedChecksum
    else { return }
    throw FormatError(
      "ext superblock", at: ExtSuperblock.offset,
      .badChecksum(
        stored: UInt64(superblock.checksum), computed: UInt64(superblock.computedChecksum)))
  }
}
