internal import Blocks
internal import Bytes

/// A file system with some of its blocks as they will be when its log has been replayed.
final class XFSReplayedSource: BlockSource {
  private let base: any BlockSource
  /// Where the blocks are, in order; they do not overlap.
  private let offsets: [UInt64]
  private let blocks: [[UInt8]]
  var size: UInt64 { base.size }
  var sectorSize: UInt32 { base.sectorSize }

  init(_ base: any BlockSource, _ changed: [UInt64: [UInt8]]) {
    self.base = base
    let sorted = changed.sorted { $0.key < $1.key }
    offsets = sorted.map(\.key)
    blocks = sorted.map(\.value)
  }

  func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    try base.read(into: &bytes, at: offset)
    let end = offset + UInt64(bytes.count)
    // The first block that ends behind the offset.
    var (low, high) = (0, offsets.count)
    while low < high {
      let middle = (low + high) / 2
      if offsets[middle] + UInt64(blocks[middle].count) <= offset {
        low = middle + 1
      } else {
        high = middle
      }
    }
    while low < offsets.count, offsets[low] < end {
      let start = max(offset, offsets[low])
      let stop = min(end, offsets[low] + UInt64(blocks[low].count))
      var target = bytes._mutatingExtracting(Int(start - offset)..<Int(stop - offset))
      let block = blocks[low]
      target.copy(
        block.span.extracting(Int(start - offsets[low])..<Int(stop - offsets[low])), to: 0)
      low += 1
    }
  }

  func nextData(at offset: UInt64) throws -> Range<UInt64>? { try base.nextData(at: offset) }
}
