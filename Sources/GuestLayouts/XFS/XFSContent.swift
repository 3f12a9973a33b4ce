internal import Blocks

/// The content of a regular file; what was never written reads as zero.
final class XFSContent: BlockSource {
  let size: UInt64
  let sectorSize: UInt32 = 512
  private let fork: XFSFork
  private let blockByteCount: UInt64

  init(_ inode: XFSInode) {
    fork = inode.data
    size = inode.size
    blockByteCount = fork.volume.superblock.blockByteCount
  }

  func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    bytes.update(repeating: 0)
    let range = offset..<offset + UInt64(bytes.count)
    var pieces: [(into: Int, count: Int, from: UInt64)] = []
    var position = range.lowerBound
    while position < range.upperBound {
      pieces.removeAll(keepingCapacity: true)
      var next = range.upperBound
      try fork.forEachExtent(from: position / blockByteCount) { extent in
        guard let (start, end) = part(extent, position..<range.upperBound) else { return false }
        // A list of bounded length, then the tree is searched again from there.
        guard pieces.count < 1024 else {
          next = start
          return false
        }
        if extent.isWritten {
          let from = extent.range.lowerBound + (start - extent.place * blockByteCount)
          pieces.append((Int(start - offset), Int(end - start), from))
        }
        return true
      }
      for piece in pieces {
        var target = bytes._mutatingExtracting(piece.into..<piece.into + piece.count)
        try fork.volume.source.read(into: &target, at: piece.from)
      }
      position = next
    }
  }

  func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    var found: Range<UInt64>?
    guard offset < size else { return nil }
    try fork.forEachExtent(from: offset / blockByteCount) { extent in
      guard let (start, end) = part(extent, offset..<size) else { return false }
      guard extent.isWritten else { return found == nil }
      guard let last = found else {
        found = start..<end
        return true
      }
      guard last.upperBound == start else { return false }
      found = last.lowerBound..<end
      return true
    }
    return found
  }

  /// The part of an extent in a range of the file, in bytes; nil when it begins behind it.
  private func part(_ extent: XFSExtent, _ range: Range<UInt64>) -> (UInt64, UInt64)? {
    // Places have 54 bits and blocks up to 16: what would overflow is behind every file's end.
    guard extent.place < range.upperBound / blockByteCount + 1 else { return nil }
    let start = max(extent.place * blockByteCount, range.lowerBound)
    guard start < range.upperBound else { return nil }
    return (start, min(extent.end * blockByteCount, range.upperBound))
  }
}
