internal import Blocks
internal import GuestLayouts

/// Ranges of a volume that are not read, each with its kind; sorted, without overlaps.
struct TypedExtents: Sendable {
  struct Extent: Equatable, Sendable {
    var range: Range<UInt64>
    var kind: HoleKind
  }

  /// Disks are written in no smaller pieces.
  private static let unit: UInt64 = 512
  private(set) var extents: [Extent] = []

  /// Adds what of `added` is not taken by another kind yet.
  ///
  /// Ranges shrink to whole sectors; only the end of the volume, which has `size` bytes, may lie off
  /// them. What is very small is not taken.
  mutating func add(_ added: ExtentSet, _ kind: HoleKind, size: UInt64) {
    let unit = TypedExtents.unit
    var merged: [Extent] = []
    var next = 0
    for whole in added.ranges {
      let end = whole.upperBound >= size ? size : whole.upperBound / unit * unit
      var start = (whole.lowerBound + unit - 1) / unit * unit
      guard start < end, end - start >= FreeSpace.leastHoleByteCount else { continue }
      while next < extents.count, extents[next].range.lowerBound < end {
        let taken = extents[next]
        if start < taken.range.lowerBound {
          merged.append(Extent(range: start..<taken.range.lowerBound, kind: kind))
        }
        // An extent that goes on behind this range is met again by the next one.
        start = max(start, taken.range.upperBound)
        if taken.range.upperBound > end { break }
        merged.append(taken)
        next += 1
      }
      if start < end { merged.append(Extent(range: start..<end, kind: kind)) }
    }
    merged += extents[next...]
    extents = merged
  }

  /// How many bytes of a range are of a kind.
  func byteCount(_ kind: HoleKind, in range: Range<UInt64>) -> UInt64 {
    var sum: UInt64 = 0
    for extent in extents[index(endingAfter: range.lowerBound)...] {
      guard extent.range.lowerBound < range.upperBound else { break }
      guard extent.kind == kind else { continue }
      let part = extent.range.clamped(to: range)
      sum += part.upperBound - part.lowerBound
    }
    return sum
  }

  /// The index of the first extent that ends behind `offset`.
  func index(endingAfter offset: UInt64) -> Int {
    var low = 0
    var high = extents.count
    while low < high {
      let middle = (low + high) / 2
      if extents[middle].range.upperBound <= offset { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The first extent that ends behind `offset`.
  func first(endingAfter offset: UInt64) -> Extent? {
    let index = index(endingAfter: offset)
    return index < extents.count ? extents[index] : nil
  }
}
