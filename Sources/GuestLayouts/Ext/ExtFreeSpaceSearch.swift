internal import Bytes

/// A search for the blocks that belong to nothing.
///
/// Each bitmap has to have the checksum that its group's descriptor says, and as many free clusters;
/// and in a file system that was unmounted cleanly, all of them together as many as the superblock
/// says. A journal that was not replayed is replayed in memory first, and then what is free is
/// only what no other copy of a bitmap calls used. No structure of the file system may lie in what
/// is free.
struct ExtFreeSpaceSearch {
  private let volume: ExtVolume
  private let metadata: ExtMetadata
  /// Where the journal was not replayed: what it holds.
  private let copies: ExtJournalCopies?
  private var bitmaps: BitmapReader
  private var freeClusterCount: UInt64 = 0
  private var free = FreeSpace()

  /// - Throws: `GuestDoubt` when nothing may be left out, `FormatError` for damage.
  init(in volume: ExtVolume) throws {
    let superblock = volume.superblock
    guard !superblock.hasErrors else { throw GuestDoubt("errors were found in it") }
    guard superblock.isClean else { throw GuestDoubt("it was not unmounted cleanly") }
    try ExtFreeSpaceSearch.checkProtection(of: volume)
    guard superblock.features.compatible.contains(.hasJournal), superblock.journalInode != 0 else {
      guard !superblock.needsRecovery else {
        throw GuestDoubt("its journal, on another disk, has not been replayed")
      }
      self.init(volume, try ExtMetadata(of: volume), nil)
      return
    }
    let journal = try ExtJournal(of: volume)
    if try ExtFreeSpaceSearch.isDirty(journal) {
      let replayed = try volume.replayed(journal)
      self.init(
        replayed, try ExtMetadata(of: replayed, and: journal.places),
        try ExtJournalCopies(in: journal, of: replayed))
    } else {
      self.init(volume, try ExtMetadata(of: volume, and: journal.places), nil)
    }
  }

  private init(_ volume: ExtVolume, _ metadata: ExtMetadata, _ copies: ExtJournalCopies?) {
    self.volume = volume
    self.metadata = metadata
    self.copies = copies
    bitmaps = BitmapReader(volume: volume)
  }

  /// A file system that is being checked has this in place of the count of the protection's block.
  private static func checkProtection(of volume: ExtVolume) throws {
    guard volume.superblock.features.incompatible.contains(.multiMountProtection) else { return }
    let bytes = try volume.block(volume.superblock.protectionBlock)
    let place = volume.superblock.protectionBlock * volume.geometry.blockSize
    var cursor = ByteCursor(bytes.span, of: "ext multi-mount protection", at: place, .little)
    guard try cursor.u32() == 0x004D_4D50 else { throw cursor.refusal(.badMagic) }
    guard try cursor.u32() != 0xE24D_4D50 else { throw GuestDoubt("it is being checked") }
  }

  /// Whether a journal has to be replayed.
  private static func isDirty(_ journal: ExtJournal) throws(GuestDoubt) -> Bool {
    guard journal.header.error == 0 else { throw GuestDoubt("its journal stopped with an error") }
    guard !journal.volume.superblock.needsRecovery else { return true }
    guard journal.header.start == 0 else {
      throw GuestDoubt("its journal is not empty, though it was unmounted cleanly")
    }
    return false
  }

  /// The free space, in ascending order.
  mutating func run() throws -> FreeSpace {
    var batch: [ExtGroup] = []
    var first = 0
    try volume.forEachGroup { number, group in
      batch.append(group)
      guard batch.count == BitmapReader.batchCount || number == volume.geometry.groupCount - 1
      else { return }
      for index in batch.indices { try add(first + index, index, of: batch) }
      first += batch.count
      batch.removeAll(keepingCapacity: true)
    }
    let expected = volume.superblock.freeBlockCount >> volume.geometry.clusterShift
    guard copies != nil || freeClusterCount == expected else {
      throw GuestDoubt(
        "its bitmaps have \(freeClusterCount) free clusters, its superblock says \(expected)")
    }
    return free
  }

  private mutating func add(_ number: Int, _ index: Int, of batch: [ExtGroup]) throws {
    let group = batch[index]
    let clusterCount = volume.geometry.clusterCount(of: number)
    let isUninitialized = volume.isUninitialized(group)
    var bitmap: [UInt8]
    if isUninitialized {
      bitmap = [UInt8](repeating: 0, count: (clusterCount + 7) / 8)
      mark(structuresIn: number, in: &bitmap)
    } else {
      bitmap = try bitmaps.bitmap(of: index, in: batch) { volume.isUninitialized($0) }
      try check(bitmap, of: number, group)
    }
    let count = BitRuns.clearCount(in: bitmap.span, count: clusterCount)
    guard count == Int(group.freeClusterCount) else {
      throw GuestDoubt(
        "group \(number) has \(count) free clusters, its descriptor says \(group.freeClusterCount)")
    }
    freeClusterCount += UInt64(count)
    if let copies {
      try copies.add(othersOf: number, group, isUninitialized: isUninitialized, to: &bitmap)
    }
    try add(bitmap, of: number, clusterCount)
  }

  /// Compares a bitmap with the checksum in the descriptor, of which small ones have half.
  private func check(
    _ bitmap: [UInt8], of number: Int, _ group: ExtGroup
  ) throws(FormatError) {
    guard volume.hasChecksums else { return }
    let count = Int(volume.geometry.clustersPerGroup / 8)
    let sum = ExtChecksum.crc32c(volume.seed, bitmap.span.extracting(0..<count))
    let computed = volume.geometry.descriptorSize >= 64 ? sum : sum & 0xFFFF
    guard computed == group.bitmapChecksum else {
      throw FormatError(
        "block bitmap of group \(number)", at: group.blockBitmap * volume.geometry.blockSize,
        .badChecksum(stored: UInt64(group.bitmapChecksum), computed: UInt64(computed)))
    }
  }

  /// Sets the bits of the clusters that structures lie in.
  private func mark(structuresIn number: Int, in bitmap: inout [UInt8]) {
    let geometry = volume.geometry
    let start = geometry.firstBlock(of: number)
    metadata.forEach(in: geometry.blocks(of: number)) { blocks in
      let first = (blocks.lowerBound - start) >> geometry.clusterShift
      let last = (blocks.upperBound - 1 - start) >> geometry.clusterShift
      for bit in first...last { bitmap[Int(bit / 8)] |= 1 << UInt8(bit % 8) }
    }
  }

  /// Adds what is clear in a bitmap to the free space.
  private mutating func add(_ bitmap: [UInt8], of number: Int, _ clusterCount: Int) throws {
    let geometry = volume.geometry
    let blocks = geometry.blocks(of: number)
    try BitRuns.forEachClear(in: bitmap.span, count: clusterCount) { run in
      let start = blocks.lowerBound + UInt64(run.lowerBound) << geometry.clusterShift
      let end = blocks.lowerBound + UInt64(run.upperBound) << geometry.clusterShift
      let range = start..<min(end, blocks.upperBound)
      guard !metadata.overlaps(range) else {
        throw GuestDoubt("the bitmap of group \(number) calls structures of its own free")
      }
      free.add(range.lowerBound * geometry.blockSize..<range.upperBound * geometry.blockSize)
    }
  }
}

/// Reads bitmaps, several at once where they follow each other.
private struct BitmapReader {
  /// How many groups are looked at together.
  static let batchCount = 4096

  let volume: ExtVolume
  private var first: UInt64 = 0
  private var bytes: [UInt8] = []

  init(volume: ExtVolume) { self.volume = volume }

  /// The bitmap of one group.
  ///
  /// - Parameter isUnwanted: For groups whose bitmaps are not worth reading ahead.
  mutating func bitmap(
    of index: Int, in groups: [ExtGroup], unless isUnwanted: (ExtGroup) -> Bool
  ) throws -> [UInt8] {
    let blockSize = volume.geometry.blockSize
    let block = groups[index].blockBitmap
    if block < first || block - first >= UInt64(bytes.count) / blockSize {
      let limit = min(Int(ExtVolume.pieceByteCount / blockSize), groups.count - index)
      var count = 1
      while count < limit, groups[index + count].blockBitmap == block + UInt64(count),
        !isUnwanted(groups[index + count])
      {
        count += 1
      }
      bytes = try volume.bytes(count * Int(blockSize), at: block * blockSize)
      first = block
    }
    let start = Int(block - first) * Int(blockSize)
    return Array(bytes[start..<start + Int(blockSize)])
  }
}
