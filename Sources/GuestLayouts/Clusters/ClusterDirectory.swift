internal import Blocks
internal import Bytes

/// The 32-byte entries of a directory, one after the other.
struct ClusterDirectory {
  static let entryByteCount = 32
  /// Bytes that are read at once.
  private static let pieceByteCount: UInt64 = 16 << 10

  /// Where a directory's entries lie.
  enum Place: Equatable, Sendable {
    /// The root of FAT12 and FAT16 is outside the clusters.
    case region(Range<UInt64>)
    /// Along the table.
    case chain(UInt32)
    /// In clusters that follow each other.
    case run(ClusterRun)
  }

  /// One entry and where it lies, in bytes of the area.
  struct Entry {
    let offset: UInt64
    let bytes: [UInt8]
  }

  private let source: any BlockSource
  private let heap: ClusterHeap
  private var table: ClusterTable.Reader
  private let isChain: Bool
  /// What is left of the cluster or the region.
  private var range: Range<UInt64>
  private var cluster: UInt32?
  /// Clusters of a run behind this one.
  private var clustersLeft: UInt32 = 0
  /// Bytes that may still be read of the directory.
  private var bytesLeft: UInt64
  private let isLimitDamage: Bool
  private var piece: [UInt8] = []
  private var pieceStart: UInt64 = 0

  /// - Parameters:
  ///   - place: Where it lies.
  ///   - byteLimit: The most bytes that are read.
  ///   - isLimitDamage: Whether a directory with more is damaged; else it ends there.
  ///   - start: The byte of the area to begin with, in the first cluster.
  init(
    _ place: Place, of table: ClusterTable, byteLimit: UInt64, isLimitDamage: Bool,
    from start: UInt64? = nil
  ) throws(FormatError) {
    source = table.source
    heap = table.heap
    self.table = table.reader()
    bytesLeft = byteLimit
    self.isLimitDamage = isLimitDamage
    switch place {
    case .region(let region):
      range = region
      isChain = false
    case .chain(let first):
      range = 0..<0
      isChain = true
      try enter(first)
    case .run(let run):
      range = 0..<0
      isChain = false
      clustersLeft = run.count
      if run.count > 0 {
        clustersLeft = run.count - 1
        try enter(run.first)
      }
    }
    if let start { range = max(start, range.lowerBound)..<max(start, range.upperBound) }
  }

  private mutating func enter(_ cluster: UInt32) throws(FormatError) {
    guard heap.contains(cluster) else {
      throw FormatError("directory", at: heap.start, .impossible("it lies in cluster \(cluster)"))
    }
    self.cluster = cluster
    let place = heap.place(of: cluster)
    range = place..<place + heap.clusterByteCount
  }

  /// The next entry, whatever it is; nil behind the last one.
  mutating func next() throws -> Entry? {
    if range.isEmpty, try !goOn() { return nil }
    guard bytesLeft >= UInt64(ClusterDirectory.entryByteCount) else {
      guard isLimitDamage else { return nil }
      throw FormatError("directory", at: range.lowerBound, .impossible("it is too large"))
    }
    let offset = range.lowerBound
    let pieceEnd = pieceStart + UInt64(piece.count)
    if offset < pieceStart || offset >= pieceEnd {
      let count = Int(min(ClusterDirectory.pieceByteCount, range.upperBound - offset))
      guard let bytes = try source.bytes(count, at: offset) else {
        throw FormatError("directory", at: offset, .truncated)
      }
      piece = bytes
      pieceStart = offset
    }
    let index = Int(offset - pieceStart)
    guard index + ClusterDirectory.entryByteCount <= piece.count else {
      throw FormatError("directory", at: offset, .truncated)
    }
    let step = UInt64(ClusterDirectory.entryByteCount)
    range = offset + step..<range.upperBound
    bytesLeft -= step
    return Entry(
      offset: offset, bytes: Array(piece[index..<index + ClusterDirectory.entryByteCount]))
  }

  /// Goes to the next cluster, if there is one.
  private mutating func goOn() throws -> Bool {
    guard let cluster else { return false }
    if isChain {
      guard bytesLeft > 0 || isLimitDamage, let next = try table.next(after: cluster) else {
        return false
      }
      try enter(next)
    } else {
      guard clustersLeft > 0 else { return false }
      clustersLeft -= 1
      try enter(cluster + 1)
    }
    return true
  }
}
