internal import Bytes

/// A walk through all directories of a volume, which finds the owner of each taken cluster.
///
/// Each cluster is claimed once, so the work is bounded by the volume's size.
struct ExFATProof {
  private let volume: ExFATVolume
  private var unclaimed: ClusterMap
  private var reader: ClusterTable.Reader

  init(_ volume: ExFATVolume, _ taken: ClusterMap) {
    self.volume = volume
    unclaimed = taken
    reader = volume.table.reader()
  }

  /// - Parameter besides: What belongs to the volume itself.
  /// - Throws: `GuestDoubt` when what directories say and what the bitmap says do not agree.
  mutating func run(besides: [ClusterRun]) throws {
    do {
      for run in besides { try claim(run) }
      try claimChain(from: volume.boot.rootCluster, count: nil)
      try check(try volume.root(), depth: 0)
      try unclaimed.requireDefects(&reader)
    } catch let error as FormatError {
      throw GuestDoubt("\(error)")
    }
  }

  private mutating func check(_ start: ClusterDirectory, depth: Int) throws {
    guard depth < FATProof.depthLimit else { throw GuestDoubt("its directories lie too deep") }
    var directory = start
    while let entry = try directory.next(), entry.bytes[0] != 0 {
      guard entry.bytes[0] == ExFATEntrySet.type else { continue }
      let set = try ExFATEntrySet(entry, from: &directory)
      guard let count = volume.heap.clusterCount(of: set.byteCount) else {
        throw GuestDoubt("a file is larger than the volume")
      }
      if count > 0 {
        if set.isContiguous {
          try claim(ClusterRun(first: set.first, count: count))
        } else {
          try claimChain(from: set.first, count: count)
        }
      }
      if set.isDirectory { try check(try volume.directory(set), depth: depth + 1) }
    }
  }

  private mutating func claim(_ run: ClusterRun) throws {
    for number in UInt64(run.first)..<UInt64(run.first) + UInt64(run.count) {
      try claim(UInt32(clamping: number))
    }
  }

  private mutating func claim(_ cluster: UInt32) throws {
    guard unclaimed.claim(cluster) else {
      throw GuestDoubt("a file has cluster \(cluster), which is free or another file's")
    }
  }

  /// - Parameter count: How many clusters there have to be, where that is known.
  private mutating func claimChain(from first: UInt32, count: UInt32?) throws {
    var done: UInt32 = 0
    var cluster: UInt32? = first
    while let current = cluster {
      try claim(current)
      done += 1
      cluster = try reader.next(after: current)
    }
    if let count, done != count { throw GuestDoubt("a file's clusters do not fit its size") }
  }
}
