internal import Blocks
internal import Bytes
internal import Platform

/// Reads a disk through the tables of its image, and from its parent what the image does not hold.
final class MappedDisk: BlockSource {
  private let source: any BlockSource
  private let map: any BlockMap
  private let parent: (any BlockSource)?
  private let owner = PageCache.unpacked.newOwner()
  /// The last answer about where the parent has data, and from where on it holds.
  private let below = Locked<(from: UInt64, data: Range<UInt64>?)?>(nil)
  /// What was found in looking for data.
  private let stored: Locked<StoredBlocks>

  let sectorSize: UInt32
  var size: UInt64 { map.size }

  /// - Parameters:
  ///   - source: The file in which blocks are stored.
  ///   - map: Where they lie in it.
  ///   - sectorSize: Bytes of a logical sector.
  ///   - parent: The disk below; beyond its end there are zeros.
  init(
    _ source: any BlockSource, _ map: any BlockMap, sectorSize: UInt32 = 512,
    parent: (any BlockSource)? = nil
  ) {
    self.source = source
    self.map = map
    self.parent = parent
    self.sectorSize = sectorSize
    stored = Locked(StoredBlocks(of: map, in: source))
  }

  func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    var done = 0
    while done < bytes.count {
      let position = offset + UInt64(done)
      let block = position / map.blockByteCount
      let inner = position % map.blockByteCount
      let place = try map.place(of: block)
      let count = try length(of: place, block, inner, UInt64(bytes.count - done))
      var part = bytes._mutatingExtracting(done..<done + Int(count))
      switch place {
      case .zero: part.update(repeating: 0)
      case .parent: try readParent(into: &part, at: position)
      case .stored(let start): try source.read(into: &part, at: start + inner)
      case .mixed(let start): try readMixed(into: &part, start, block, inner)
      case .packed(let range, let first):
        // Kept by the first block that comes out, not by the place: what proves that the place is
        // this block's is looked at in unpacking.
        let plain = try PageCache.unpacked.page(
          block - UInt64(first) / map.blockByteCount, of: owner
        ) {
          try map.unpack(block, range)
        }
        let start = first + Int(inner)
        part.copy(plain.span.extracting(start..<start + Int(count)), to: 0)
      }
      done += Int(count)
    }
  }

  /// How many bytes from `inner` of a block on can be had at once, as the blocks lie side by side.
  private func length(
    of place: BlockPlace, _ block: UInt64, _ inner: UInt64, _ wanted: UInt64
  ) throws -> UInt64 {
    var count = min(wanted, map.blockByteCount - inner)
    var next = block + 1
    while count < wanted {
      let expected: BlockPlace
      switch place {
      case .zero, .parent: expected = place
      case .stored(let start): expected = .stored(start + (next - block) * map.blockByteCount)
      case .packed, .mixed: return count
      }
      guard try map.place(of: next) == expected else { break }
      count += min(wanted - count, map.blockByteCount)
      next += 1
    }
    return count
  }

  private func readMixed(
    into bytes: inout MutableSpan<UInt8>, _ start: UInt64, _ block: UInt64, _ inner: UInt64
  ) throws {
    var done = 0
    while done < bytes.count {
      let position = inner + UInt64(done)
      let (isHere, end) = try map.run(of: block, from: position)
      let count = Int(min(UInt64(bytes.count - done), end - position))
      var part = bytes._mutatingExtracting(done..<done + count)
      if isHere {
        try source.read(into: &part, at: start + position)
      } else {
        try readParent(into: &part, at: block * map.blockByteCount + position)
      }
      done += count
    }
  }

  private func readParent(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    guard let parent else { return bytes.update(repeating: 0) }
    try parent.readPadded(into: &bytes, at: offset)
  }

  // MARK: Where there is data

  func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    var position = offset
    while position < size {
      let (end, place) = try run(at: position)
      switch place {
      case .zero: break
      case .parent:
        if let data = try parentData(at: position), data.lowerBound < end {
          return data.lowerBound..<min(end, data.upperBound)
        }
      case .stored, .packed, .mixed: return position..<end
      }
      position = end
    }
    return nil
  }

  /// From `position` on: what the blocks are, and where the first of another kind starts.
  private func run(at position: UInt64) throws -> (end: UInt64, place: BlockPlace) {
    let block = position / map.blockByteCount
    func end(_ next: UInt64) -> UInt64 {
      next >= map.blockCount ? size : next * map.blockByteCount
    }
    if let next = try map.endOfMissingTable(at: block) { return (end(next), .parent) }
    // Long enough for large reads, short enough to answer at once.
    let limit = min(map.blockCount, block + max(1, (256 << 20) / map.blockByteCount))
    let reached = stored.with { $0.reached }
    let place = try map.place(of: block)
    var more: UInt64 = 0
    var last = place
    var next = block
    repeat {
      if next >= reached, last.isStored { more += 1 }
      next += 1
      if next < limit { last = try map.place(of: next) }
    } while next < limit && last.isLike(place)
    try stored.with { try $0.note(block..<next, more) }
    return (end(next), place)
  }

  /// The parent's first extent of data at or after `offset`.
  ///
  /// The last answer is kept: else a parent of zeros would be searched to its end for each block of
  /// the child.
  private func parentData(at offset: UInt64) throws -> Range<UInt64>? {
    guard let parent, offset < parent.size else { return nil }
    if let last = below.with({ $0 }), last.from <= offset {
      guard let data = last.data else { return nil }
      if offset < data.upperBound { return max(offset, data.lowerBound)..<data.upperBound }
    }
    let data = try parent.nextData(at: offset)
    below.with { $0 = (offset, data) }
    return data
  }
}

extension BlockPlace {
  /// Whether both are zero, both are the parent's, or both may hold data here.
  fileprivate func isLike(_ other: BlockPlace) -> Bool {
    switch (self, other) {
    case (.zero, .zero), (.parent, .parent): true
    case (.zero, _), (.parent, _), (_, .zero), (_, .parent): false
    default: true
    }
  }
}
