internal import Bytes

/// The file system of Windows NT and its successors.
///
/// Everything on a volume is a file, and a table of records with their attributes says where.
/// Nothing has a checksum; what guards against damage are signatures, numbers that repeat, fixups
/// against torn writes and a copy of the first four records. So all of these are looked at.
/// Linux-NTFS documentation; libfsntfs, "NTFS"; docs/guest-layouts.md.
enum NTFS: GuestLayout {
  static let name = "NTFS"
  static let isTable = false

  static func find(in area: GuestArea) throws -> [GuestFinding] {
    guard area.holds(NTFSBootSector.signature, at: 3),
      let bytes = area.bytes(NTFSBootSector.byteCount, at: 0)
    else { return [] }
    var finding = GuestFinding(name)
    do {
      let boot = try NTFSBootSector(parsing: bytes, areaSize: area.size)
      finding.uuid = boot.serialText
      let volume = try NTFSVolume(boot, area)
      finding.label = try NTFSState.information(of: volume).label
      finding.fileSystem = NTFSFileSystem(volume: volume)
    } catch let error as FormatError {
      finding.note = "not understood: \(error)"
      finding.warnings.append("NTFS is read whole: \(error)")
    }
    return [finding]
  }
}
