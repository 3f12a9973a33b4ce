internal import Bytes

/// The first sector of an exFAT volume.
///
///     offset size  field
///          0    3  EB 76 90
///          3    8  "EXFAT   "
///         11   53  zero
///         72    8  sectors of the volume
///         80    4  sector of the first FAT
///         84    4  sectors of a FAT
///         88    4  sector of the cluster heap
///         92    4  clusters
///         96    4  first cluster of the root directory
///        100    4  serial number
///        104    2  revision        1.00
///        106    2  flags           1 second FAT in use, 2 dirty, 4 errors of the medium
///        108    1  bytes of a sector, as a power of two: 9 to 12
///        109    1  sectors of a cluster, likewise; 32 MiB at most
///        110    1  FATs            1; 2 in TexFAT
///        112    1  percent in use  or FF; Linux does not keep it, so it counts for nothing
///        510    2  55 AA
///
/// Little-endian. exFAT File System Specification (Microsoft, 2019), "Main Boot Sector".
struct ExFATBootSector: Equatable {
  static let byteCount = 512
  static let signature = "EXFAT   "
  /// The sectors of which the last one holds the sum of the others.
  static let regionSectorCount = 12

  let sectorByteCount: Int
  /// Bytes of the whole volume.
  let byteCount: UInt64
  /// Where the FAT begins, in bytes.
  let fatOffset: UInt64
  let heap: ClusterHeap
  let rootCluster: UInt32
  let serial: UInt32
  let flags: UInt16
  let fatCount: UInt8

  /// - Throws: When no exFAT volume that vpipe knows begins like this.
  init(parsing bytes: [UInt8]) throws(FormatError) {
    var cursor = ByteCursor(bytes.span, of: "exFAT boot sector", .little)
    try cursor.skip(3)
    try cursor.expect("EXFAT   ")
    guard try cursor.array(53).allSatisfy({ $0 == 0 }) else {
      throw cursor.refusal(.impossible("parameters of another file system"))
    }
    try cursor.skip(8)
    let sectors = try cursor.u64()
    let fatSector = UInt64(try cursor.u32())
    let fatSectors = UInt64(try cursor.u32())
    let heapSector = UInt64(try cursor.u32())
    let clusters = try cursor.u32()
    rootCluster = try cursor.u32()
    serial = try cursor.u32()
    let revision = try cursor.u16()
    flags = try cursor.u16()
    let sectorShift = try cursor.u8()
    let clusterShift = try cursor.u8()
    fatCount = try cursor.u8()
    guard revision >> 8 == 1 else {
      throw cursor.refusal(.unsupported("revision \(revision >> 8)"))
    }
    guard (9...12).contains(sectorShift), clusterShift <= 25 - sectorShift else {
      throw cursor.refusal(.impossible("sizes of sectors and clusters"))
    }
    sectorByteCount = 1 << Int(sectorShift)
    let sector = UInt64(1) << UInt64(sectorShift)
    let perCluster = UInt64(1) << UInt64(clusterShift)
    // Counts of 32 bits, shifted by 25 bits at most, except for the volume's own.
    let (size, isTooLarge) = sectors.multipliedReportingOverflow(by: sector)
    let fatsEnd = fatSector + fatSectors * UInt64(fatCount)
    guard !isTooLarge, fatSector >= 24, fatsEnd <= heapSector, heapSector <= sectors,
      UInt64(clusters) <= (sectors - heapSector) / perCluster, clusters > 0,
      clusters <= 0xFFFF_FFF5, fatSectors * sector >= (UInt64(clusters) + 2) * 4
    else { throw cursor.refusal(.impossible("its parts do not fit into it")) }
    byteCount = size
    fatOffset = fatSector * sector
    heap = ClusterHeap(
      start: heapSector * sector, clusterByteCount: sector * perCluster, count: clusters)
    guard heap.contains(rootCluster) else {
      throw cursor.refusal(.impossible("its root directory is not among its clusters"))
    }
  }

  /// Why its boot sectors or its state do not allow to leave out anything; nil when they do.
  ///
  /// - Parameter region: The first twelve sectors.
  func doubt(region: [UInt8]) -> String? {
    guard region.count >= ExFATBootSector.regionSectorCount * sectorByteCount else {
      return "its boot sectors are cut off"
    }
    let summed = (ExFATBootSector.regionSectorCount - 1) * sectorByteCount
    let sum = ExFATBootSector.checksum(region[0..<summed])
    let span = region.span
    for place in stride(from: summed, to: summed + sectorByteCount, by: 4)
    where span.little32(at: place) != sum {
      return "the checksum of its boot sectors does not hold"
    }
    if flags & 2 != 0 { return "it was not unmounted" }
    if flags & 4 != 0 { return "errors of its medium are noted" }
    if flags & 1 != 0 { return "its first FAT is not in use" }
    return nil
  }

  /// The sum of the boot sectors but for the fields that change in use.
  static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    var sum: UInt32 = 0
    for index in bytes.indices {
      let place = index - bytes.startIndex
      if place == 106 || place == 107 || place == 112 { continue }
      sum = (sum << 31 | sum >> 1) &+ UInt32(bytes[index])
    }
    return sum
  }
}
