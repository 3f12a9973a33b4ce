internal import Bytes

/// The clusters of a FAT or exFAT volume: the units that its files are made of, numbered from 2.
struct ClusterHeap: Equatable, Sendable {
  /// Where cluster 2 lies, in bytes of the area.
  let start: UInt64
  let clusterByteCount: UInt64
  /// How many clusters there are; all of them lie inside the area.
  let count: UInt32

  /// The number behind the last cluster's.
  var end: UInt64 { UInt64(count) + 2 }

  func contains(_ cluster: UInt32) -> Bool { cluster >= 2 && UInt64(cluster) < end }

  /// Where a cluster lies, which is one of the heap's.
  func place(of cluster: UInt32) -> UInt64 {
    precondition(contains(cluster))
    // Inside the area, so far below an overflow.
    return start + UInt64(cluster - 2) * clusterByteCount
  }

  /// The cluster that holds a byte of the area; nil when none does.
  func cluster(at offset: UInt64) -> UInt32? {
    guard offset >= start else { return nil }
    let index = (offset - start) / clusterByteCount
    return index < UInt64(count) ? UInt32(index) + 2 : nil
  }

  /// How many clusters so many bytes take; nil when there are not as many.
  func clusterCount(of byteCount: UInt64) -> UInt32? {
    let whole = byteCount / clusterByteCount
    let needed = byteCount % clusterByteCount == 0 ? whole : whole + 1
    return needed <= UInt64(count) ? UInt32(needed) : nil
  }
}

/// Clusters that follow each other on the disk and in a file.
struct ClusterRun: Equatable, Sendable {
  var first: UInt32
  var count: UInt32
}

extension ClusterHeap {
  /// Where the content lies that is made of `runs`.
  func extents(of runs: [ClusterRun]) -> [FileExtent] {
    var offset: UInt64 = 0
    return runs.map { run in
      let start = place(of: run.first)
      let byteCount = UInt64(run.count) * clusterByteCount
      defer { offset += byteCount }
      return FileExtent(offset: offset, range: start..<start + byteCount)
    }
  }
}
