internal import Bytes

/// Finds the pages of a disk that hold anything but zeros.
public struct PageRanges {
  private static let bufferByteCount = 4 << 20

  private let source: any BlockSource
  private let pageByteCount: UInt64
  private let buffer = Buffer(count: bufferByteCount)
  /// Pages that hold data and may go on.
  private var open: Range<UInt64>?

  /// - Parameters:
  ///   - source: The disk.
  ///   - pageByteCount: Bytes of a page, a power of two up to 4 MiB.
  public init(_ source: any BlockSource, pageByteCount: UInt64) {
    precondition(
      pageByteCount > 0 && UInt64(PageRanges.bufferByteCount) % pageByteCount == 0)
    self.source = source
    self.pageByteCount = pageByteCount
  }

  /// Calls `body` for each range of pages, in order; the last page may be short.
  public mutating func forEachRange(_ body: (Range<UInt64>) throws -> Void) throws {
    let step = UInt64(PageRanges.bufferByteCount)
    var cursor = DataCursor(source)
    var position: UInt64 = 0
    while position < source.size {
      let extent = try cursor.extent(at: position)
      guard extent.mayHoldData else {
        // From the start of the page in which data comes next.
        let next = min(extent.end, source.size)
        let page = next < source.size ? next / pageByteCount * pageByteCount : next
        if page > position {
          position = page
          continue
        }
        try read(position..<min(position + pageByteCount, source.size), body)
        position = min(position + pageByteCount, source.size)
        continue
      }
      let pages = (extent.end + pageByteCount - 1) / pageByteCount * pageByteCount
      let end = min(pages, position / step * step + step, source.size)
      try read(position..<end, body)
      position = end
    }
    if let open { try body(open) }
    open = nil
  }

  private mutating func read(
    _ range: Range<UInt64>, _ body: (Range<UInt64>) throws -> Void
  ) throws {
    let count = Int(range.upperBound - range.lowerBound)
    let buffer = buffer
    var target = buffer.mutableSpan(0..<count)
    try source.read(into: &target, at: range.lowerBound)
    for start in stride(from: 0, to: count, by: Int(pageByteCount)) {
      let end = min(start + Int(pageByteCount), count)
      if Zeros.isZero(buffer.span(start..<end)) { continue }
      let page = range.lowerBound + UInt64(start)..<range.lowerBound + UInt64(end)
      if let last = open, last.upperBound == page.lowerBound {
        open = last.lowerBound..<page.upperBound
      } else {
        if let open { try body(open) }
        open = page
      }
    }
  }
}
