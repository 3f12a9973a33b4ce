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
