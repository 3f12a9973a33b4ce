public import Blocks
internal import Bytes
internal import Codecs

/// Cuts segments into chunks.
///
/// The cut depends on a segment's content alone: zero grains become holes first, each run of data
/// between holes is cut for itself, so it does not matter how the bytes came in pieces.
public struct Chunker: Sendable {
  public let parameters: ChunkingParameters
  private let gear: [UInt64]
  /// A hash below it is a boundary.
  private let threshold: UInt64

  public init(_ parameters: ChunkingParameters) {
    self.parameters = parameters
    let span = parameters.averageSize - parameters.averageSize / 4
    switch parameters.mode {
    case .aligned: threshold = UInt64.max / UInt64(max(span / Zeros.grain, 1))
    case .rolling: threshold = UInt64.max / UInt64(span)
    case .fixed: threshold = 0
    }
    gear =
      parameters.mode == .rolling
      ? (0..<256).map { Checksum.of([UInt8($0)], seed: parameters.key) } : []
  }

  /// Replaces each run of data by holes and chunks; what was cut upstream stays.
  public func cut(_ segment: Segment) {
    let runs = segment.runs
    segment.runs.removeAll(keepingCapacity: true)
    for run in runs {
      guard case .data = run.content else {
        segment.append(run.range, run.content)
        continue
      }
      let start = run.range.lowerBound
      let buffer = segment.buffer
      // Grains count from the segment's start, wherever the run begins.
      Zeros.forEachRun(buffer.span(run.range), at: start) { part, isZero in
        let range = start + part.lowerBound..<start + part.upperBound
        if isZero {
          segment.append(range, .hole(.zero))
        } else {
          cut(buffer.span(range), at: range.lowerBound) { chunk in
            segment.append(
              chunk, .chunk(id: nil, codec: .plain, storedCount: chunk.count))
          }
        }
      }
      precondition(segment.runs.last.map { $0.range.upperBound } ?? start == run.range.upperBound)
    }
  }

  /// Calls `emit` with the ranges, counted from `start`, that `bytes` is cut into.
  func cut(_ bytes: Span<UInt8>, at start: Int, _ emit: (Range<Int>) -> Void) {
    switch parameters.mode {
    case .aligned: cutAligned(bytes, at: start, emit)
    case .fixed: cutFixed(bytes.count, at: start, emit)
    case .rolling: cutRolling(bytes, at: start, emit)
    }
  }

  private func cutFixed(_ count: Int, at start: Int, _ emit: (Range<Int>) -> Void) {
    let size = parameters.averageSize
    var position = start
    while position < start + count {
      let end = min(position / size * size + size, start + count)
      emit(position..<end)
      position = end
    }
  }

  /// A boundary follows a block whose hash is below the threshold.
  ///
  /// 0.3 s for 5 GB.
  private func cutAligned(_ bytes: Span<UInt8>, at start: Int, _ emit: (Range<Int>) -> Void) {
    let least = parameters.least
    let most = parameters.most
    var first = 0
    var position = 0
    while position < bytes.count {
      // Blocks are those of the segment; the first may be short.
      let end = min(
        (start + position) / Zeros.grain * Zeros.grain + Zeros.grain - start, bytes.count)
      let count = end - first
      let isBoundary =
        count + Zeros.grain > most
        || count >= least
          && Checksum.of(bytes.extracting(position..<end), seed: parameters.key) < threshold
      if isBoundary || end == bytes.count {
        emit(start + first..<start + end)
        first = end
      }
      position = end
    }
  }

  /// FastCDC's gear hash, a window of 64 bytes.
  ///
  /// Chunks below the least size are not hashed at all.
  private func cutRolling(_ bytes: Span<UInt8>, at start: Int, _ emit: (Range<Int>) -> Void) {
    let table = gear.span
    var first = 0
    while first < bytes.count {
      let limit = min(first + parameters.most, bytes.count)
      var end = min(first + parameters.least, bytes.count)
      var hash: UInt64 = 0
      // Warm the window up on the last 64 bytes of the least size.
      var position = max(first, end - 64)
      while position < end {
        hash = (hash << 1) &+ table[Int(bytes[position])]
        position += 1
      }
      while end < limit, hash >= threshold {
        hash = (hash << 1) &+ table[Int(bytes[end])]
        end += 1
      }
      emit(start + first..<start + end)
      first = end
    }
  }
}
