/// A set of byte ranges, half-open, sorted and without overlaps.
public struct ExtentSet: Equatable, Sendable {
  public private(set) var ranges: [Range<UInt64>] = []

  public init() {}

  /// The set of all `ranges`, which may come in any order and overlap.
  public init(_ ranges: [Range<UInt64>]) {
    var sorted = ranges
    sorted.sort { $0.lowerBound < $1.lowerBound }
    for range in sorted where !range.isEmpty {
      if let last = self.ranges.last, last.upperBound >= range.lowerBound {
        let end = max(last.upperBound, range.upperBound)
        self.ranges[self.ranges.count - 1] = last.lowerBound..<end
      } else {
        self.ranges.append(range)
      }
    }
  }

  /// Adds `range`, joining what it touches.
  public mutating func insert(_ range: Range<UInt64>) {
    guard !range.isEmpty else { return }
    // The first range that ends at or after the new one's start.
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound < range.lowerBound { low = middle + 1 } else { high = middle }
    }
    var joined = range
    var end = low
    while end < ranges.count, ranges[end].lowerBound <= joined.upperBound {
      joined =
        min(
          joined.lowerBound, ranges[end].lowerBound)..<max(
          joined.upperBound, ranges[end].upperBound)
      end += 1
    }
    ranges.replaceSubrange(low..<end, with: [joined])
  }

  /// The parts of the set inside `window`, in order.
  public func intersection(_ window: Range<UInt64>) -> [Range<UInt64>] {
    guard !window.isEmpty else { return [] }
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound <= window.lowerBound { low = middle + 1 } else { high = middle }
    }
    var result: [Range<UInt64>] = []
    while low < ranges.count, ranges[low].lowerBound < window.upperBound {
      result.append(ranges[low].clamped(to: window))
      low += 1
    }
    return result
  }

  /// The parts of `window` that are not in the set, in order.
  public func gaps(in window: Range<UInt64>) -> [Range<UInt64>] {
    var result: [Range<UInt64>] = []
    var position = window.lowerBound
    for range in intersection(window) {
      if position < range.lowerBound { result.append(position..<range.lowerBound) }
      position = range.upperBound
    }
    if position < window.upperBound { result.append(position..<window.upperBound) }
    return result
  }

  /// The range that `offset` lies in; nil when it lies in none.
  public func range(containing offset: UInt64) -> Range<UInt64>? {
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound <= offset { low = middle + 1 } else { high = middle }
    }
    return low < ranges.count && ranges[low].contains(offset) ? ranges[low] : nil
  }

  /// The ranges for which `isKept` is true.
  public func filter(_ isKept: (Range<UInt64>) -> Bool) -> ExtentSet {
    var result = ExtentSet()
    result.ranges = ranges.filter(isKept)
    return result
  }

  /// The sum of the ranges, in bytes.
  public var byteCount: UInt64 { ranges.reduce(0) { $0 + ($1.upperBound - $1.lowerBound) } }
}
