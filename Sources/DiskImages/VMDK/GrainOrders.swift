internal import Blocks
internal import Bytes

/// Where grains lie, told by tables in front of all of them, as qemu-img and VMware's own tools for
/// files write them.
struct LeadingTables: GrainOrder {
  private let front: [UInt8]
  private let header: VMDKHeader
  private let grainCount: UInt64
  /// The grain that comes next; nil when none does.
  private var expected: (index: UInt64, sector: UInt64)?

  /// - Parameters:
  ///   - front: Everything before the first grain.
  ///   - size: The disk's size in bytes.
  /// - Returns: Nil when the grains do not lie in order, or tables lie elsewhere.
  init?(_ front: [UInt8], _ header: VMDKHeader, size: UInt64) throws {
    self.front = front
    self.header = header
    grainCount = size / header.grainByteCount + (size % header.grainByteCount == 0 ? 0 : 1)
    let sectors = UInt64(front.count) / VMDKHeader.sector
    let tableCount = (grainCount + header.entries - 1) / header.entries
    guard header.directory > 0, header.directory < sectors,
      tableCount <= (sectors - header.directory) * VMDKHeader.sector / 4
    else { return nil }
    for table in 0..<tableCount {
      let sector = UInt64(front.span.little32(at: directoryPlace(table)))
      guard sector == 0 || sector + header.entries * 4 / VMDKHeader.sector <= sectors else {
        return nil
      }
    }
    var last: UInt64 = sectors
    var grain = next(from: 0)
    expected = grain
    while let found = grain {
      guard found.sector >= last else { return nil }
      last = found.sector + 1
      grain = next(from: found.index + 1)
    }
  }

  private func directoryPlace(_ table: UInt64) -> Int {
    Int(header.directory * VMDKHeader.sector + table * 4)
  }

  /// The first grain from `index` on that the tables have.
  private func next(from index: UInt64) -> (index: UInt64, sector: UInt64)? {
    var index = index
    while index < grainCount {
      let table = UInt64(front.span.little32(at: directoryPlace(index / header.entries)))
      if table == 0 {
        index = (index / header.entries + 1) * header.entries
        continue
      }
      let place = Int(table * VMDKHeader.sector + index % header.entries * 4)
      let sector = UInt64(front.span.little32(at: place))
      if sector != 0, sector != 1 || !header.hasZeroGrains { return (index, sector) }
      index += 1
    }
    return nil
  }

  var mayEndHere: Bool { expected == nil }

  mutating func add(_ grain: StreamedGrain, _ parts: inout GrainAssembler) throws {
    guard let expected, expected.index == grain.index, expected.sector == grain.sector else {
      throw FormatError(
        "VMDK marker", at: grain.sector * VMDKHeader.sector,
        .impossible("grain \(grain.index) is not the one that the tables tell"))
    }
    try parts.add(grain)
    self.expected = next(from: grain.index + 1)
  }

  mutating func confirm(_ table: [UInt8], at sector: UInt64) throws { throw surplus(sector) }

  mutating func check(entries: UInt64, at sector: UInt64, _ next: () throws -> UInt32) throws {
    throw surplus(sector)
  }

  mutating func check(footer: VMDKHeader, at offset: UInt64) throws {
    guard footer.capacity == header.capacity, footer.grainSectors == header.grainSectors,
      footer.directory == header.directory
    else { throw FormatError("VMDK footer", at: offset, .impossible("differs from the header")) }
  }

  private func surplus(_ sector: UInt64) -> FormatError {
    FormatError(
      "VMDK marker", at: sector * VMDKHeader.sector,
      .impossible("tables behind the grains as well as in front of them"))
  }

  mutating func release(_ parts: inout GrainAssembler) throws -> Bool { true }

  mutating func finish(_ parts: inout GrainAssembler) throws {
    if let expected {
      throw FormatError(
        "VMDK", at: expected.sector * VMDKHeader.sector,
        .impossible("grain \(expected.index) is in the tables, but did not come"))
    }
  }

  func save(_ write: (Span<UInt8>, UInt64) throws -> Void) throws {}
}

/// Tables that follow their grains, as whoever writes into a pipe must place them.
struct TrailingTables: GrainOrder {
  /// The grains of one table.
  private struct Area {
    let table: UInt64
    var grains: [StreamedGrain] = []
    /// Where the table lies, once it has come.
    var sector: UInt64?
  }

  private let header: VMDKHeader
  /// What waits, in the disk's order.
  private var areas: [Area] = []
  private var pendingByteCount = 0
  /// The first table that was not given on yet.
  private var frontier: UInt64 = 0
  /// Where each table lies.
  private var places: [UInt64: UInt32] = [:]
  /// Where tables without entries lie: a directory may name them for any place.
  private var emptyPlaces: Set<UInt32> = []
  private var directory: UInt64?
  private var hasFooter = false

  init(_ header: VMDKHeader) { self.header = header }

  let mayEndHere = false

  private func refuse(_ sector: UInt64, _ text: String) -> FormatError {
    FormatError("VMDK marker", at: sector * VMDKHeader.sector, .impossible(text))
  }

  /// Where the area of a table is in `areas`, or belongs.
  private func place(of table: UInt64) -> Int {
    var low = 0
    var high = areas.count
    while low < high {
      let middle = (low + high) / 2
      if areas[middle].table < table { low = middle + 1 } else { high = middle }
    }
    return low
  }

  mutating func add(_ grain: StreamedGrain, _ parts: inout GrainAssembler) throws {
    let table = grain.index / header.entries
    guard directory == nil, table >= frontier, places[table] == nil else {
      throw refuse(grain.sector, "grain \(grain.index) comes after what tells that it has none")
    }
    let place = place(of: table)
    if place == areas.count || areas[place].table != table {
      areas.insert(Area(table: table), at: place)
    }
    areas[place].grains.append(grain)
    pendingByteCount += grain.bytes.count + MemoryLayout<StreamedGrain>.size
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
    let owner = areas.firstIndex { area in
      area.sector == nil && area.grains.contains { $0.sector == first.sector }
    }
    guard let owner else { throw refuse(sector, "a table of grains that did not come") }
    let table = areas[owner].table
    areas[owner].grains.sort { $0.index < $1.index }
    let found = areas[owner].grains
    guard found.count == entries.count,
      zip(found, entries).allSatisfy({
        $0.index == table * header.entries + $1.slot && $0.sector == $1.sector
      })
    else { throw refuse(sector, "a table that does not tell of the grains that came") }
    areas[owner].sector = sector
    places[table] = short
  }

  mutating func check(entries: UInt64, at sector: UInt64, _ next: () throws -> UInt32) throws {
    guard directory == nil else { throw refuse(sector, "a second grain directory") }
    guard areas.allSatisfy({ $0.sector != nil }) else {
      throw refuse(sector, "a grain directory, but grains came without a table")
    }
    var known = 0
    for table in 0..<entries {
      let entry = try next()
      if let place = places[table] {
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
      guard let first = areas.first, first.sector != nil else { return false }
      try give(areas.removeFirst(), &parts)
    }
    return true
  }

  private mutating func give(_ area: Area, _ parts: inout GrainAssembler) throws(FormatError) {
    for grain in area.grains {
      pendingByteCount -= grain.bytes.count + MemoryLayout<StreamedGrain>.size
      try parts.add(grain)
    }
    frontier = area.table + 1
  }

  mutating func finish(_ parts: inout GrainAssembler) throws {
    guard directory != nil, hasFooter else {
      throw FormatError("VMDK", at: 0, .impossible("it ends without grain directory and footer"))
    }
    for area in areas { try give(area, &parts) }
    areas = []
  }

  func save(_ write: (Span<UInt8>, UInt64) throws -> Void) throws {
    for area in areas {
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
        let isNext = grains.first?.index == area.table * header.entries + slot
        builder.u32(isNext ? UInt32(truncatingIfNeeded: grains.removeFirst().sector) : 0)
      }
      let bytes = builder.bytes
      try write(bytes.span, sector * VMDKHeader.sector)
    }
  }
}
