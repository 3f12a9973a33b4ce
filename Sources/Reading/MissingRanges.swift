internal import Blocks
internal import Bytes
internal import Platform

/// What could not be read of one volume; gathered by all workers.
final class MissingRanges: Sendable {
  /// The most separate ranges that are told one by one.
  static let rangeLimit = 256

  private struct State {
    var ranges = ExtentSet()
    /// Bytes of ranges that came when the list was full.
    var furtherByteCount: UInt64 = 0
    /// From where on nothing is there any more.
    var end: UInt64?
  }

  private let state = Locked(State())

  func insert(_ range: Range<UInt64>) {
    state.with { state in
      if state.ranges.ranges.count < MissingRanges.rangeLimit {
        state.ranges.insert(range)
      } else {
        state.furtherByteCount += range.upperBound - range.lowerBound
      }
    }
  }

  /// Notes that the source ends at `offset`.
  func end(at offset: UInt64) { state.with { $0.end = min($0.end ?? offset, offset) } }

  /// From where on nothing is there any more.
  var end: UInt64? { state.with { $0.end } }

  /// One sentence for each range, with the volume's name in front.
  func texts(_ name: String) -> [String] {
    state.with { state in
      var texts = state.ranges.ranges.map {
        "\(name): bytes \($0.lowerBound) to \($0.upperBound) could not be read"
      }
      if state.furtherByteCount > 0 {
        texts.append("\(name): \(state.furtherByteCount) more bytes could not be read")
      }
      return texts
    }
  }
}
