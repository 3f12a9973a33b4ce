internal import Blocks

/// What a file holds, to be read at any place.
final class ClusterContent: BlockSource {
  private let base: any BlockSource
  private let extents: [FileExtent]
  /// Bytes from the file's start that were written; what follows reads as zero.
  private let written: UInt64
  let size: UInt64
  var sectorSize: UInt32 { base.sectorSize }

  /// - Parameters:
  ///   - base: The area.
  ///   - extents: All of the content, from byte 0, without gaps.
  init(_ base: any BlockSource, _ extents: [FileExtent], size: UInt64, written: UInt64) {
    self.base = base
    self.extents = extents
    self.size = size
    self.written = min(size, written)
  }

  func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    guard offset <= size, UInt64(bytes.count) <= size - offset else {
      throw SourceError(offset..<offset &+ UInt64(bytes.count), .ended)
    }
    var done = 0
    var index = extent(at: offset)
    while done < bytes.count {
      let place = offset + UInt64(done)
      guard place < written else { break }
      guard index < extents.count else {
        throw SourceError(place..<place + 1, .ended)
      }
      let extent = extents[index]
      let start = extent.range.lowerBound + (place - extent.offset)
      let count = min(
        UInt64(bytes.count - done), extent.range.upperBound - start, written - place)
      var part = bytes._mutatingExtracting(done..<done + Int(count))
      try base.read(into: &part, at: start)
      done += Int(count)
      index += 1
    }
    var rest = bytes._mutatingExtracting(done..<bytes.count)
    rest.update(repeating: 0)
  }

  func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    offset < written ? offset..<written : nil
  }

  /// The extent that holds the byte at `offset`.
  private func extent(at offset: UInt64) -> Int {
    var low = 0
    var high = extents.count
    while low < high {
      let middle = (low + high) / 2
      let extent = extents[middle]
      let length = extent.range.upperBound - extent.range.lowerBound
      if extent.offset + length <= offset { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
