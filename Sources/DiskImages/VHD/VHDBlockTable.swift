internal import Blocks
internal import Bytes

/// The block allocation table of a dynamic VHD: where in the file each block lies.
///
/// Each entry is a big-endian sector number, all ones for a block that is not there; the entry
/// points at the block's bitmap, and the data follows that. "Block Allocation Table" in the
/// specification.
struct VHDBlockTable: Sendable {
  static let absent = UInt32.max

  /// One entry for each block of the disk; those beyond its end are not kept.
  private(set) var entries: [UInt32] = []
  /// Where the file's footer starts: blocks must end before it.
  let end: UInt64
  let header: VHDDynamicHeader

  /// Reads the table, 1 MiB at a time.
  ///
  /// - Parameters:
  ///   - source: The file.
  ///   - header: Has been found to be sound: the table lies in the file and below the limit.
  ///   - size: The disk's size in bytes.
  ///   - end: Where the file's footer starts.
  /// - Throws: When the file cannot be read.
  init(
    of source: any BlockSource, _ header: VHDDynamicHeader, size: UInt64, end: UInt64
  ) throws {
    self.end = end
    self.header = header
    let block = UInt64(header.blockByteCount)
    let count = Int(size / block + (size % block == 0 ? 0 : 1))
    entries.reserveCapacity(count)
    var piece = [UInt8](repeating: 0, count: min(count * 4, 1 << 20))
    while entries.count < count {
      let now = min(count - entries.count, piece.count / 4)
      if piece.count > now * 4 { piece.removeLast(piece.count - now * 4) }
      let place = header.tableOffset + UInt64(entries.count) * 4
      var span = piece.mutableSpan
      try source.read(into: &span, at: place)
      var cursor = ByteCursor(piece.span, of: "VHD block table", at: place, .big)
      for _ in 0..<now { entries.append(try cursor.u32()) }
    }
  }

  /// How many blocks are there.
  var allocatedCount: Int {
    entries.reduce(0) { $0 + ($1 == VHDBlockTable.absent ? 0 : 1) }
  }

  /// Where in the file a block's data starts; nil when the block is absent.
  func dataOffset(_ block: Int) -> UInt64? {
    let entry = entries[block]
    guard entry != VHDBlockTable.absent else { return nil }
    return UInt64(entry) * 512 + header.bitmapByteCount
  }

  /// Where in the file an entry lies.
  func entryOffset(_ block: Int) -> UInt64 { header.tableOffset + UInt64(block) * 4 }

  /// The sector numbers of all blocks that are there, ascending.
  func sorted() -> [UInt32] {
    var sectors: [UInt32] = []
    // A table may take 64 MiB: no room for an array that grows by doubling.
    sectors.reserveCapacity(allocatedCount)
    for entry in entries where entry != VHDBlockTable.absent { sectors.append(entry) }
    var ascending = true
    for index in sectors.indices.dropFirst() where sectors[index - 1] >= sectors[index] {
      ascending = false
      break
    }
    // Writers append blocks, so a disk that was filled from its start is in order already.
    if !ascending { sectors.sort() }
    return sectors
  }

  /// What is wrong with where the blocks lie.
  ///
  /// - Parameters:
  ///   - regions: What else lies in the file, ascending, with names.
  ///   - limit: The most findings that are wanted.
  /// - Returns: A finding for each block that lies wrongly.
  func findings(
    _ regions: [(range: Range<UInt64>, name: String)], limit: Int
  ) -> [Finding] {
    var findings: [Finding] = []
    let sectors = sorted()
    for (index, sector) in sectors.enumerated() {
      guard findings.count < limit else { break }
      let start = UInt64(sector) * 512
      let range = start..<start + header.blockSpan
      var trouble: String?
      if range.upperBound > end {
        trouble = "goes beyond byte \(end), where the footer starts"
      } else if index > 0, UInt64(sectors[index - 1]) * 512 + header.blockSpan > start {
        trouble = "overlaps the block at \(UInt64(sectors[index - 1]) * 512)"
      } else if let region = regions.first(where: { $0.range.overlaps(range) }) {
        trouble = "overlaps the \(region.name)"
      }
      guard let trouble else { continue }
      // Two equal entries: the later one is the one that is told.
      let block = entries.lastIndex(of: sector) ?? 0
      findings.append(
        Finding(
          .refusal, "VHD block table", at: entryOffset(block),
          "block \(block) at \(start) \(trouble)"))
    }
    return findings
  }

  /// Room in the file that nothing claims although a whole block fits in.
  ///
  /// - Parameters:
  ///   - source: The file.
  ///   - regions: What else lies in it, ascending.
  ///   - footer: The file's footer.
  ///   - limit: The most findings that are wanted.
  /// - Returns: A problem for what holds data, as a lost block does; a note for what does not.
  func unclaimed(
    in source: any BlockSource, _ regions: [(range: Range<UInt64>, name: String)],
    _ footer: VHDFooter, limit: Int
  ) throws -> [Finding] {
    var leftovers = VHDLeftovers(self, footer)
    return try gaps(regions, limit: limit).map { gap in
      let isEmpty = try leftovers.areAll(of: gap, in: source)
      return Finding(
        isEmpty ? .note : .problem, "VHD file", at: gap.lowerBound,
        "\(gap.upperBound - gap.lowerBound) bytes belong to no block"
          + (isEmpty ? " and hold no data" : ", yet hold data"))
    }
  }

  /// Where nothing lies and a whole block fits in.
  func gaps(
    _ regions: [(range: Range<UInt64>, name: String)], limit: Int
  ) -> [Range<UInt64>] {
    var gaps: [Range<UInt64>] = []
    var reached: UInt64 = 0
    var region = 0
    func pass(_ range: Range<UInt64>) {
      if range.lowerBound > reached, range.lowerBound - reached >= header.blockSpan,
        gaps.count < limit
      {
        gaps.append(reached..<range.lowerBound)
      }
      reached = max(reached, range.upperBound)
    }
    for sector in sorted() {
      let start = UInt64(sector) * 512
      while region < regions.count, regions[region].range.lowerBound <= start {
        pass(regions[region].range)
        region += 1
      }
      pass(start..<start + header.blockSpan)
    }
    for rest in regions[region...] { pass(rest.range) }
    pass(end..<end)
    return gaps
  }
}
