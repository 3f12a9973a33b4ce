internal import Bytes

/// The first sector of a FAT volume, with its BIOS parameter block.
///
///     offset size  field
///          0    3  jump               EB xx 90 or E9 xx xx
///          3    8  who formatted it
///         11    2  bytes of a sector  512, 1024, 2048, 4096
///         13    1  sectors of a cluster, a power of two
///         14    2  sectors before the first FAT, this one among them
///         16    1  number of FATs
///         17    2  entries of the root directory   0 in FAT32
///         19    2  sectors                         0: see 32
///         21    1  medium             F0, F8 to FF; also in the first byte of each FAT
///         22    2  sectors of a FAT                0: FAT32
///         32    4  sectors
///
///     FAT12, FAT16                    FAT32
///         37    1  state              65         bit 0 dirty, bit 1 errors of the medium
///         38    1  29 or 28           66         the next ones are there
///         39    4  serial number      67
///         43   11  label              71         the root directory has it, too
///         54    8  "FAT12   " ...     82         means nothing
///                                     36    4    sectors of a FAT
///                                     40    2    bit 7: one FAT is in use, whose number bits 0-3 are
///                                     42    2    version 0
///                                     44    4    cluster of the root directory
///                                     48    2    sector of FSInfo
///                                     50    2    sector of this sector's copy
///
///        510    2  55 AA
///
/// Little-endian. Microsoft FAT Specification (2005), "Boot Sector and BPB"; the state is known
/// from Linux, fs/fat/inode.c `fat_set_state`, and from Windows' driver. As there, a volume is
/// FAT32 when it has no 16-bit size of a FAT.
struct FATBootSector: Equatable {
  static let byteCount = 512
  /// What a copy of this sector has to have in common with it.
  static let geometry = 11..<52
  /// The most FATs; usual are two.
  static let fatLimit: UInt8 = 4

  enum Kind: String {
    case fat12 = "FAT12"
    case fat16 = "FAT16"
    case fat32 = "FAT32"
  }

  let kind: Kind
  let medium: UInt8
  /// Bytes of the whole volume.
  let byteCount: UInt64
  /// Where the first FAT begins, in bytes.
  let fatOffset: UInt64
  /// Bytes of one FAT.
  let fatByteCount: UInt64
  let fatCount: UInt8
  /// The root directory of FAT12 and FAT16, before the clusters.
  let rootRegion: Range<UInt64>
  /// The first cluster of the root directory of FAT32.
  let rootCluster: UInt32
  /// The FAT that is in use when the others are not kept the same.
  let activeFAT: UInt8?
  /// Where FSInfo lies, in bytes; nil when there is none.
  let infoOffset: UInt64?
  /// Where the copy of this sector lies, in bytes; nil when there is none.
  let copyOffset: UInt64?
  let heap: ClusterHeap
  let state: UInt8
  let serial: UInt32?
  let label: String?
}

extension FATBootSector {
  /// Parses a volume's first 512 bytes.
  ///
  /// - Throws: When no FAT volume begins like this. No product here overflows: 32-bit counts of
  ///   sectors of at most 4,096 bytes.
  init(parsing bytes: [UInt8]) throws(FormatError) {
    var cursor = ByteCursor(bytes.span, of: "FAT boot sector", .little)
    try cursor.skip(11)
    let sector = UInt64(try cursor.u16())
    let perCluster = UInt64(try cursor.u8())
    let reserved = UInt64(try cursor.u16())
    fatCount = try cursor.u8()
    let rootEntries = UInt64(try cursor.u16())
    let sectors16 = UInt64(try cursor.u16())
    medium = try cursor.u8()
    let fatSectors16 = UInt64(try cursor.u16())
    try cursor.skip(8)
    let sectors32 = UInt64(try cursor.u32())
    guard [512, 1024, 2048, 4096].contains(sector), perCluster.nonzeroBitCount == 1, reserved > 0,
      fatCount > 0, fatCount <= FATBootSector.fatLimit, medium == 0xF0 || medium >= 0xF8
    else { throw cursor.refusal(.impossible("no parameters of a FAT volume")) }

    var fatSectors = fatSectors16
    if fatSectors16 == 0 {
      fatSectors = UInt64(try cursor.u32())
      let flags = try cursor.u16()
      activeFAT = flags & 0x80 == 0 ? nil : UInt8(flags & 15)
      let version = try cursor.u16()
      rootCluster = try cursor.u32()
      let info = UInt64(try cursor.u16())
      infoOffset = info == 0 || info >= reserved ? nil : info * sector
      let copy = UInt64(try cursor.u16())
      copyOffset = copy == 0 || copy >= reserved ? nil : copy * sector
      try cursor.skip(12)
      guard version == 0, rootEntries == 0 else {
        throw cursor.refusal(.impossible("parameters of FAT32 and of FAT16 together"))
      }
    } else {
      (activeFAT, rootCluster, infoOffset, copyOffset) = (nil, 0, nil, nil)
      guard rootEntries > 0 else { throw cursor.refusal(.impossible("no root directory")) }
    }
    try cursor.skip(1)
    state = try cursor.u8()
    let mark = try cursor.u8()
    let number = try cursor.u32()
    serial = mark == 0x29 || mark == 0x28 ? number : nil
    let name = GuestText.label(try cursor.array(11))
    label = mark == 0x29 && name != "NO NAME" ? name : nil

    let sectors = sectors16 != 0 ? sectors16 : sectors32
    let rootSectors = (rootEntries * 32 + sector - 1) / sector
    let heapSector = reserved + UInt64(fatCount) * fatSectors + rootSectors
    guard fatSectors > 0, sectors16 == 0 || sectors32 == 0 || sectors16 == sectors32,
      sectors > heapSector
    else { throw cursor.refusal(.impossible("\(sectors) sectors")) }
    let clusters = (sectors - heapSector) / perCluster
    heap = ClusterHeap(
      start: heapSector * sector, clusterByteCount: perCluster * sector, count: UInt32(clusters))
    byteCount = sectors * sector
    fatOffset = reserved * sector
    fatByteCount = fatSectors * sector
    rootRegion =
      (heapSector - rootSectors) * sector..<(heapSector - rootSectors) * sector
      + rootEntries * 32
    kind = fatSectors16 == 0 ? .fat32 : clusters < 4085 ? .fat12 : .fat16
  }

  var width: ClusterTable.Width {
    switch kind {
    case .fat12: .bits12
    case .fat16: .bits16
    case .fat32: .bits28
    }
  }

  /// Why it is not clear what this volume is; nil when it is.
  func doubt(areaByteCount: UInt64, textKind: Kind?) -> String? {
    if byteCount > areaByteCount { return "it is larger than the place that it is in" }
    if let textKind, textKind != kind {
      return "its boot sector calls it \(textKind.rawValue), but its size makes it \(kind.rawValue)"
    }
    switch kind {
    // Windows' driver draws the line here, Linux and the specification at 4085.
    case .fat12, .fat16:
      if (4085..<4087).contains(heap.count) { return "it may be FAT12 or FAT16" }
      if heap.count > 65524 { return "it has too many clusters for FAT16" }
    case .fat32:
      if heap.count > ClusterMap.clusterLimit - 16 { return "it has too many clusters for FAT32" }
      if !heap.contains(rootCluster) { return "its root directory is not among its clusters" }
    }
    if heap.count == 0 { return "it has no clusters" }
    let needed = (heap.end * (kind == .fat12 ? 3 : kind == .fat16 ? 4 : 8) + 1) / 2
    if needed > fatByteCount { return "its FAT is too small for its clusters" }
    if let activeFAT, activeFAT >= fatCount { return "the FAT in use is not one of its FATs" }
    return nil
  }
}
