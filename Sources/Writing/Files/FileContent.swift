internal import Blocks
internal import Bytes

/// A guest's file could not be read: no trouble of where it goes.
struct ReadTrouble: Error {
  let reason: any Error
}

/// The content of one file on its way: its data piece by piece, its holes told beforehand.
final class FileContent {
  struct Problem: Error, CustomStringConvertible {
    let description: String
  }

  /// Bytes that are read at a time.
  static let pieceByteCount = 1 << 20
  /// The most ranges of data that are told apart; holes between them become data.
  private static let rangeLimit = 1 << 16
  /// How often a file is asked for its next data; the rest counts as data.
  private static let questionLimit = 1 << 20

  let size: UInt64
  /// The ranges that may hold data, in order and apart from each other.
  let data: [Range<UInt64>]
  private let source: any BlockSource
  private let buffer: Buffer
  private let advance: (UInt64) -> Void
  /// How many bytes of the first range are in the buffer.
  private var prefetched = 0

  /// Looks for the holes, and reads the first piece.
  ///
  /// - Parameters:
  ///   - source: The content.
  ///   - buffer: Of `pieceByteCount` bytes, used until the content is done with.
  ///   - advance: Hears of bytes that somebody took.
  init(
    _ source: any BlockSource, _ buffer: Buffer, advance: @escaping (UInt64) -> Void = { _ in }
  ) throws {
    self.source = source
    self.buffer = buffer
    self.advance = advance
    size = source.size
    data = try FileContent.ranges(of: source)
    if let first = data.first {
      let count = Int(min(first.upperBound - first.lowerBound, UInt64(buffer.count)))
      var span = buffer.mutableSpan(0..<count)
      try source.read(into: &span, at: first.lowerBound)
      prefetched = count
    }
  }

  private static func ranges(of source: any BlockSource) throws -> [Range<UInt64>] {
    var result: [Range<UInt64>] = []
    var position: UInt64 = 0
    /// Holes of fewer bytes are given up when there are too many.
    var leastHole: UInt64 = 1
    for question in 0... {
      guard position < source.size, var range = try source.nextData(at: position) else { break }
      range = range.clamped(to: position..<source.size)
      guard !range.isEmpty else {
        throw Problem(description: "its holes make no sense")
      }
      if question >= questionLimit { range = range.lowerBound..<source.size }
      position = range.upperBound
      result.append(range)
      join(&result, leastHole)
      while result.count > rangeLimit {
        leastHole *= 2
        let all = result
        result = []
        for range in all {
          result.append(range)
          join(&result, leastHole)
        }
      }
    }
    return result
  }

  /// Joins the last range to the one before where the hole between them is too small.
  private static func join(_ ranges: inout [Range<UInt64>], _ leastHole: UInt64) {
    guard ranges.count > 1, let last = ranges.last else { return }
    let before = ranges[ranges.count - 2]
    guard last.lowerBound - before.upperBound < leastHole else { return }
    ranges.removeLast(2)
    ranges.append(before.lowerBound..<last.upperBound)
  }

  /// Calls `body` with each piece of data and its place, in order; once.
  ///
  /// - Throws: `ReadTrouble`, and what `body` throws.
  func forEachPiece(_ body: (UInt64, Span<UInt8>) throws -> Void) throws {
    let buffer = buffer
    for range in data {
      var position = range.lowerBound
      while position < range.upperBound {
        let count = Int(min(range.upperBound - position, UInt64(buffer.count)))
        if prefetched > 0 {
          prefetched = 0
        } else {
          do {
            var span = buffer.mutableSpan(0..<count)
            try source.read(into: &span, at: position)
          } catch {
            throw ReadTrouble(reason: error)
          }
        }
        try body(position, buffer.span(0..<count))
        position += UInt64(count)
        advance(UInt64(count))
      }
    }
  }
}
