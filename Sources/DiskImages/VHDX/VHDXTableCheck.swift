internal import Blocks
internal import Bytes

/// Judges a VHDX's block allocation table, entry by entry.
///
/// The table of a disk of 64 TiB may have 512 MiB: it is read piece by piece, and what of the file is
/// taken is kept as a bit for each MiB, 16 MiB of them at most.
struct VHDXTableCheck {
  private static let name = "VHDX block table"
  private static let pieceByteCount: UInt64 = 1 << 20

  private let file: any BlockSource
  private let metadata: VHDXMetadata
  private let region: Range<UInt64>
  private var taken: TakenUnits
  private var list = FindingList(VHDXTableCheck.name, at: 0)
  private var troubles = 0
  /// Whether there is more of something than is kept.
  private var isCut = false
  /// Whether the rest of the table is not looked at.
  private var isEnough: Bool { isCut || troubles >= VHDXCheck.findingLimit }
  /// Blocks of the disk, and entries that the table has for them and their bitmaps.
  private let blockCount: UInt64
  private let entryCount: UInt64
  /// Blocks that have a place in the file.
  private(set) var presentCount: UInt64 = 0
  private var draftCount: UInt64 = 0
  /// Blocks whose bytes the guest has given up, wherever they were.
  private var trimmedCount: UInt64 = 0
  /// What of the file such blocks keep, which others may have taken meanwhile.
  private var kept: TakenUnits?
  /// The end of the block that lies last in the file.
  private var reached: UInt64 = 0
  /// Whether the present chunk has a block that is partly in the parent.
  private var needsBitmap = false

  /// Entries of which the specification says what they are, with their places.
  private(set) var mendable: [(place: UInt64, entry: UInt64)] = []

  /// Entries that are used although no block is theirs, with their places.
  private var beyond: [(place: UInt64, entry: UInt64)] = []
  private static let beyondLimit = 1 << 20

  var findings: [Finding] { list.findings }

  /// - Parameters:
  ///   - file: The file, with its log replayed.
  ///   - metadata: Can be gone by.
  ///   - region: Where the table lies.
  ///   - regions: What no block may lie on.
  init(
    _ file: any BlockSource, _ metadata: VHDXMetadata, _ region: Range<UInt64>,
    _ regions: [Range<UInt64>]
  ) {
    self.file = file
    self.metadata = metadata
    self.region = region
    let block = metadata.blockByteCount
    blockCount = metadata.size / block + (metadata.size % block == 0 ? 0 : 1)
    entryCount = metadata.tableEntryCount
    taken = TakenUnits(below: min(file.size, 2 * VHDX.sizeLimit))
    _ = taken.take(0..<VHDX.alignment)
    for region in regions { _ = taken.take(region) }
  }

  mutating func run() throws {
    let room = region.upperBound - region.lowerBound
    guard entryCount * 8 <= room else {
      list.add(
        .refusal, at: region.lowerBound,
        .impossible("\(entryCount) entries do not fit into the \(room) bytes of the region"))
      return
    }
    guard region.lowerBound + entryCount * 8 <= file.size else {
      list.add(.refusal, at: region.lowerBound, .truncated)
      return
    }
    try forEachEntry { check, index, entry, place in
      if index < check.entryCount, check.isBitmap(index) {
        check.judgeBitmap(entry, at: place)
      } else if entry != 0, index < check.entryCount, check.block(index) < check.blockCount {
        check.judgeBlock(check.block(index), entry, at: place)
      } else if entry != 0 {
        check.beyond.append((place, entry))
        if check.beyond.count > VHDXTableCheck.beyondLimit { check.isCut = true }
      }
    }
    if let first = beyond.first {
      tell(.problem, first.place, "an entry beyond the disk's end is used")
    }
    judgeWhole()
  }

  /// The part of the table beyond the disk's end, when entries are used there and all hold nothing.
  ///
  /// An interrupted change of size leaves them; where they hold data, the size may be what is wrong.
  func emptyBeyond() throws -> Range<UInt64>? {
    guard !isEnough, let first = beyond.first, let last = beyond.last else { return nil }
    let starts = beyond.lazy.filter { (6...7).contains($0.entry & 7) }
      .map { min($0.entry & ~(VHDX.alignment - 1), file.size) }.sorted()
    // However many entries name a place, it is read once.
    var reached: UInt64 = 0
    for start in starts {
      let end = min(start + metadata.blockByteCount, file.size)
      let rest = max(start, reached)..<max(end, reached)
      guard try UnclaimedRoom(file).isEmpty(rest, { _, _ in false }) else { return nil }
      reached = rest.upperBound
    }
    return first.place..<last.place + 8
  }

  /// Calls `body` for each entry that is not zero, for those of bitmaps, and for as many of the rest
  /// as it wants to hear of.
  private mutating func forEachEntry(
    _ body: (inout VHDXTableCheck, UInt64, UInt64, UInt64) -> Void
  ) throws {
    let end = min(region.upperBound, file.size) / 8 * 8
    var position = region.lowerBound
    while position < end, !isEnough {
      // Holes of the file are entries of blocks that are not there; only bitmaps may not be.
      if !needsBitmap, let data = try file.nextData(at: position) {
        position = max(position, data.lowerBound / 8 * 8)
      } else if !needsBitmap {
        break
      }
      let count = Int(min(end - min(position, end), VHDXTableCheck.pieceByteCount))
      guard let bytes = try file.bytes(count, at: position) else { break }
      let span = bytes.span
      for offset in stride(from: 0, to: count, by: 8) {
        let entry = span.little64(at: offset)
        let place = position + UInt64(offset)
        if entry == 0, !needsBitmap { continue }
        body(&self, (place - region.lowerBound) / 8, entry, place)
        if isEnough { break }
      }
      position += UInt64(count)
    }
    if isEnough {
      list.add(.note, at: region.lowerBound, .impossible("more of these are not listed"))
    }
  }

  private func isBitmap(_ index: UInt64) -> Bool {
    index % (metadata.chunkRatio + 1) == metadata.chunkRatio
  }

  private func block(_ index: UInt64) -> UInt64 { index - index / (metadata.chunkRatio + 1) }

  private mutating func tell(_ severity: Finding.Severity, _ place: UInt64, _ text: String) {
    list.add(severity, at: place, .impossible(text))
    troubles += 1
  }

  private mutating func judgeBlock(_ block: UInt64, _ entry: UInt64, at place: UInt64) {
    let start = entry & ~(VHDX.alignment - 1)
    if entry & (VHDX.alignment - 1) & ~7 != 0 {
      tell(.problem, place, "reserved bits of block \(block) are set")
      mendable.append((place, start | entry & 7))
    }
    switch entry & 7 {
    case 0 where start != 0:
      tell(.problem, place, "block \(block) is absent, yet has a place at \(start)")
    case 2 where start != 0:
      tell(.problem, place, "block \(block) is zero, yet has a place at \(start)")
    case 0, 2: break
    case 1, 3: keep(start)
    case 4: tell(.refusal, place, "state 4 of block \(block)")
    case 5:
      draftCount += 1
      keep(start)
    case 7 where !metadata.hasParent:
      tell(.refusal, place, "block \(block) is partly present, but there is no parent")
    default:
      if entry & 7 == 7 { needsBitmap = true }
      presentCount += 1
      let size = min(metadata.blockByteCount, metadata.size - block * metadata.blockByteCount)
      claim(start, metadata.blockByteCount, least: size, "block \(block)", at: place)
    }
  }

  /// Blocks of unknown content may keep the place that they had.
  private mutating func keep(_ start: UInt64) {
    trimmedCount += 1
    guard start != 0, start <= .max - metadata.blockByteCount else { return }
    var units = kept ?? TakenUnits(below: min(file.size, 2 * VHDX.sizeLimit))
    kept = nil
    _ = units.take(start..<start + metadata.blockByteCount)
    kept = units
  }

  private mutating func judgeBitmap(_ entry: UInt64, at place: UInt64) {
    let isNeeded = needsBitmap
    needsBitmap = false
    let state = entry & 7
    let start = entry & ~(VHDX.alignment - 1)
    if !metadata.hasParent {
      if entry != 0 {
        tell(.problem, place, "a disk without a parent has a sector bitmap")
        mendable.append((place, 0))
      }
      return
    }
    if entry & (VHDX.alignment - 1) & ~7 != 0 {
      tell(.problem, place, "reserved bits of a sector bitmap are set")
      mendable.append((place, start | state))
    }
    switch state {
    case 0:
      if isNeeded {
        tell(.refusal, place, "a block before it is partly present, but has no bitmap")
      }
      if start != 0 {
        tell(.problem, place, "a sector bitmap is absent, yet has a place at \(start)")
      }
    case 6:
      claim(start, VHDX.bitmapByteCount, least: VHDX.bitmapByteCount, "a sector bitmap", at: place)
    default: tell(.refusal, place, "state \(state) of a sector bitmap")
    }
  }

  /// Takes bytes of the file for a block.
  private mutating func claim(
    _ start: UInt64, _ count: UInt64, least: UInt64, _ name: String, at place: UInt64
  ) {
    guard start >= VHDX.alignment, start <= .max - count, start + least <= file.size else {
      tell(.refusal, place, "\(name) at \(start) lies outside the file")
      return
    }
    let range = start..<start + count
    if range.upperBound > file.size {
      tell(.problem, place, "the end of \(name) at \(start) is not in the file")
    }
    reached = max(reached, range.upperBound)
    if !taken.take(range) {
      tell(.refusal, place, "\(name) at \(start) lies on another block or on the file's own tables")
    }
  }

  private mutating func judgeWhole() {
    if draftCount > 0 {
      list.add(
        .note, at: region.lowerBound,
        .impossible("\(draftCount) blocks are unmapped as drafts of the format had it"))
    }
    guard troubles == 0 else { return }
    if needsBitmap {
      tell(
        .refusal, region.lowerBound + entryCount * 8, "the last sector bitmap is not in the table")
    }
    if metadata.isFixed, !metadata.hasParent {
      let absent = (blockCount - presentCount) * metadata.blockByteCount
      if taken.freeByteCount < absent {
        tell(
          .problem, region.lowerBound,
          "marked as fixed, but the file has no room for \(blockCount - presentCount) blocks")
      }
    }
    let lost = taken.freeByteCount
    if lost >= metadata.blockByteCount {
      list.add(
        .note, at: region.lowerBound, .impossible("\(lost) bytes of the file belong to no block"))
    }
  }

  /// What nobody claims of the file although a whole block fits in, and holds data.
  ///
  /// A program that takes blocks away from a guest that does not need them any more leaves them lying
  /// there, and their entries say so; where none says it, a block may have been lost, or a host has
  /// crashed before the entry of a new block was written.
  func unclaimed() throws -> [Finding] {
    guard !isEnough,
      !list.findings.contains(where: { $0.severity == .refusal })
    else { return [] }
    var findings: [Finding] = []
    var byteCount: UInt64 = 0
    for gap in taken.gaps(besides: kept, least: metadata.blockByteCount) {
      guard findings.count < VHDXCheck.findingLimit else { break }
      if try isLeft(gap) { continue }
      byteCount += gap.upperBound - gap.lowerBound
      let isTrimmed = trimmedCount * metadata.blockByteCount >= byteCount
      findings.append(
        Finding(
          isTrimmed ? .note : .warning, "VHDX file", at: gap.lowerBound,
          "\(gap.upperBound - gap.lowerBound) bytes belong to no block, yet hold data"
            + (isTrimmed ? ", as blocks do that a guest has given up" : "")))
    }
    return findings
  }

  /// Whether `gap` holds nothing, or the block table as an interrupted change of size left it.
  private func isLeft(_ gap: Range<UInt64>) throws -> Bool {
    try UnclaimedRoom(file).isEmpty(gap) { sector, distance in
      guard distance <= region.upperBound - region.lowerBound,
        let table = try file.bytes(sector.count, at: region.lowerBound + distance)
      else { return false }
      return stride(from: 0, to: sector.count - 7, by: 8).allSatisfy { place in
        let entry = sector.little64(at: place)
        return entry == 0 || entry == table.span.little64(at: place)
      }
    }
  }
}

/// Which units of 1 MiB of a file are taken.
private struct TakenUnits {
  private var words: [UInt64]
  private let end: UInt64
  private(set) var takenCount: UInt64 = 0

  /// - Parameter end: The file's length in bytes; nothing beyond it is kept.
  init(below end: UInt64) {
    self.end = end / VHDX.alignment
    words = [UInt64](repeating: 0, count: Int(self.end / 64 + 1))
  }

  /// Bytes of whole units that are not taken.
  var freeByteCount: UInt64 { (end - takenCount) * VHDX.alignment }

  /// Runs of units that are not taken here, nor in `other`.
  func gaps(besides other: TakenUnits?, least: UInt64) -> [Range<UInt64>] {
    var gaps: [Range<UInt64>] = []
    var start: UInt64?
    for unit in 0...end {
      let word = Int(unit / 64)
      let bit: UInt64 = 1 << (unit % 64)
      let isFree = unit < end && (words[word] | (other?.words[word] ?? 0)) & bit == 0
      if isFree {
        start = start ?? unit
      } else if let first = start {
        start = nil
        if (unit - first) * VHDX.alignment >= least {
          gaps.append(first * VHDX.alignment..<unit * VHDX.alignment)
        }
      }
    }
    return gaps
  }

  /// Takes all units of `range`.
  ///
  /// - Returns: Whether all of them were free.
  mutating func take(_ range: Range<UInt64>) -> Bool {
    var wasFree = true
    let last = min((range.upperBound + VHDX.alignment - 1) / VHDX.alignment, end)
    var unit = range.lowerBound / VHDX.alignment
    while unit < last {
      let bit: UInt64 = 1 << (unit % 64)
      if words[Int(unit / 64)] & bit != 0 {
        wasFree = false
      } else {
        words[Int(unit / 64)] |= bit
        takenCount += 1
      }
      unit += 1
    }
    return wasFree
  }
}
