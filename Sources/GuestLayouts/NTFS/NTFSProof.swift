internal import Blocks
internal import Bytes

/// A walk through the master file table, which finds the owners of clusters.
///
/// Nothing guards the bitmap: no checksum, no counter, and a driver that was stopped may have left no
/// mark. Where a part of it has gone bad, it calls clusters of files free. So all records are looked
/// at: what they have must be in use, and nobody else's. What is in use and has no owner is let be:
/// it is read.
struct NTFSProof {
  /// The most clusters of a volume, as Windows has it.
  static let clusterLimit: UInt64 = 1 << 32
  /// How many clusters are looked at in one walk: 32 MiB of bits.
  static let windowLimit: UInt64 = 1 << 28
  /// Bytes of the table that are read at once: some records, and past the cache of small reads.
  private static let pieceByteCount: UInt64 = 1 << 20

  private let volume: NTFSVolume
  private let windowLimit: UInt64
  /// The clusters of this walk.
  private var window: Range<UInt64> = 0..<0
  /// A bit for each of them: in use, and not claimed yet.
  private var bits: [UInt8] = []
  /// Which records are in use; asked only where a record does not tell.
  private let recordsInUse: (any BlockSource)?

  /// - Parameter windowLimit: A multiple of eight.
  init(_ volume: NTFSVolume, windowLimit: UInt64 = NTFSProof.windowLimit) throws {
    self.volume = volume
    self.windowLimit = windowLimit
    recordsInUse = try volume.content(.bitmap, of: try volume.node(.table)).map {
      try NTFSFiles.source(of: $0, in: volume)
    }
  }

  /// - Throws: `GuestDoubt` when what records say and what the bitmap says do not agree.
  mutating func run(_ bitmap: NTFSBitmap) throws {
    let count = volume.boot.clusterCount
    guard count <= NTFSProof.clusterLimit else {
      throw GuestDoubt("it has more than \(NTFSProof.clusterLimit) clusters")
    }
    var start: UInt64 = 0
    while start < count {
      window = start..<min(start + windowLimit, count)
      bits = try bitmap.bits(of: window)
      try walk()
      start = window.upperBound
    }
  }

  private mutating func walk() throws {
    let size = UInt64(volume.boot.recordSize)
    let end = volume.table.initialized / size * size
    var piece = [UInt8](repeating: 0, count: Int(min(NTFSProof.pieceByteCount, end)))
    var position: UInt64 = 0
    while position < end {
      let count = Int(min(UInt64(piece.count), end - position))
      var span = piece.mutableSpan
      var part = span._mutatingExtracting(0..<count)
      try volume.table.readStored(into: &part, at: position, of: volume.source)
      for start in stride(from: 0, to: count, by: Int(size)) {
        let record = piece[start..<start + Int(size)]
        try take(record, number: (position + UInt64(start)) / size)
      }
      position += UInt64(count)
    }
  }

  private mutating func take(_ bytes: ArraySlice<UInt8>, number: UInt64) throws {
    let start = bytes.startIndex
    guard bytes.starts(with: [0x46, 0x49, 0x4C, 0x45]) else {
      guard try !isInUse(number) else { throw GuestDoubt("record \(number) of $MFT is damaged") }
      return
    }
    // No fixup is there; what is not in use owns nothing.
    guard bytes[start + 22] & 1 == 1 else { return }
    let place = volume.table.piece(at: number * UInt64(volume.boot.recordSize)).place ?? 0
    let record = try NTFSRecord(parsing: Array(bytes), number: number, at: place)
    for attribute in record.attributes {
      guard let runs = try volume.runs(of: attribute, in: record) else { continue }
      for run in runs.runs {
        guard let cluster = claim(run.cluster..<run.cluster + run.count) else { continue }
        throw GuestDoubt(
          "record \(number) of $MFT has cluster \(cluster), which is free or another file's")
      }
    }
  }

  private func isInUse(_ number: UInt64) throws -> Bool {
    guard let recordsInUse, number / 8 < recordsInUse.size,
      let byte = try recordsInUse.bytes(1, at: number / 8)?.first
    else { return true }
    return byte >> UInt8(number % 8) & 1 == 1
  }

  /// Takes out clusters for the file that has them.
  ///
  /// - Returns: The first one that is free or another file's; nil when all were right.
  private mutating func claim(_ clusters: Range<UInt64>) -> UInt64? {
    let part = clusters.clamped(to: window)
    var position = Int(part.lowerBound - window.lowerBound)
    let end = Int(part.upperBound - window.lowerBound)
    while position < end {
      let count = min(8 - position % 8, end - position)
      let mask = UInt8(truncatingIfNeeded: (1 << count - 1) << (position % 8))
      let missing = mask & ~bits[position / 8]
      guard missing == 0 else {
        return window.lowerBound + UInt64(position / 8 * 8 + missing.trailingZeroBitCount)
      }
      bits[position / 8] &= ~mask
      position += count
    }
    return nil
  }
}
