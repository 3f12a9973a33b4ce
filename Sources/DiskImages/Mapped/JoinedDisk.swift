internal import Blocks
internal import Bytes

/// A disk whose parts lie in several files, one after the other.
final class JoinedDisk: BlockSource {
  struct Part: Sendable {
    /// Where the part lies on the disk.
    let range: Range<UInt64>
    /// What holds it, of the part's length at least; nil for zeros.
    let disk: (any BlockSource)?
  }

  private let parts: [Part]
  let size: UInt64
  var sectorSize: UInt32 { 512 }

  /// - Parameter parts: Ascending, without gaps, and to the disk's end.
  init(_ parts: [Part], size: UInt64) {
    self.parts = parts.filter { !$0.range.isEmpty }
    self.size = size
  }

  /// The number of the part that a byte of the disk lies in.
  private func part(at offset: UInt64) -> Int {
    var low = 0
    var high = parts.count
    while low + 1 < high {
      let middle = (low + high) / 2
      if parts[middle].range.lowerBound <= offset { low = middle } else { high = middle }
    }
    return low
  }

  func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    var done = 0
    while done < bytes.count {
      let position = offset + UInt64(done)
      let part = parts[part(at: position)]
      let count = Int(min(UInt64(bytes.count - done), part.range.upperBound - position))
      var target = bytes._mutatingExtracting(done..<done + count)
      if let disk = part.disk {
        try disk.read(into: &target, at: position - part.range.lowerBound)
      } else {
        target.update(repeating: 0)
      }
      done += count
    }
  }

  func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    guard offset < size else { return nil }
    for part in parts[part(at: offset)...] {
      guard let disk = part.disk else { continue }
      let start = part.range.lowerBound
      let inner = max(offset, start) - start
      let length = part.range.upperBound - start
      if let data = try disk.nextData(at: inner), data.lowerBound < length {
        return start + data.lowerBound..<start + min(data.upperBound, length)
      }
    }
    return nil
  }
}
