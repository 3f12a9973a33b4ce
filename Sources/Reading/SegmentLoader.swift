internal import Blocks
internal import Bytes
internal import Platform

/// Fills a segment from a volume: what a worker does.
struct SegmentLoader: Sendable {
  /// Bytes that are read and then looked through, so few that they are still in the cache.
  static let pieceByteCount = 256 << 10

  /// Bytes that are asked for at once; what comes from a server is worth waiting for as a whole.
  private var pieceByteCount: Int {
    volume.isServed && volume.isRaw ? Segment.byteCount : SegmentLoader.pieceByteCount
  }

  let volume: SourceVolume
  /// An extent of data that is known to the one who planned; spares asking again.
  let known: Range<UInt64>

  func load(_ segment: Segment) throws {
    try naming(source: volume.path) {
      let window = segment.offset..<segment.offset + UInt64(segment.count)
      if known.clamped(to: window) == window, !volume.skipped.touches(window) {
        try read(0..<segment.count, of: segment)
      } else {
        try volume.forEachExtent(in: window) { range, kind in
          let start = Int(range.lowerBound - segment.offset)
          let end = Int(range.upperBound - segment.offset)
          if let kind {
            segment.append(start..<end, .hole(kind))
          } else {
            try read(start..<end, of: segment)
          }
        }
      }
      if volume.header.base != nil, let baseline = volume.options.baseline,
        baseline.isUnchanged(segment, ofVolume: volume.name), !segment.holds(.bad)
      {
        segment.runs = [Segment.Run(0..<segment.count, .hole(.unchanged))]
      }
    }
  }

  /// Reads a range piece by piece and looks through each for zeros.
  private func read(_ range: Range<Int>, of segment: Segment) throws {
    var start = range.lowerBound
    while start < range.upperBound {
      let end = min(SegmentLoader.next(pieceByteCount, after: start), range.upperBound)
      do {
        try fill(start..<end, of: segment)
        findZeros(in: start..<end, of: segment)
      } catch let error as SourceError where volume.options.salvage {
        try salvage(start..<end, of: segment, error)
      }
      start = end
    }
  }

  /// The next multiple: wherever a range begins, its pieces end on grains.
  private static func next(_ step: Int, after position: Int) -> Int {
    (position / step + 1) * step
  }

  private func fill(_ range: Range<Int>, of segment: Segment) throws {
    let buffer = segment.buffer
    var target = buffer.mutableSpan(range)
    try volume.disk.read(into: &target, at: segment.offset + UInt64(range.lowerBound))
  }

  private func findZeros(in range: Range<Int>, of segment: Segment) {
    let buffer = segment.buffer
    // Grains count from the segment's start, as they do when it is cut.
    Zeros.forEachRun(buffer.span(range), at: range.lowerBound) { run, isZero in
      segment.append(
        range.lowerBound + run.lowerBound..<range.lowerBound + run.upperBound,
        isZero ? .hole(.zero) : .data)
    }
  }

  // MARK: Unreadable places

  /// Reads what can be read of a piece: in smaller ones, then grain by grain, and sector by sector
  /// where that fails.
  private func salvage(_ range: Range<Int>, of segment: Segment, _ error: SourceError) throws {
    if let end = end(error, segment.offset + UInt64(range.lowerBound)) {
      let first = Int(clamping: Int64(end) - Int64(segment.offset))
      let kept = max(range.lowerBound, min(first, range.upperBound))
      // The bytes before the end arrived, or may be read again as they are fewer now.
      try readKept(range.lowerBound..<kept, of: segment)
      mark(kept..<range.upperBound, of: segment)
      return
    }
    if range.count > SegmentLoader.pieceByteCount {
      return try retry(range, by: SegmentLoader.pieceByteCount, of: segment) {
        try salvageGrains($0, of: segment)
      }
    }
    try salvageGrains(range, of: segment)
  }

  private func salvageGrains(_ range: Range<Int>, of segment: Segment) throws {
    let sector = Int(max(512, min(volume.disk.sectorSize, UInt32(Zeros.grain))))
    try retry(range, by: Zeros.grain, of: segment) { grain in
      try retry(grain, by: sector, of: segment) { mark($0, of: segment) }
    }
  }

  private func readKept(_ range: Range<Int>, of segment: Segment) throws {
    try retry(range, by: Zeros.grain, of: segment) { mark($0, of: segment) }
  }

  /// Reads in steps; `failed` gets the steps that cannot be read.
  private func retry(
    _ range: Range<Int>, by step: Int, of segment: Segment, _ failed: (Range<Int>) throws -> Void
  ) throws {
    var start = range.lowerBound
    while start < range.upperBound {
      let piece = start..<min(SegmentLoader.next(step, after: start), range.upperBound)
      do {
        try fill(piece, of: segment)
        findZeros(in: piece, of: segment)
      } catch is SourceError {
        try failed(piece)
      }
      start = piece.upperBound
    }
  }

  /// Where the source has come to end, if that is the trouble; nothing that was read from `start`
  /// on is kept when the server is lost.
  private func end(_ error: SourceError, _ start: UInt64) -> UInt64? {
    let end: UInt64
    switch error.reason {
    case .ended where volume.isRaw: end = error.range.lowerBound
    case .lost: end = start
    case .ended, .unreadable, .damaged: return nil
    }
    volume.missing.end(at: end)
    return end
  }

  private func mark(_ range: Range<Int>, of segment: Segment) {
    guard !range.isEmpty else { return }
    segment.append(range, .hole(.bad))
    volume.missing.insert(
      segment.offset + UInt64(range.lowerBound)..<segment.offset + UInt64(range.upperBound))
  }
}

extension Segment {
  /// Whether a part of it is that kind of hole.
  fileprivate func holds(_ kind: HoleKind) -> Bool {
    runs.contains { $0.content == .hole(kind) }
  }
}

extension TypedExtents {
  /// Whether one of the extents lies in `range` at least in part.
  fileprivate func touches(_ range: Range<UInt64>) -> Bool {
    first(endingAfter: range.lowerBound).map { $0.range.lowerBound < range.upperBound } ?? false
  }
}
