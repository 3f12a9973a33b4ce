internal import Blocks
internal import Bytes

/// exFAT.
///
/// The variant with transactions, TexFAT, which no desktop system writes, is read whole.
enum ExFAT: GuestLayout {
  static let name = "exFAT"
  static let isTable = false

  static func find(in area: GuestArea) throws -> [GuestFinding] {
    guard area.holds(ExFATBootSector.signature, at: 3),
      let bytes = area.bytes(ExFATBootSector.byteCount, at: 0)
    else { return [] }
    var finding = GuestFinding(name)
    let boot: ExFATBootSector
    do { boot = try ExFATBootSector(parsing: bytes) } catch {
      finding.note = "not understood: read whole"
      finding.warnings.append("\(error)")
      return [finding]
    }
    finding.uuid = FAT.serialText(boot.serial)
    guard boot.byteCount <= area.size else {
      finding.note = "it is larger than the place that it is in: read whole"
      return [finding]
    }
    guard boot.fatCount == 1 else {
      finding.note = "it has \(boot.fatCount) FATs (TexFAT): read whole"
      return [finding]
    }
    let region = ExFATBootSector.regionSectorCount * boot.sectorByteCount
    let doubt = boot.doubt(region: try area.source.bytes(region, at: 0) ?? [])
    let volume = ExFATVolume(source: area.source, boot: boot)
    do {
      let root = try ExFATRoot(of: volume, entryLimit: 64)
      finding.label = root.label
    } catch let error as FormatError {
      finding.warnings.append("the root directory cannot be read: \(error)")
    }
    finding.fileSystem = ExFATFileSystem(volume: volume, bootDoubt: doubt)
    return [finding]
  }
}
