internal import Bytes

/// Finds where two disks differ; what is behind the end of the shorter one counts as zeros.
///
/// What both say to be a hole is not read, and what one says to be a hole is read of the other alone.
public struct DiskComparison {
  /// Differences are told in whole sectors of this many bytes.
  public static let grain = 512
  private static let pieceByteCount: UInt64 = 1 << 20

  private let first: any BlockSource
  private let second: any BlockSource
  private var firstCursor: DataCursor
  private var secondCursor: DataCursor
  private let firstPiece = Buffer(count: Int(pieceByteCount))
  private let secondPiece = Buffer(count: Int(pieceByteCount))
  /// A difference that may go on.
  private var open: Range<UInt64>?

  public init(_ first: any BlockSource, _ second: any BlockSource) {
    self.first = first
    self.second = second
    firstCursor = DataCursor(first)
    secondCursor = DataCursor(second)
  }

  /// Calls `body` for each range in which the disks differ, in order.
  ///
  /// - Parameter body: Returns whether to go on.
  /// - Throws: `ComparisonError` with what reading one of them throws, and what `body` throws.
  public mutating func forEachDifference(_ body: (Range<UInt64>) throws -> Bool) throws {
    let size = max(first.size, second.size)
    var position: UInt64 = 0
    while position < size {
      let left = try naming(.first) { try firstCursor.extent(at: position) }
      let right = try naming(.second) { try secondCursor.extent(at: position) }
      var end = min(left.end, right.end, size)
      if !left.mayHoldData, !right.mayHoldData {
        guard try close(body) else { return }
      } else {
        end = min(end, (position / Self.pieceByteCount + 1) * Self.pieceByteCount)
        let range = position..<end
        if left.mayHoldData { try naming(.first) { try read(first, into: firstPiece, range) } }
        if right.mayHoldData { try naming(.second) { try read(second, into: secondPiece, range) } }
        if !left.mayHoldData { firstPiece.clear(0..<Int(end - position)) }
        if !right.mayHoldData { secondPiece.clear(0..<Int(end - position)) }
        guard try compare(range, body) else { return }
      }
      position = end
    }
    _ = try close(body)
  }

  private func read(_ disk: any BlockSource, into buffer: Buffer, _ range: Range<UInt64>) throws {
    var target = buffer.mutableSpan(0..<Int(range.upperBound - range.lowerBound))
    try disk.read(into: &target, at: range.lowerBound)
  }

  private mutating func compare(
    _ range: Range<UInt64>, _ body: (Range<UInt64>) throws -> Bool
  ) throws -> Bool {
    let count = Int(range.upperBound - range.lowerBound)
    if areEqual(firstPiece.span(0..<count), secondPiece.span(0..<count)) { return try close(body) }
    var start = 0
    while start < count {
      let end = min(start + DiskComparison.grain, count)
      if areEqual(firstPiece.span(start..<end), secondPiece.span(start..<end)) {
        guard try close(body) else { return false }
      } else {
        let from = open?.lowerBound ?? range.lowerBound + UInt64(start)
        open = from..<range.lowerBound + UInt64(end)
      }
      start = end
    }
    return true
  }

  /// Tells the difference that has come to its end, if there is one.
  private mutating func close(_ body: (Range<UInt64>) throws -> Bool) throws -> Bool {
    guard let range = open else { return true }
    open = nil
    return try body(range)
  }
}

/// Runs `body`; an error leaves with the side that it belongs to.
private func naming<Result>(
  _ side: ComparisonError.Side, _ body: () throws -> Result
) throws(ComparisonError) -> Result {
  do {
    return try body()
  } catch {
    throw ComparisonError(side: side, error: error)
  }
}

/// What went wrong with one of two disks that are compared.
public struct ComparisonError: Error {
  public enum Side: Sendable {
    case first
    case second
  }

  public let side: Side
  public let error: any Error
}
