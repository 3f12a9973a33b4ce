internal import Blocks
internal import Bytes

/// Whether a volume was left in order, and nothing refers to clusters behind the bitmap's back.
enum NTFSState {
  /// Why everything has to be read; nil when there is no reason.
  ///
  /// - Throws: `FormatError` for damage, `SourceError`.
  static func doubt(of volume: NTFSVolume) throws -> String? {
    if let doubt = NTFSShadows.doubt(of: volume.area) { return doubt }
    if let doubt = try information(of: volume).doubt { return doubt }
    if let doubt = try mirrorDoubt(of: volume) { return doubt }
    if let doubt = try NTFSLog.doubt(of: volume) { return doubt }
    return try rootDoubt(of: volume)
  }

  /// What $Volume says.
  static func information(of volume: NTFSVolume) throws -> NTFSVolumeInformation {
    let node = try volume.node(.volume)
    let value = node.record.value(.volumeInformation)
    var information = try NTFSVolumeInformation(parsing: value ?? [], at: node.record.place)
    information.label = node.record.value(.volumeName).flatMap(GuestText.wideLabel)
    return information
  }

  /// Compares the first records with their copies: the nearest thing to a checksum that NTFS has.
  private static func mirrorDoubt(of volume: NTFSVolume) throws -> String? {
    let size = UInt64(volume.boot.recordSize)
    let start = volume.boot.mirrorCluster * volume.boot.clusterSize
    for number in UInt64(0)..<4 {
      let place = start + number * size
      guard let bytes = try volume.source.bytes(Int(size), at: place) else {
        throw FormatError("NTFS mirror", at: place, .truncated)
      }
      let record = try volume.record(NTFSReference(number))
      let copy = try NTFSRecord(parsing: bytes, number: number, at: place)
      // The fixups' own number may differ: each copy is written by itself.
      let fixups = Int(record.bytes[4]) | Int(record.bytes[5]) << 8
      let end = fixups + 2 * (record.bytes.count / NTFSFixups.stride + 1)
      guard record.bytes[0..<fixups] == copy.bytes[0..<fixups],
        record.bytes[end...] == copy.bytes[end...]
      else { return "record \(number) of $MFT differs from its copy in $MFTMirr" }
    }
    return nil
  }

  /// What lies in the root directory: a hibernated Windows, and shadow copies' files.
  private static func rootDoubt(of volume: NTFSVolume) throws -> String? {
    let names = try RootNames(volume)
    if try isHibernated(volume, names) {
      return "Windows has hibernated or was shut down by fast startup: hiberfil.sys holds its state"
    }
    guard let information = names.information else { return nil }
    return try NTFSShadows.doubt(of: information, in: volume)
  }

  /// What matters of the root directory.
  private struct RootNames {
    var hibernation: NTFSReference?
    var information: NTFSReference?

    init(_ volume: NTFSVolume) throws {
      let root = try volume.node(.root)
      var hibernation: NTFSReference?
      var information: NTFSReference?
      try NTFSIndex(of: root, in: volume).forEachEntry { entry in
        if entry.isNamed("hiberfil.sys") { hibernation = entry.reference }
        if entry.isNamed("system volume information") { information = entry.reference }
        return hibernation == nil || information == nil
      }
      self.hibernation = hibernation
      self.information = information
    }
  }

  /// Whether Windows has hibernated, be it for a fast start, and will go on from there.
  ///
  /// - Throws: `FormatError` for damage, `SourceError`.
  static func isHibernated(_ volume: NTFSVolume) throws -> Bool {
    try isHibernated(volume, RootNames(volume))
  }

  /// A file of zeros, or one that Windows has woken up from, means nothing any more.
  private static func isHibernated(_ volume: NTFSVolume, _ names: RootNames) throws -> Bool {
    guard let reference = names.hibernation,
      let content = try volume.content(.data, of: try volume.node(reference)), content.size > 0
    else { return false }
    let source = try NTFSFiles.source(of: content, in: volume)
    let head = try source.bytes(Int(min(4096, source.size)), at: 0) ?? []
    let isWoken = ["wake", "WAKE"].contains { head.starts(with: Array($0.utf8)) }
    return !isWoken && !head.allSatisfy { $0 == 0 }
  }
}

/// The version and the flags of a volume.
///
///     offset size  field
///          0    8  unused
///          8    1  major version
///          9    1  minor version
///         10    2  flags          1 dirty, 2 resize the log, 4 upgrade, 8 mounted by NT 4,
///                                 0x10 delete the change journal, 0x20 repair object identifiers,
///                                 0x4000 chkdsk is running, 0x8000 changed by chkdsk
///
/// libfsntfs, "The volume information attribute".
struct NTFSVolumeInformation {
  var version: (major: UInt8, minor: UInt8)
  var flags: UInt16
  var label: String?

  init(parsing bytes: [UInt8], at place: UInt64) throws(FormatError) {
    var cursor = ByteCursor(bytes.span, of: "NTFS volume information", at: place, .little)
    try cursor.skip(8)
    version = (try cursor.u8(), try cursor.u8())
    flags = try cursor.u16()
  }

  /// Flags that leave the bitmap as true as it was: what they ask for is done at the next mount.
  private static let harmless: UInt16 = 0x803C

  var doubt: String? {
    guard (1...3).contains(version.major) else {
      return "its version \(version.major).\(version.minor) is not known"
    }
    if flags & 1 != 0 { return "it is marked as dirty: it was not unmounted" }
    if flags & 0x4000 != 0 { return "chkdsk has not finished with it" }
    if flags & 2 != 0 { return "its log is to be resized" }
    guard flags & ~NTFSVolumeInformation.harmless == 0 else {
      return "its flags 0x\(String(flags, radix: 16)) are not known"
    }
    return nil
  }
}

/// Volume shadow copies: they read clusters that the volume itself has long given up.
///
///     offset size  field             of the header, at byte 0x1E00 of the volume
///          0   16  identifier
///         48    8  catalog           its place on the volume, zero without one
///         64   16  volume
///         80   16  volume on which the copies are kept
///
/// libvshadow, "Volume header".
enum NTFSShadows {
  private static let place = 0x1E00
  private static let identifier = "3808876b-c176-4e48-b7ae-04046e6cc752"
  private static let words = "it has volume shadow copies, which live on clusters that are free"

  static func doubt(of area: GuestArea) -> String? {
    guard let bytes = area.bytes(96, at: place),
      GuestText.guid(Array(bytes[0..<16])) == identifier
    else { return nil }
    let hasCatalog = bytes[48..<56].contains { $0 != 0 }
    let isElsewhere = bytes[64..<80] != bytes[80..<96]
    return hasCatalog || isElsewhere ? words : nil
  }

  /// Looks for the copies' files in the folder System Volume Information.
  static func doubt(of reference: NTFSReference, in volume: NTFSVolume) throws -> String? {
    let node = try volume.node(reference)
    guard node.record.isDirectory else { return nil }
    var isThere = false
    try NTFSIndex(of: node, in: volume).forEachEntry { entry in
      // The catalog has the identifier for its whole name, and may be there without copies.
      let name = String(decoding: entry.name, as: UTF16.self).lowercased()
      isThere = name.hasSuffix("{\(identifier)}") && entry.name.count > identifier.utf8.count + 2
      return !isThere
    }
    return isThere ? words : nil
  }
}
