internal import Blocks
internal import Bytes

/// A FAT volume.
///
/// A cluster is free when its entry is 0. That is believed only when the volume was closed
/// properly, as far as its kind can say so, when all FATs are the same, also where just one is in
/// use, and when a walk through all directories finds each file's chain whole, in clusters that no
/// other file has, and no cluster is left that nothing but a defect explains. So each free cluster
/// is known to be free from two sides, also in FAT12, which has less to say of its state.
/// Everything before the clusters and behind the last one is kept; so are bad clusters.
struct FATFileSystem: GuestFileSystem {
  let volume: FATVolume
  /// Free clusters as FSInfo counts them, which is a hint.
  let info: UInt32?

  /// Bytes of a FAT that are compared at once.
  private static let pieceByteCount = 1 << 20

  private var boot: FATBootSector { volume.boot }

  var byteCount: UInt64 { boot.byteCount }

  var usedByteCount: UInt64? {
    info.map { byteCount - UInt64($0) * volume.heap.clusterByteCount }
  }

  var fileDoubt: String? {
    do {
      try requireClean()
      return nil
    } catch {
      return "\(error)"
    }
  }

  func freeSpace() throws -> FreeSpace {
    try requireClean()
    try requireSameCopy()
    let map = try clusterMap()
    var proof = FATProof(volume, map)
    try proof.run()
    return map.freeSpace()
  }

  func files() throws -> (any FileTree)? { FATTree(volume: volume) }

  /// Requires that whoever wrote to the volume has closed it.
  ///
  /// Linux and DOS-based tools mark the boot sector, Windows marks FAT entry 1 as well.
  private func requireClean() throws {
    if boot.state & 1 != 0 { throw GuestDoubt("it was not unmounted") }
    if boot.state & 2 != 0 { throw GuestDoubt("errors of its medium are noted") }
    let marks: (clean: UInt32, healthy: UInt32)
    switch boot.kind {
    case .fat12: return
    case .fat16: marks = (0x8000, 0x4000)
    case .fat32: marks = (0x0800_0000, 0x0400_0000)
    }
    var reader = volume.table.reader()
    let entry = try reader.entry(1)
    if entry & marks.clean == 0 { throw GuestDoubt("it was not unmounted") }
    if entry & marks.healthy == 0 { throw GuestDoubt("errors of its medium are noted") }
  }

  /// Requires that FAT32's copy of the boot sector has the same geometry: there is no checksum.
  private func requireSameCopy() throws {
    guard let offset = boot.copyOffset else { return }
    let count = FATBootSector.byteCount
    guard let own = try volume.source.bytes(count, at: 0),
      let copy = try volume.source.bytes(count, at: offset)
    else { throw FormatError("FAT boot sector", at: offset, .truncated) }
    guard own[FATBootSector.geometry] == copy[FATBootSector.geometry] else {
      throw GuestDoubt("its boot sector and the copy of it do not agree")
    }
  }

  /// What the FATs say is taken.
  private func clusterMap() throws -> ClusterMap {
    var map = ClusterMap(volume.heap)
    let first = volume.table(0)
    let total = first.byteCount
    // All of the few entries of 12 bits fit into one piece.
    var start: UInt64 = 0
    while start < total {
      let count = Int(min(UInt64(FATFileSystem.pieceByteCount), total - start))
      let piece = try self.piece(of: first, at: start, count)
      FATFileSystem.note(piece.span, at: start, of: first, in: &map)
      for index in 1..<max(boot.fatCount, 1) {
        guard try self.piece(of: volume.table(index), at: start, count) == piece else {
          throw GuestDoubt("its FATs are not the same")
        }
      }
      start += UInt64(count)
    }
    return map
  }

  private func piece(of table: ClusterTable, at start: UInt64, _ count: Int) throws -> [UInt8] {
    guard let bytes = try volume.source.bytes(count, at: table.offset + start) else {
      throw FormatError("FAT", at: table.offset + start, .truncated)
    }
    return bytes
  }

  /// Adds what a piece of a FAT says is taken.
  private static func note(
    _ piece: Span<UInt8>, at start: UInt64, of table: ClusterTable, in map: inout ClusterMap
  ) {
    let perEntry: UInt64 = table.width == .bits28 ? 4 : 2
    var number = table.width == .bits12 ? 2 : max(2, UInt32(start / perEntry))
    while UInt64(number) < table.heap.end, let value = table.entry(number, in: piece, from: start) {
      if value != 0 { map.set(number) }
      number += 1
    }
  }
}
