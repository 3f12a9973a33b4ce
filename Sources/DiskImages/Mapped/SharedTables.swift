internal import Blocks
internal import Bytes

/// Finds second tables that several entries of the first one lead to.
///
/// Where each entry of a first table of 32 MiB leads to one second table, a file of 40 MiB tells of
/// many more blocks than anybody can look at. No format lets one disk have the same table twice.
/// With tables that all lie in bytes of their own, a walk through them is never longer than the file.
extension TwoLevelTable {
  /// The most tables that are looked at out of order: as many as the largest qcow2 has.
  private static let unorderedLimit = 1 << 22
  private static let pieceByteCount: UInt64 = 1 << 20

  /// Looks at all entries of the first table.
  ///
  /// - Parameters:
  ///   - file: The file.
  ///   - count: How many entries there are; all of them lie in the file.
  /// - Returns: Tables that several entries lead to, and that have no entries: some writers name one
  ///   empty table in many places.
  /// - Throws: `FormatError` when tables lie on top of each other otherwise.
  func sharedEmptyTables(of file: any BlockSource, _ count: UInt64) throws -> Set<UInt64> {
    var tableCount = 0
    var end: UInt64 = 0
    var isAscending = true
    try forEachTable(of: file, count) { place, _ in
      tableCount += 1
      if place < end { isAscending = false }
      end = place + shape.secondByteCount
    }
    if isAscending { return [] }
    guard tableCount <= TwoLevelTable.unorderedLimit else {
      throw refusal(offset, .unsupported("\(tableCount) tables that are out of order"))
    }
    var places: [UInt64] = []
    places.reserveCapacity(tableCount)
    try forEachTable(of: file, count) { place, _ in places.append(place) }
    places.sort()
    var empty: Set<UInt64> = []
    for (place, next) in zip(places, places.dropFirst())
    where next - place < shape.secondByteCount && !empty.contains(place) {
      guard next == place, try isEmpty(place, in: file) else {
        try refuse(next, in: file, count)
        continue
      }
      empty.insert(place)
    }
    return empty
  }

  /// Gives each table's place, and the entry that leads to it.
  ///
  /// Entries that lead nowhere, or that cannot be read, are told when their blocks are asked for.
  private func forEachTable(
    of file: any BlockSource, _ count: UInt64, _ body: (UInt64, UInt64) throws -> Void
  ) throws {
    let end = offset + count * shape.firstEntry
    var position = offset
    while position < end {
      let length = min(TwoLevelTable.pieceByteCount, end - position)
      if let piece = try piece(of: file, Int(length), at: position) {
        for index in stride(from: 0, to: piece.count, by: Int(shape.firstEntry)) {
          guard let place = place(piece, at: index) else { continue }
          try body(place, position + UInt64(index))
        }
      }
      position += length
    }
  }

  /// Bytes of the first table; nil where they cannot be read now.
  private func piece(of file: any BlockSource, _ count: Int, at position: UInt64) throws -> [UInt8]?
  {
    do {
      return try file.bytes(count, at: position)
    } catch let error as SourceError where !error.isLoss {
      return nil
    }
  }

  /// Where the table lies that an entry leads to; nil for none.
  private func place(_ piece: [UInt8], at index: Int) -> UInt64? {
    let entry = entry(piece.span, at: index)
    guard entry != 0 else { return nil }
    do { return try place(of: entry) } catch { return nil }
  }

  private func entry(_ piece: Span<UInt8>, at index: Int) -> UInt64 {
    switch (shape.firstEntry, second.order) {
    case (4, .little): UInt64(piece.little32(at: index))
    case (4, .big): UInt64(piece.little32(at: index).byteSwapped)
    case (_, .little): piece.little64(at: index)
    case (_, .big): piece.little64(at: index).byteSwapped
    }
  }

  private func isEmpty(_ place: UInt64, in file: any BlockSource) throws -> Bool {
    let end = place + shape.secondByteCount
    var position = place
    while position < end {
      let length = min(TwoLevelTable.pieceByteCount, end - position)
      guard let piece = try file.bytes(Int(length), at: position), Zeros.isZero(piece.span) else {
        return false
      }
      position += length
    }
    return true
  }

  /// Refuses the table at `place`, which lies on another one, with the last entry that leads to it.
  private func refuse(_ place: UInt64, in file: any BlockSource, _ count: UInt64) throws {
    var position = offset
    try forEachTable(of: file, count) { if $0 == place { position = $1 } }
    throw refusal(
      position, .impossible("the table at byte \(place) is that of other blocks as well"))
  }
}
