internal import Bytes

/// The places of a file system's own structures, in blocks, sorted, none of them twice.
struct ExtMetadata: Sendable {
  private(set) var ranges: [Range<UInt64>] = []

  /// Copies of the superblock and the descriptors, bitmaps, inode tables, and the block of the
  /// multi-mount protection; `more` is the journal.
  ///
  /// - Throws: `FormatError` when two structures lie in the same place.
  init(of volume: ExtVolume, and more: [Range<UInt64>] = []) throws {
    let geometry = volume.geometry
    for range in more { add(range) }
    if volume.superblock.features.incompatible.contains(.multiMountProtection) {
      let block = volume.superblock.protectionBlock
      guard volume.isUsable(block, count: 1) else {
        throw FormatError(
          "ext superblock", at: ExtSuperblock.offset,
          .impossible("multi-mount protection in block \(block)"))
      }
      add(block..<block + 1)
    }
    if geometry.firstDataBlock > 0 { add(0..<geometry.firstDataBlock) }
    try volume.forEachGroup { number, group in
      add(geometry.superblockAndDescriptors(of: number))
      add(group.blockBitmap..<group.blockBitmap + 1)
      add(group.inodeBitmap..<group.inodeBitmap + 1)
      add(group.inodeTable..<group.inodeTable + geometry.inodeTableBlockCount)
    }
    try finish(geometry.blockSize)
  }

  /// Adds a range, to one of the last few where it goes on there: in file systems with flex groups
  /// bitmaps and inode tables form one run each for many groups.
  private mutating func add(_ range: Range<UInt64>) {
    guard !range.isEmpty else { return }
    for index in ranges.indices.suffix(4).reversed()
    where ranges[index].upperBound == range.lowerBound {
      ranges[index] = ranges[index].lowerBound..<range.upperBound
      return
    }
    ranges.append(range)
  }

  private mutating func finish(_ blockSize: UInt64) throws(FormatError) {
    ranges.sort { $0.lowerBound < $1.lowerBound }
    var kept = 0
    for index in ranges.indices.dropFirst() {
      let range = ranges[index]
      let last = ranges[kept]
      if range.lowerBound > last.upperBound {
        kept += 1
        ranges[kept] = range
      } else if range.lowerBound == last.upperBound {
        ranges[kept] = last.lowerBound..<range.upperBound
      } else {
        throw FormatError(
          "ext file system", at: range.lowerBound * blockSize,
          .impossible("two structures in the same place"))
      }
    }
    ranges.removeLast(ranges.isEmpty ? 0 : ranges.count - kept - 1)
  }

  /// Whether any structure lies in these blocks.
  func overlaps(_ blocks: Range<UInt64>) -> Bool {
    let index = firstIndex(after: blocks.lowerBound)
    return index < ranges.count && ranges[index].lowerBound < blocks.upperBound
  }

  /// Calls `body` with what of each structure lies in these blocks, in order.
  func forEach(in blocks: Range<UInt64>, _ body: (Range<UInt64>) -> Void) {
    var index = firstIndex(after: blocks.lowerBound)
    while index < ranges.count, ranges[index].lowerBound < blocks.upperBound {
      body(ranges[index].clamped(to: blocks))
      index += 1
    }
  }

  /// The first range that ends behind `block`.
  private func firstIndex(after block: UInt64) -> Int {
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound <= block { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
