/// Writes into a file or device in ascending order, zeros as holes where that is possible.
public final class SparseFile {
  private let target: BulkFile
  private let isZero: Bool
  private static let zeros = [UInt8](repeating: 0, count: 1 << 20)

  /// - Parameter isZero: Whether everything reads as zero before it is written: a new file that
  ///   was extended, or a device of which that is known.
  public init(_ file: FileDescriptor, isZero: Bool) {
    target = BulkFile(file)
    self.isZero = isZero
  }

  /// Writes bytes at `offset`.
  public func write(_ bytes: Span<UInt8>, at offset: UInt64) throws(SystemError) {
    try target.write(bytes, at: offset)
  }

  /// Makes `range` read as zero.
  public func zero(_ range: Range<UInt64>) throws(SystemError) {
    if isZero || range.isEmpty || target.file.zero(range) { return }
    var position = range.lowerBound
    while position < range.upperBound {
      let count = min(range.upperBound - position, UInt64(SparseFile.zeros.count))
      try target.write(SparseFile.zeros.span.extracting(0..<Int(count)), at: position)
      position += count
    }
  }
}
