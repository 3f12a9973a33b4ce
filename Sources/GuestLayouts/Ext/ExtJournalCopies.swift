internal import Bytes

/// What a journal that was not replayed holds of the blocks that say what is in use.
///
/// Replaying can only install copies that are in the journal. So whatever comes of it, nothing is
/// in use but what the bitmap says that is in its place, or any copy of it in the journal, of
/// whichever transaction. A group descriptor that is in the journal may in the end say that a
/// bitmap is valid, which the one in its place calls not initialized; then the bitmap in its
/// place counts.
struct ExtJournalCopies {
  /// The most copies of bitmaps that are looked at.
  static let copyLimit = 1 << 20

  private static let magic: [UInt8] = [0xC0, 0x3B, 0x39, 0x98]

  private let journal: ExtJournal
  /// Sorted by block.
  private var copies: [ExtJournalTag] = []
  /// Blocks of group descriptors of which there are copies, counted from the first one.
  private var descriptors: Set<Int> = []

  /// - Throws: `GuestDoubt`, `FormatError` when the journal cannot be understood.
  init(in journal: ExtJournal) throws {
    self.journal = journal
    let volume = journal.volume
    var bitmaps: [UInt64] = []
    bitmaps.reserveCapacity(volume.geometry.groupCount)
    try volume.forEachGroup { bitmaps.append($1.blockBitmap) }
    bitmaps.sort()
    var copies: [ExtJournalTag] = []
    var descriptors: Set<Int> = []
    try journal.forEachTag { tag in
      if let index = volume.geometry.descriptorIndex(of: tag.block) { descriptors.insert(index) }
      guard ExtJournalCopies.contains(bitmaps, tag.block) else { return }
      guard copies.count < ExtJournalCopies.copyLimit else {
        throw GuestDoubt("its journal holds too many copies of bitmaps")
      }
      copies.append(tag)
    }
    copies.sort { ($0.block, $0.place) < ($1.block, $1.place) }
    self.copies = copies
    self.descriptors = descriptors
  }

  private static func contains(_ sorted: [UInt64], _ block: UInt64) -> Bool {
    var low = 0
    var high = sorted.count
    while low < high {
      let middle = (low + high) / 2
      if sorted[middle] < block { low = middle + 1 } else { high = middle }
    }
    return low < sorted.count && sorted[low] == block
  }

  /// Whether there is a copy of the descriptor of the group.
  func hasDescriptor(of group: Int) -> Bool {
    descriptors.contains(group / journal.volume.geometry.descriptorsPerBlock)
  }

  /// Whether there is a copy of the block.
  func hasCopy(of block: UInt64) -> Bool {
    let index = firstIndex(of: block)
    return index < copies.count && copies[index].block == block
  }

  /// Sets in `bitmap` all bits that any copy of `block` has.
  func add(copiesOf block: UInt64, to bitmap: inout [UInt8]) throws {
    var index = firstIndex(of: block)
    while index < copies.count, copies[index].block == block {
      let bytes = try journal.block(UInt64(copies[index].place))
      for place in bitmap.indices { bitmap[place] |= bytes[place] }
      // Four bytes that were the magic are kept as zeros.
      if copies[index].isEscaped {
        for (place, byte) in ExtJournalCopies.magic.enumerated() { bitmap[place] |= byte }
      }
      index += 1
    }
  }

  private func firstIndex(of block: UInt64) -> Int {
    var low = 0
    var high = copies.count
    while low < high {
      let middle = (low + high) / 2
      if copies[middle].block < block { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
