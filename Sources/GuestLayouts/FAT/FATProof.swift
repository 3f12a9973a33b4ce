internal import Bytes

/// A walk through all directories of a volume, which finds the owner of each taken cluster.
///
/// Each cluster is claimed once, so the work is bounded by the volume's size.
struct FATProof {
  /// How deep directories may lie; 260 characters of a path do not lead deeper.
  static let depthLimit = 256

  private let volume: FATVolume
  private var unclaimed: ClusterMap
  private var reader: ClusterTable.Reader

  init(_ volume: FATVolume, _ taken: ClusterMap) {
    self.volume = volume
    unclaimed = taken
    reader = volume.table.reader()
  }

  /// - Throws: `GuestDoubt` when what directories say and what the FAT says do not agree.
  mutating func run() throws {
    do {
      if volume.boot.kind == .fat32 { try claim(from: volume.boot.rootCluster, atLeast: 1) }
      try check(volume.root, depth: 0)
      try unclaimed.requireDefects(&reader)
    } catch let error as FormatError {
      throw GuestDoubt("\(error)")
    }
  }

  private mutating func check(_ place: ClusterDirectory.Place, depth: Int) throws {
    guard depth < FATProof.depthLimit else { throw GuestDoubt("its directories lie too deep") }
    var directory = try volume.directory(place)
    while let raw = try directory.next() {
      let entry = try FATEntry(parsing: raw)
      if entry.isEnd { return }
      guard entry.isFile, !entry.isDot else { continue }
      let first = entry.firstCluster(volume.boot.kind)
      if entry.isDirectory {
        try claim(from: first, atLeast: 1)
        try check(.chain(first), depth: depth + 1)
      } else if first != 0 || entry.byteCount > 0 {
        guard let needed = volume.heap.clusterCount(of: UInt64(entry.byteCount)) else {
          throw GuestDoubt("a file is larger than the volume")
        }
        try claim(from: first, atLeast: needed)
      }
    }
  }

  private mutating func claim(from first: UInt32, atLeast needed: UInt32) throws {
    var count: UInt32 = 0
    var cluster: UInt32? = first
    while let current = cluster {
      guard unclaimed.claim(current) else {
        throw GuestDoubt("a file has cluster \(current), which is free or another file's")
      }
      count += 1
      cluster = try reader.next(after: current)
    }
    guard count >= needed else { throw GuestDoubt("a file is longer than its clusters") }
  }
}
