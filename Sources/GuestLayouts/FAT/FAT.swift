internal import Blocks
internal import Bytes

/// FAT12, FAT16 and FAT32, recognized by the parameters in the boot sector and the medium's byte in
/// the FAT; the text that names the kind is not needed.
enum FAT: GuestLayout {
  static let name = "FAT"
  static let isTable = false

  static func find(in area: GuestArea) throws -> [GuestFinding] {
    guard let bytes = frame(of: area) else { return [] }
    let text = textKind(in: area)
    let boot: FATBootSector
    do { boot = try FATBootSector(parsing: bytes) } catch {
      guard let text else { return [] }
      var finding = GuestFinding(text.rawValue, note: "damaged: read whole")
      finding.warnings.append("\(error)")
      return [finding]
    }
    if isEncrypted(area) { return [GuestFinding("BitLocker To Go")] }
    let medium = try area.source.bytes(1, at: boot.fatOffset)?.first
    guard text != nil || medium == boot.medium else { return [] }
    return [try finding(boot, text, mediumMatches: medium == boot.medium, in: area)]
  }

  private static func finding(
    _ boot: FATBootSector, _ text: FATBootSector.Kind?, mediumMatches: Bool, in area: GuestArea
  ) throws -> GuestFinding {
    var finding = GuestFinding(boot.kind.rawValue, label: boot.label)
    finding.uuid = boot.serial.map(serialText)
    var doubt = boot.doubt(areaByteCount: area.size, textKind: text)
    if doubt == nil, !mediumMatches { doubt = "its FAT does not begin as its boot sector says" }
    if doubt == nil, hasPartitions(area) {
      doubt = "there is a partition table in its first sector"
    }
    if let doubt {
      finding.note = "\(doubt): read whole"
      return finding
    }
    let volume = FATVolume(source: area.source, boot: boot)
    finding.fileSystem = FATFileSystem(volume: volume, info: try info(of: boot, in: area))
    // The root directory's label is the one that systems change.
    do { if let label = try volume.rootLabel() { finding.label = label } } catch {
      finding.warnings.append("the root directory cannot be read: \(error)")
    }
    return finding
  }

  /// The first sector, if it begins and ends as a boot sector.
  private static func frame(of area: GuestArea) -> [UInt8]? {
    guard area.holds([0x55, 0xAA], at: 510),
      let bytes = area.bytes(FATBootSector.byteCount, at: 0),
      bytes[0] == 0xEB && bytes[2] == 0x90 || bytes[0] == 0xE9
    else { return nil }
    return bytes
  }

  /// Whether the first sector is a FAT volume's own, and so no partition table's.
  static func isBootSector(_ area: GuestArea) -> Bool {
    guard let bytes = frame(of: area) else { return false }
    if textKind(in: area) != nil { return true }
    do {
      let boot = try FATBootSector(parsing: bytes)
      guard boot.fatOffset < UInt64(GuestArea.headByteCount) else { return false }
      return area.bytes(1, at: Int(boot.fatOffset)) == [boot.medium]
    } catch { return false }
  }

  /// What the boot sector calls itself.
  private static func textKind(in area: GuestArea) -> FATBootSector.Kind? {
    if area.holds("FAT12   ", at: 54) { return .fat12 }
    if area.holds("FAT16   ", at: 54) { return .fat16 }
    return area.holds("FAT32   ", at: 82) ? .fat32 : nil
  }

  /// Whether the sector is that of a small FAT32 volume that stands before an encrypted one, and
  /// whose clusters are not what they seem.
  ///
  /// libbde, "BitLocker To Go".
  private static func isEncrypted(_ area: GuestArea) -> Bool {
    let identifier: [UInt8] = [
      0x3B, 0xD6, 0x67, 0x49, 0x29, 0x2E, 0xD8, 0x4A, 0x83, 0x99, 0xF6, 0xA3, 0x39, 0xE3, 0xD0,
      0x01,
    ]
    return area.holds(identifier, at: 424)
  }

  /// Whether the sector is a partition table as well: then the volume may be what was there before
  /// it.
  ///
  /// A table that `mkfs.fat --mbr` writes has one partition that begins at sector 0.
  private static func hasPartitions(_ area: GuestArea) -> Bool {
    guard let bytes = area.bytes(BootRecord.byteCount, at: 0) else { return false }
    do {
      let record = try BootRecord(parsing: bytes, at: 0)
      let sectorCount = area.size / UInt64(area.source.sectorSize)
      return record.isPlausible
        && record.entries.contains { $0.isUsed && $0.start != 0 && $0.start < sectorCount }
    } catch { return false }
  }

  /// FSInfo's count of free clusters, which nobody may rely on; nil when it says nothing.
  ///
  ///     offset size  field
  ///          0    4  41615252
  ///        484    4  61417272
  ///        488    4  free clusters   FFFFFFFF: not known
  ///        508    4  AA550000
  ///
  /// Microsoft FAT Specification, "FAT32 FSInfo Sector Structure".
  private static func info(of boot: FATBootSector, in area: GuestArea) throws -> UInt32? {
    guard let offset = boot.infoOffset, let bytes = try area.source.bytes(512, at: offset) else {
      return nil
    }
    let span = bytes.span
    guard span.little32(at: 0) == 0x4161_5252, span.little32(at: 484) == 0x6141_7272 else {
      return nil
    }
    let count = span.little32(at: 488)
    return count <= boot.heap.count ? count : nil
  }

  /// `1234-ABCD`, as Windows and Linux show it.
  static func serialText(_ serial: UInt32) -> String {
    let digits = String(serial, radix: 16, uppercase: true)
    let padded = String(repeating: "0", count: 8 - digits.count) + digits
    return "\(padded.prefix(4))-\(padded.suffix(4))"
  }
}
