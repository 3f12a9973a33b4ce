/// Writes into a file or device in ascending order, zeros as holes where that is possible.
///
/// Write-out is started along the way, so that the final flush has little left to wait for.
public final class SparseFile {
  private let file: FileDescriptor
  private let isZero: Bool
  private var started: UInt64 = 0
  private static let step: UInt64 = 32 << 20
  private static let zeros = [UInt8](repeating: 0, count: 1 << 20)

  /// - Parameter isZero: Whether everything reads as zero before it is written: a new file that
  ///   was extended, or a device of which that is known.
  public init(_ file: FileDescriptor, isZero: Bool) {
    self.file = file
    self.isZero = isZero
  }

  /// Writes bytes at `offset`.
  public func write(_ bytes: Span<UInt8>, at offset: UInt64) throws(SystemError) {
    try file.write(bytes, at: offset)
    let end = offset + UInt64(bytes.count)
    if end >= started + SparseFile.step {
      file.startWriteback(started..<end)
      started = end
    }
  }

  /// Makes `range` read as zero.
  public func zero(_ range: Range<UInt64>) throws(SystemError) {
    if isZero || range.isEmpty || file.zero(range) { return }
    var position = range.lowerBound
    while position < range.upperBound {
      let count = min(range.upperBound - position, UInt64(SparseFile.zeros.count))
      try file.write(SparseFile.zeros.span.extracting(0..<Int(count)), at: position)
      position += count
    }
  }
}
