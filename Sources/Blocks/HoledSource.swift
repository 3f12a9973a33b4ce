internal import Bytes

/// A source with zeros in the place of some ranges: what comes back of a backup that left them out.
public final class HoledSource: BlockSource {
  private let base: any BlockSource
  private let holes: ExtentSet
  public var size: UInt64 { base.size }
  public var sectorSize: UInt32 { base.sectorSize }

  /// - Parameters:
  ///   - base: The source.
  ///   - holes: What reads as zeros.
  public init(_ base: any BlockSource, holes: ExtentSet) {
    self.base = base
    self.holes = holes
  }

  public func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    let window = offset..<offset + UInt64(bytes.count)
    var position = offset
    for hole in holes.intersection(window) + [window.upperBound..<window.upperBound] {
      if position < hole.lowerBound {
        var part = bytes._mutatingExtracting(
          Int(position - offset)..<Int(hole.lowerBound - offset))
        try base.read(into: &part, at: position)
      }
      var zeros = bytes._mutatingExtracting(
        Int(hole.lowerBound - offset)..<Int(hole.upperBound - offset))
      zeros.update(repeating: 0)
      position = hole.upperBound
    }
  }

  public func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    var position = offset
    while let data = try base.nextData(at: position) {
      let start = max(data.lowerBound, position)
      guard let hole = holes.range(containing: start) else {
        let next = holes.intersection(start..<data.upperBound).first
        return start..<(next?.lowerBound ?? data.upperBound)
      }
      position = hole.upperBound
      guard position < size else { return nil }
    }
    return nil
  }
}
