internal import Blocks
internal import Bytes

/// Tables that follow their grains, as whoever writes into a pipe must place them.
struct TrailingTables: GrainOrder {
  /// What a grain and an area take beside the grain's bytes: with what arrays, the dictionaries and
  /// the heap keep free.
  private static let grainOverhead = 96
  private static let areaOverhead = 256
  /// As many as the largest disk has with grains of the usual size.
  private static let tableLimit = 1 << 21

  /// The grains of one table.
  private struct Area {
    var grains: [StreamedGrain] = []
    /// The number in `grains` of the one that comes first on the disk.
    var first = 0
    /// Where the table lies, once it has come.
    var sector: UInt64?

    /// Takes a grain.
    ///
    /// - Returns: The sectors of the grains that came first on the disk before and now.
    mutating func add(_ grain: StreamedGrain) -> (old: UInt64?, new: UInt64) {
      let old = grains.isEmpty ? nil : grains[first]
      grains.append(grain)
      if let old, old.index <= grain.index { return (old.sector, old.sector) }
      first = grains.count - 1
      return (old?.sector, grain.sector)
    }

    /// Takes the table, if it is that of these grains.
    mutating func confirm(
      _ entries: [(index: UInt64, sector: UInt64)], at sector: UInt64
    ) -> Bool {
      grains.sort { $0.index < $1.index }
      first = 0
      self.sector = sector
      return grains.count == entries.count
        && zip(grains, entries).allSatisfy { $0.index == $1.index && $0.sector == $1.sector }
    }
  }

  private let header: VMDKHeader
  /// What waits, by the tables' numbers; these again, the least on top.
  private var areas: [UInt64: Area] = [:]
  private var waiting = Heap<UInt64>([])
  /// Of those whose table has not come: its number, by the sector of the grain that comes first on the
  /// disk.
  private var owners: [UInt64: UInt64] = [:]
  private var pendingByteCount = 0
  /// The first table that was not given on yet.
  private var frontier: UInt64 = 0
  /// Where each table lies.
  private var places: [UInt32: UInt32] = [:]
  /// Where tables without entries lie: a directory may name them for any place.
  private var emptyPlaces: Set<UInt32> = []
  private var directory: UInt64?
  private var hasFooter = false

  init(_ header: VMDKHeader) { self.header = header }

  let mayEndHere = false

  private func refuse(_ sector: UInt64, _ text: String) -> FormatError {
    FormatError("VMDK marker", at: sector * VMDKHeader.sector, .impossible(text))
  }

  /// Where a table lies; nil as long as it has not come.
  private func place(of table: UInt64) -> UInt32? {
    UInt32(exactly: table).flatMap { places[$0] }
  }

  mutating func add(_ grain: StreamedGrain, _ parts: inout GrainAssembler) throws {
    let table = grain.index / header.entries
    guard directory == nil, table >= frontier, place(of: table) == nil else {
      throw refuse(grain.sector, "grain \(grain.index) comes after what tells that it has none")
    }
    let (old, new) = areas[table, default: Area()].add(grain)
    if old == nil {
      waiting.push(table)
      pendingByteCount += TrailingTables.areaOverhead
    }
    if new != old {
      if let old { owners[old] = nil }
      owners[new] = table
    }
    pendingByteCount += grain.bytes.count + TrailingTables.grainOverhead
  }

  mutating func confirm(_ bytes: [UInt8], at sector: UInt64) throws {
    guard directory == nil, let short = UInt32(exactly: sector) else {
      throw refuse(sector, "a grain table in the wrong place")
    }
    var entries: [(slot: UInt64, sector: UInt64)] = []
    for slot in 0..<Int(header.entries) {
      let value = UInt64(bytes.span.little32(at: slot * 4))
      if value == 0 || value == 1 && header.hasZeroGrains { continue }
      entries.append((UInt64(slot), value))
    }
    guard let first = entries.first else {
      guard emptyPlaces.count < 1 << 20 else { throw refuse(sector, "too many empty tables") }
      emptyPlaces.insert(short)
      return
    }
    // The table does not say whose it is: its first grain does.
    guard let table = owners.removeValue(forKey: first.sector), let number = UInt32(exactly: table)
    else { throw refuse(sector, "a table of grains that did not come") }
    let wanted = entries.map { (table * header.entries + $0.slot, $0.sector) }
    guard areas[table]?.confirm(wanted, at: sector) == true else {
      throw refuse(sector, "a table that does not tell of the grains that came")
    }
    guard places.count < TrailingTables.tableLimit else {
      throw FormatError(
        "VMDK marker", at: sector * VMDKHeader.sector,
        .unsupported("on a pipe, more than \(TrailingTables.tableLimit) grain tables"))
    }
    places[number] = short
  }

  mutating func check(entries: UInt64, at sector: UInt64, _ next: () throws -> UInt32) throws {
    guard directory == nil else { throw refuse(sector, "a second grain directory") }
    guard owners.isEmpty else {
      throw refuse(sector, "a grain directory, but grains came without a table")
    }
    var known = 0
    for table in 0..<entries {
      let entry = try next()
      if let place = place(of: table) {
        known += 1
        guard entry == place else { throw refuse(sector, "table \(table) is not where it came") }
      } else if entry != 0, !emptyPlaces.contains(entry) {
        throw refuse(sector, "table \(table) at sector \(entry) did not come")
      }
    }
    guard known == places.count else { throw refuse(sector, "tables beyond the disk's end") }
    directory = sector
  }

  mutating func check(footer: VMDKHeader, at offset: UInt64) throws {
    guard let directory, footer.directory == directory, footer.capacity == header.capacity,
      footer.grainSectors == header.grainSectors, footer.entries == header.entries
    else { throw FormatError("VMDK footer", at: offset, .impossible("does not fit what came")) }
    hasFooter = true
  }

  mutating func release(_ parts: inout GrainAssembler) throws -> Bool {
    while pendingByteCount > VMDKStream.pendingByteLimit {
      guard let table = waiting.top, areas[table]?.sector != nil else { return false }
      waiting.replaceTop(with: nil)
      try give(table, &parts)
    }
    return true
  }

  private mutating func give(
    _ table: UInt64, _ parts: inout GrainAssembler
  ) throws(FormatError) {
    pendingByteCount -= TrailingTables.areaOverhead
    for grain in areas.removeValue(forKey: table)?.grains ?? [] {
      pendingByteCount -= grain.bytes.count + TrailingTables.grainOverhead
      try parts.add(grain)
    }
    frontier = table + 1
  }

  mutating func finish(_ parts: inout GrainAssembler) throws {
    guard directory != nil, hasFooter else {
      throw FormatError("VMDK", at: 0, .impossible("it ends without grain directory and footer"))
    }
    for table in areas.keys.sorted() { try give(table, &parts) }
  }

  func save(_ write: (Span<UInt8>, UInt64) throws -> Void) throws {
    for (table, area) in areas {
      for grain in area.grains {
        var builder = ByteBuilder(.little, capacity: 12 + grain.bytes.count)
        builder.u64(grain.index * header.grainSectors)
        builder.u32(UInt32(grain.bytes.count))
        let bytes = builder.bytes + grain.bytes
        try write(bytes.span, grain.sector * VMDKHeader.sector)
      }
      guard let sector = area.sector else { continue }
      var builder = ByteBuilder(.little, capacity: Int(header.entries) * 4)
      var grains = area.grains[...]
      for slot in 0..<header.entries {
        let isNext = grains.first?.index == table * header.entries + slot
        builder.u32(isNext ? UInt32(truncatingIfNeeded: grains.removeFirst().sector) : 0)
      }
      let bytes = builder.bytes
      try write(bytes.span, sector * VMDKHeader.sector)
    }
  }
}
