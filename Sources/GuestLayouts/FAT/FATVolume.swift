internal import Blocks
internal import Bytes

/// A FAT volume's bytes with its geometry.
struct FATVolume: Sendable {
  /// The most bytes of a directory; the specification's own limit.
  static let directoryByteLimit: UInt64 = 2 << 20

  let source: any BlockSource
  let boot: FATBootSector

  var heap: ClusterHeap { boot.heap }

  /// The FAT that is in use.
  var table: ClusterTable { table(boot.activeFAT ?? 0) }

  /// One of the FATs.
  func table(_ index: UInt8) -> ClusterTable {
    // All FATs lie before the clusters, so nothing overflows.
    ClusterTable(
      source: source, offset: boot.fatOffset + UInt64(index) * boot.fatByteCount,
      width: boot.width, heap: heap)
  }

  var root: ClusterDirectory.Place {
    boot.kind == .fat32 ? .chain(boot.rootCluster) : .region(boot.rootRegion)
  }

  func directory(_ place: ClusterDirectory.Place) throws(FormatError) -> ClusterDirectory {
    try ClusterDirectory(
      place, of: table, byteLimit: FATVolume.directoryByteLimit, isLimitDamage: true)
  }

  /// The label in the root directory's first entries; systems put it there.
  func rootLabel() throws -> String? {
    var directory = try directory(root)
    for _ in 0..<64 {
      guard let entry = try directory.next() else { return nil }
      let file = try FATEntry(parsing: entry)
      if file.isEnd { return nil }
      if file.isLabel { return GuestText.label(FATName.decoded(file.name)) }
    }
    return nil
  }
}
