internal import Blocks
internal import Bytes

/// Room of an image's file that nothing claims: blocks that were lost, or what an interrupted change
/// of size left, which nobody misses.
struct UnclaimedRoom {
  private static let pieceByteCount: UInt64 = 1 << 20
  private let source: any BlockSource

  init(_ source: any BlockSource) { self.source = source }

  /// Whether all of `range` is zeros, or what `isLeft` knows.
  ///
  /// - Parameters:
  ///   - range: Lies inside the file.
  ///   - isLeft: Judges a sector that is not zero: its bytes, and how far into the range it starts.
  /// - Throws: When the file cannot be read.
  func isEmpty(
    _ range: Range<UInt64>, _ isLeft: (_ sector: Span<UInt8>, _ distance: UInt64) throws -> Bool
  ) throws -> Bool {
    var position = range.lowerBound
    while position < range.upperBound, let data = try source.nextData(at: position) {
      // Whole sectors from the range's start on.
      let skipped = max(data.lowerBound, position) - range.lowerBound
      position = range.lowerBound + skipped / 512 * 512
      guard position < range.upperBound else { break }
      let count = min(range.upperBound - position, UnclaimedRoom.pieceByteCount)
      guard let bytes = try source.bytes(Int(count), at: position) else { break }
      let span = bytes.span
      for start in stride(from: 0, to: bytes.count, by: 512) {
        let sector = span.extracting(start..<min(start + 512, bytes.count))
        if Zeros.isZero(sector) { continue }
        guard try isLeft(sector, position - range.lowerBound + UInt64(start)) else { return false }
      }
      position += count
    }
    return true
  }
}

/// What a change of size leaves of a VHD when it is interrupted: a footer that is not the file's last
/// sector, and a block table that the header does not lead to yet, or not any more.
struct VHDLeftovers {
  private let table: VHDBlockTable
  private let footer: VHDFooter
  /// How far into the room the table starts, if there is one: no sector of it is all zeros.
  private var tableStart: UInt64?
  private var sawEntry = false

  init(_ table: VHDBlockTable, _ footer: VHDFooter) {
    self.table = table
    self.footer = footer
  }

  /// Whether nothing was lost in `range`.
  mutating func areAll(of range: Range<UInt64>, in source: any BlockSource) throws -> Bool {
    tableStart = nil
    sawEntry = false
    // Lost blocks full of ones are as long as blocks are; a table hardly is.
    let mayBeBlocks = (range.upperBound - range.lowerBound) % table.header.blockSpan == 0
    return try UnclaimedRoom(source).isEmpty(range) { sector, distance in
      isFooter(sector) || isTable(sector, distance, mayBeBlocks)
    }
  }

  /// Whether a sector is a footer of this very image, of whatever size.
  private func isFooter(_ sector: Span<UInt8>) -> Bool {
    do {
      let found = try VHDFooter(parsing: sector, at: 0)
      return found.identifier == footer.identifier && found.type == footer.type
        && found.checksum == found.computedChecksum
    } catch {
      return false
    }
  }

  /// Whether a sector is as it is in the table, which may have been shorter, and filled with zeros.
  private mutating func isTable(
    _ sector: Span<UInt8>, _ distance: UInt64, _ mayBeBlocks: Bool
  ) -> Bool {
    let start = tableStart ?? distance
    tableStart = start
    for place in stride(from: 0, to: sector.count - 3, by: 4) {
      let entry = (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(sector[place + $1]) }
      let index = (distance - start) / 4 + UInt64(place / 4)
      let expected =
        index < UInt64(table.entries.count) ? table.entries[Int(index)] : VHDBlockTable.absent
      guard entry == expected || entry == 0 else { return false }
      if entry != 0, entry != VHDBlockTable.absent { sawEntry = true }
    }
    return sawEntry || !mayBeBlocks
  }
}
