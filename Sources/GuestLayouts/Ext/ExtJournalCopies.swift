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

  private let journal: ExtJournal
  /// Sorted by block.
  private var copies: [ExtJournalTag] = []
  /// Blocks of group descriptors of which there are copies, counted from the first one.
  private var descriptors: Set<Int> = []

  /// - Parameters:
  ///   - journal: The journal.
  ///   - volume: The file system once it has been replayed.
  /// - Throws: `GuestDoubt`, `FormatError` when the journal cannot be understood.
  init(in journal: ExtJournal, of volume: ExtVolume) throws {
    self.journal = journal
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

  /// Sets in the bitmap of a group all bits that any other bitmap of it may come to have.
  ///
  /// - Parameters:
  ///   - group: The group once the journal has been replayed.
  ///   - isUninitialized: Whether that says that its bitmap does not count.
  func add(othersOf number: Int, _ group: ExtGroup, isUninitialized: Bool, to bitmap: inout [UInt8])
    throws
  {
    let volume = journal.volume
    if !isUninitialized || descriptors.contains(number / volume.geometry.descriptorsPerBlock) {
      ExtJournalCopies.add(try volume.block(group.blockBitmap), to: &bitmap)
    }
    var index = firstIndex(of: group.blockBitmap)
    while index < copies.count, copies[index].block == group.blockBitmap {
      ExtJournalCopies.add(try journal.block(UInt64(copies[index].place)), to: &bitmap)
      // Four bytes that were the magic are kept as zeros.
      if copies[index].isEscaped { ExtJournalCopies.add(ExtJournalHeader.magicBytes, to: &bitmap) }
      index += 1
    }
  }

  private static func add(_ bytes: [UInt8], to bitmap: inout [UInt8]) {
    for place in 0..<min(bytes.count, bitmap.count) { bitmap[place] |= bytes[place] }
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
