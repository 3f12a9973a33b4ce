internal import Bytes

/// Where the clusters of an attribute lie: runs of clusters in the order of its content, and holes
/// between them.
///
/// On the disk, each run is a byte whose low half says how many bytes of length follow, and whose
/// high half how many bytes of the distance to the run before; without those it is a hole. Both
/// are signed. A zero ends the list. Linux-NTFS documentation, "Data Runs".
struct NTFSRuns: Sendable {
  /// Clusters that follow each other on the disk, too.
  struct Run: Equatable, Sendable {
    /// The first one's number in the attribute.
    var virtual: UInt64
    /// The first one's number on the volume.
    var cluster: UInt64
    var count: UInt64

    /// The number in the attribute behind the last one's.
    var end: UInt64 { virtual + count }
  }

  /// The most runs of one attribute: NTFS itself allows about 1.5 million.
  static let limit = 2 << 20

  private(set) var runs: [Run] = []
  /// How many clusters of the attribute are known: runs and holes.
  private(set) var end: UInt64 = 0
  private let clusterCount: UInt64
  private let endLimit: UInt64

  /// - Parameters:
  ///   - clusterCount: Of the volume.
  ///   - clusterSize: In bytes; no attribute has more than 2^63 bytes.
  ///   - start: The first cluster of the attribute that is wanted.
  init(clusterCount: UInt64, clusterSize: UInt64, from start: UInt64 = 0) {
    self.clusterCount = clusterCount
    end = start
    endLimit = UInt64(Int64.max) / clusterSize
  }

  /// Adds the next piece of the list.
  ///
  /// - Parameters:
  ///   - pairs: Its bytes.
  ///   - virtual: The numbers of the first and of the last cluster, as the attribute has them.
  ///   - place: For errors.
  mutating func append(
    _ pairs: Span<UInt8>, first: UInt64, last: UInt64, at place: UInt64
  ) throws(FormatError) {
    guard first == end else {
      throw Self.error(place, "cluster \(first) of an attribute follows \(end)")
    }
    var position = 0
    var cluster: Int64 = 0
    while position < pairs.count, pairs[position] != 0 {
      let lengthBytes = Int(pairs[position] & 15)
      let distanceBytes = Int(pairs[position] >> 4)
      position += 1
      guard lengthBytes >= 1, lengthBytes <= 8, distanceBytes <= 8,
        lengthBytes + distanceBytes <= pairs.count - position
      else { throw Self.error(place, "a run of \(lengthBytes) and \(distanceBytes) bytes") }
      let length = Self.signed(pairs, position, lengthBytes)
      position += lengthBytes
      guard length > 0, end <= endLimit, UInt64(length) <= endLimit - end else {
        throw Self.error(place, "a run of \(length) clusters")
      }
      defer { end += UInt64(length) }
      guard distanceBytes > 0 else { continue }
      let (sum, overflow) = cluster.addingReportingOverflow(
        Self.signed(pairs, position, distanceBytes))
      position += distanceBytes
      guard !overflow, sum >= 0, UInt64(sum) < clusterCount,
        UInt64(length) <= clusterCount - UInt64(sum)
      else { throw Self.error(place, "a run outside the volume") }
      cluster = sum
      try add(Run(virtual: end, cluster: UInt64(sum), count: UInt64(length)), at: place)
    }
    // An attribute without clusters ends at -1.
    guard last &+ 1 == end else {
      throw Self.error(place, "runs up to cluster \(end), not \(last)")
    }
  }

  private mutating func add(_ run: Run, at place: UInt64) throws(FormatError) {
    if let before = runs.last, before.end == run.virtual,
      before.cluster + before.count == run.cluster
    {
      runs[runs.count - 1].count += run.count
      return
    }
    guard runs.count < NTFSRuns.limit else {
      throw FormatError("NTFS runs", at: place, .unsupported("more than \(NTFSRuns.limit) runs"))
    }
    runs.append(run)
  }

  /// The index of the run that a cluster of the attribute is in, or of the next one behind it.
  func index(of virtual: UInt64) -> Int {
    var low = 0
    var high = runs.count
    while low < high {
      let middle = (low + high) / 2
      if runs[middle].end <= virtual { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// How many clusters of the attribute, from `start` on and `limit` at most, have places on the
  /// volume without a hole before them.
  func unbrokenCount(from start: UInt64, upTo limit: UInt64) -> UInt64 {
    var next = start
    var index = index(of: start)
    while index < runs.count, runs[index].virtual <= next, next - start < limit {
      next = runs[index].end
      index += 1
    }
    return min(next - start, limit)
  }

  private static func signed(_ bytes: Span<UInt8>, _ start: Int, _ count: Int) -> Int64 {
    var value: Int64 = bytes[start + count - 1] & 0x80 == 0 ? 0 : -1
    for index in (0..<count).reversed() { value = value << 8 | Int64(bytes[start + index]) }
    return value
  }

  private static func error(_ place: UInt64, _ problem: String) -> FormatError {
    FormatError("NTFS runs", at: place, .impossible(problem))
  }
}
