internal import Blocks
internal import Bytes

/// Gives a VHDX another size.
///
/// The block table is made to fit first, then the size changes, which is in one sector. Blocks behind
/// a smaller disk's end become zero while they still count, so that wherever this is interrupted, no
/// room that belongs to no block looks like one that was lost.
enum VHDXResize {
  /// Of a fixed disk, made at once: their entries take 64 MiB of memory.
  private static let entryLimit: UInt64 = 8 << 20
  /// Ranges of blocks that go, which take 64 MiB.
  private static let rangeLimit = 4 << 20

  /// - Parameter random: 32 bytes for new identifiers of writes.
  static func run(_ repair: inout Repair, _ change: SizeChange, _ random: [UInt8]) throws {
    let source = repair.source
    guard change.new <= VHDX.sizeLimit else {
      throw FormatError("VHDX", at: 0, .unsupported("a disk of more than \(VHDX.sizeLimit) bytes"))
    }
    let header = try VHDXImage.header(of: source)
    let (regions, place) = try VHDXImage.regionTable(of: source)
    let table = try regions.range(VHDX.tableRegion, "block table", at: place)
    let metadataPlace = try regions.range(VHDX.metadataRegion, "metadata", at: place)
    let metadata = try VHDXMetadata(of: source, metadataPlace)
    let current =
      try VHDX.headerOffsets.first { try VHDXHeaderCheck.header(of: source, at: $0) == header }
      ?? VHDX.headerOffsets[0]
    let other = VHDX.headerOffsets[current == VHDX.headerOffsets[0] ? 1 : 0]
    func rewrite(_ place: UInt64, _ distance: UInt64) {
      let bytes = VHDXRepair.bytes(
        of: header, sequence: header.sequence + distance,
        fileWrite: GUID(bytes: Array(random[0..<16])),
        dataWrite: GUID(bytes: Array(random[16..<32])))
      repair.add(RepairStep("VHDX header", at: place, bytes, "says that the disk is written to"))
    }
    rewrite(other, 1)
    rewrite(current, 2)
    let blocks = VHDXBlocks(source, metadata, table)
    var region = table
    var room: UInt64?
    if change.new > change.old {
      region = try makeTable(&repair, blocks, change)
      if blocks.isFixed { room = try makeRoom(&repair, blocks, change) }
    } else {
      try dropBlocks(&repair, blocks, change)
    }
    try clearRest(&repair, blocks, of: min(change.old, change.new))
    var builder = ByteBuilder(.little, capacity: 8)
    builder.u64(change.new)
    repair.add(
      RepairStep(
        "VHDX metadata", at: try sizePlace(source, metadataPlace), builder.bytes,
        "has the new size"))
    if let room { placeBlocks(&repair, blocks, change, region, room) }
  }

  /// Where the disk's size stands in the file.
  private static func sizePlace(
    _ source: any BlockSource, _ region: Range<UInt64>
  ) throws -> UInt64 {
    let bytes = try source.bytes(VHDXMetadata.tableByteCount, at: region.lowerBound) ?? []
    for start in stride(from: 32, to: bytes.count - 31, by: 32)
    where GUID(bytes: Array(bytes[start..<start + 16])) == VHDX.diskSize {
      return region.lowerBound + UInt64(bytes.span.little32(at: start + 16))
    }
    throw FormatError("VHDX metadata", at: region.lowerBound, .impossible("there is no size"))
  }

  /// Makes what lies behind a disk's end in its last block zero.
  private static func clearRest(
    _ repair: inout Repair, _ blocks: VHDXBlocks, of size: UInt64
  ) throws {
    let inner = size % blocks.byteCount
    guard inner != 0 else { return }
    let entry = try blocks.entry(size / blocks.byteCount)
    guard entry & 7 == 6 else { return }
    let start = entry & ~(VHDX.alignment - 1)
    var step = RepairStep("VHDX block", at: start, "its end is cleared")
    step.zeros = [start + inner..<start + blocks.byteCount]
    repair.add(step)
  }

  /// Makes room in the block table: in the place where it is, or at the end of the file.
  ///
  /// - Returns: Where it is then.
  private static func makeTable(
    _ repair: inout Repair, _ blocks: VHDXBlocks, _ change: SizeChange
  ) throws -> Range<UInt64> {
    let needed = blocks.entryCount(change.new) * 8
    let old = blocks.region
    guard needed > old.upperBound - old.lowerBound else { return old }
    let start = aligned(repair.source.size)
    let region = start..<start + aligned(needed)
    guard region.upperBound - start <= UInt64(UInt32.max) else {
      throw FormatError("VHDX", at: 0, .unsupported("a block table of \(needed) bytes"))
    }
    var step = RepairStep("VHDX block table", at: start, "a larger one at the file's end")
    step.leastByteCount = region.upperBound
    step.copies = [(old, start)]
    repair.add(step)
    // Both tables lead to the same entries, so that either of them can be gone by.
    for place in VHDX.tableOffsets.reversed() {
      repair.add(try moved(repair.source, place, region))
    }
    var gone = RepairStep("VHDX block table", at: old.lowerBound, "the old one is gone")
    gone.zeros = [old]
    repair.add(gone)
    return region
  }

  /// Makes the file of a fixed disk long enough for its new blocks.
  ///
  /// - Returns: Where they go; nil when there are none.
  private static func makeRoom(
    _ repair: inout Repair, _ blocks: VHDXBlocks, _ change: SizeChange
  ) throws -> UInt64? {
    let first = blocks.count(change.old)
    let last = blocks.count(change.new)
    guard first < last else { return nil }
    guard blocks.entryCount(change.new) - blocks.index(first) <= entryLimit else {
      throw FormatError("VHDX", at: 0, .unsupported("\(last - first) more blocks of a fixed disk"))
    }
    let start = aligned(repair.source.size)
    var step = RepairStep("VHDX file", at: start, "has room for the new blocks")
    step.leastByteCount = start + (last - first) * blocks.byteCount
    repair.add(step)
    return start
  }

  /// Gives the new blocks of a fixed disk their places; until then they read as zeros as well.
  private static func placeBlocks(
    _ repair: inout Repair, _ blocks: VHDXBlocks, _ change: SizeChange, _ region: Range<UInt64>,
    _ start: UInt64
  ) {
    let first = blocks.count(change.old)
    let place = blocks.index(first)
    var builder = ByteBuilder(.little)
    for block in first..<blocks.count(change.new) {
      // Between the entries of blocks are those of sector bitmaps, which stay empty.
      builder.zeros(Int(blocks.index(block) - place) * 8 - builder.bytes.count)
      builder.u64(start + (block - first) * blocks.byteCount | 6)
    }
    repair.add(
      RepairStep(
        "VHDX block table", at: region.lowerBound + place * 8, builder.bytes,
        "the new blocks have places"))
  }

  /// A region table in which the block table lies elsewhere.
  private static func moved(
    _ source: any BlockSource, _ place: UInt64, _ region: Range<UInt64>
  ) throws -> RepairStep {
    var bytes = try VHDXRegionCheck.bytes(of: source, at: place)
    for entry in try VHDXRegionTable.entries(of: bytes, at: place)
    where entry.id == VHDX.tableRegion {
      var builder = ByteBuilder(.little, capacity: 12)
      builder.u64(region.lowerBound)
      builder.u32(UInt32(region.upperBound - region.lowerBound))
      let start = Int(entry.place - place) + 16
      bytes.replaceSubrange(start..<start + 12, with: builder.bytes)
    }
    return RepairStep(
      "VHDX region table", at: place, VHDXChecksum.sealed(bytes), "leads to the larger block table")
  }

  /// Takes blocks behind the new end away; what they took of the file becomes holes.
  private static func dropBlocks(
    _ repair: inout Repair, _ blocks: VHDXBlocks, _ change: SizeChange
  ) throws {
    let first = blocks.region.lowerBound + blocks.entryCount(change.new) * 8
    let end = blocks.region.lowerBound + blocks.entryCount(change.old) * 8
    guard first < end else { return }
    var data = RepairStep("VHDX file", at: 0, "the blocks behind the end are zeros")
    try blocks.forEachEntry(in: first..<end) { entry in
      guard entry & 7 == 6 else { return }
      let start = entry & ~(VHDX.alignment - 1)
      if let last = data.zeros.last, last.upperBound == start {
        data.zeros[data.zeros.count - 1] = last.lowerBound..<start + blocks.byteCount
      } else {
        data.zeros.append(start..<start + blocks.byteCount)
      }
      guard data.zeros.count <= rangeLimit else {
        throw FormatError("VHDX", at: 0, .unsupported("so many blocks that would go"))
      }
    }
    // The last block may end where the file does not reach to any more.
    data.zeros = data.zeros.map { $0.clamped(to: 0..<repair.source.size) }
    if !data.zeros.isEmpty { repair.add(data) }
    var step = RepairStep("VHDX block table", at: first, "no block is behind the end")
    step.zeros = [first..<end]
    repair.add(step)
  }

  private static func aligned(_ count: UInt64) -> UInt64 {
    (count + VHDX.alignment - 1) / VHDX.alignment * VHDX.alignment
  }
}

/// The blocks of a VHDX without a parent, for sizes that it may have.
private struct VHDXBlocks {
  private let source: any BlockSource
  private let ratio: UInt64
  let byteCount: UInt64
  let isFixed: Bool
  let region: Range<UInt64>

  init(_ source: any BlockSource, _ metadata: VHDXMetadata, _ region: Range<UInt64>) {
    self.source = source
    ratio = metadata.chunkRatio
    byteCount = metadata.blockByteCount
    isFixed = metadata.isFixed
    self.region = region
  }

  func count(_ size: UInt64) -> UInt64 { (size - 1) / byteCount + 1 }
  func index(_ block: UInt64) -> UInt64 { block + block / ratio }
  func entryCount(_ size: UInt64) -> UInt64 { index(count(size) - 1) + 1 }

  func entry(_ block: UInt64) throws -> UInt64 {
    let place = region.lowerBound + index(block) * 8
    guard let bytes = try source.bytes(8, at: place) else {
      throw FormatError("VHDX block table", at: place, .truncated)
    }
    return bytes.span.little64(at: 0)
  }

  /// Calls `body` for the entries of a part of the table that are not zero.
  func forEachEntry(in range: Range<UInt64>, _ body: (UInt64) throws -> Void) throws {
    var position = range.lowerBound
    while position < range.upperBound, let data = try source.nextData(at: position) {
      position = max(position, data.lowerBound / 8 * 8)
      let count = Int(min(range.upperBound - min(position, range.upperBound), 1 << 20))
      guard count > 0, let bytes = try source.bytes(count, at: position) else { return }
      let span = bytes.span
      for offset in stride(from: 0, to: count, by: 8) {
        let entry = span.little64(at: offset)
        if entry != 0 { try body(entry) }
      }
      position += UInt64(count)
    }
  }
}
