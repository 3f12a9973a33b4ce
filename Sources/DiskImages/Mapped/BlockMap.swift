internal import Blocks
internal import Bytes

/// Where a block of a disk lies in its image.
enum BlockPlace: Equatable, Sendable {
  /// Nowhere: the block reads as zero.
  case zero
  /// As it is, from this byte of the file on.
  case stored(UInt64)
  /// Compressed together with others, in these bytes of the file; from this byte of what comes out.
  case packed(Range<UInt64>, at: Int)
}

/// What an image's tables say of the blocks of its disk.
///
/// Tables are read when they are asked for, as those of a large disk do not fit into memory.
protocol BlockMap: Sendable {
  /// Bytes of a block of the disk.
  var blockByteCount: UInt64 { get }
  /// The disk's size in bytes.
  var size: UInt64 { get }

  /// Where a block lies.
  ///
  /// - Throws: `FormatError` at the table's entry for a place that cannot be.
  func place(of block: UInt64) throws -> BlockPlace

  /// The block after those that a table would tell of which is not there; nil where it is there.
  func endOfMissingTable(at block: UInt64) throws -> UInt64?

  /// Decompresses what place(of:) said of `block`.
  func unpack(_ block: UInt64, _ range: Range<UInt64>) throws -> [UInt8]
}

extension BlockMap {
  var blockCount: UInt64 { size / blockByteCount + (size % blockByteCount == 0 ? 0 : 1) }

  /// How many of a block's bytes belong to the disk: fewer than all in the last one.
  func byteCount(of block: UInt64) -> UInt64 { min(blockByteCount, size - block * blockByteCount) }

  func endOfMissingTable(at block: UInt64) throws -> UInt64? { nil }

  /// The first block at or after `block` that does not read as zero; nil when all the rest does.
  func nextStored(from block: UInt64) throws -> UInt64? {
    var block = block
    while block < blockCount {
      if let end = try endOfMissingTable(at: block) {
        block = end
        continue
      }
      if try place(of: block) != .zero { return block }
      block += 1
    }
    return nil
  }

  /// The first block after `block` that reads as zero, or some block before that.
  func endOfStored(from block: UInt64) throws -> UInt64 {
    var end = block + 1
    // Long enough for large reads, short enough to answer at once.
    let limit = min(blockCount, block + max(1, (256 << 20) / blockByteCount))
    while end < limit, try place(of: end) != .zero { end += 1 }
    return end
  }

  func unpack(_ block: UInt64, _ range: Range<UInt64>) throws -> [UInt8] {
    preconditionFailure("a format without compression")
  }
}

/// Reads a disk through the tables of its image.
final class MappedDisk: Sendable {
  private let source: any BlockSource
  private let map: any BlockMap
  private let unpacked: PageCache

  init(_ source: any BlockSource, _ map: any BlockMap) {
    self.source = source
    self.map = map
    // Whoever reads in smaller pieces than blocks would unpack each block again and again.
    unpacked = PageCache(pageCount: 8)
  }

  func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    var done = 0
    while done < bytes.count {
      let position = offset + UInt64(done)
      let block = position / map.blockByteCount
      let inner = position % map.blockByteCount
      var count = min(UInt64(bytes.count - done), map.blockByteCount - inner)
      let place = try map.place(of: block)
      if case .stored(let start) = place {
        count = try contiguous(start, block, inner, count, UInt64(bytes.count - done))
      }
      var part = bytes._mutatingExtracting(done..<done + Int(count))
      switch place {
      case .zero: part.update(repeating: 0)
      case .stored(let start): try source.read(into: &part, at: start + inner)
      case .packed(let range, let first):
        let plain = try unpacked.page(range.lowerBound) { try map.unpack(block, range) }
        let start = first + Int(inner)
        part.copy(plain.span.extracting(start..<start + Int(count)), to: 0)
      }
      done += Int(count)
    }
  }

  /// How many bytes lie side by side in the file, from `inner` of a block that starts at `start`.
  private func contiguous(
    _ start: UInt64, _ block: UInt64, _ inner: UInt64, _ count: UInt64, _ wanted: UInt64
  ) throws -> UInt64 {
    var count = count
    var next = block + 1
    while count < wanted, inner + count == (next - block) * map.blockByteCount {
      guard try map.place(of: next) == .stored(start + (next - block) * map.blockByteCount) else {
        break
      }
      count += min(wanted - count, map.blockByteCount)
      next += 1
    }
    return count
  }

  func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    let block = map.blockByteCount
    guard offset < map.size, let first = try map.nextStored(from: offset / block) else {
      return nil
    }
    let end = try map.endOfStored(from: first)
    return max(offset, first * block)..<min(map.size, end * block)
  }
}
