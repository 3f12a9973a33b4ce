/// Asks a disk for its extents, one after the other, without asking twice for the same one.
public struct DataCursor {
  private let source: any BlockSource
  /// The extent that was told last, and from where on it is the first one.
  private var known: Range<UInt64> = 0..<0
  private var asked: Range<UInt64> = 0..<0

  public init(_ source: any BlockSource) { self.source = source }

  /// What is at `offset`: whether there may be data, and where that ends; behind the disk's end there
  /// is none for ever.
  public mutating func extent(at offset: UInt64) throws -> (mayHoldData: Bool, end: UInt64) {
    guard offset < source.size else { return (false, .max) }
    if !asked.contains(offset) {
      known = try source.nextData(at: offset) ?? .max..<UInt64.max
      asked = offset..<known.upperBound
    }
    if offset < known.lowerBound { return (false, known.lowerBound) }
    return (true, min(known.upperBound, source.size))
  }
}
