internal import Blocks
internal import Bytes

/// What a VHDX's metadata table says of one item.
struct VHDXMetadataEntry: Sendable {
  /// Where the entry lies in the file.
  let place: UInt64
  let id: GUID
  /// Where the item lies in the region, and how long it is.
  let offset: UInt64
  let length: UInt64
  /// Bit 0: a user's, 1: of the disk rather than the file, 2: required.
  let flags: UInt32
  let reserved: UInt32

  /// Whether the item can lie there, in a region of `byteCount` bytes.
  func isPossible(in byteCount: UInt64) -> Bool {
    if length == 0 { return offset == 0 }
    return offset >= UInt64(VHDXMetadata.tableByteCount) && offset + length <= byteCount
      && length <= VHDX.alignment
  }
}

/// Judges a VHDX's metadata: the table, and each item that is known.
struct VHDXMetadataCheck {
  private static let name = "VHDX metadata"
  /// What the specification says of the items: [MS-VHDX] 2.6.2.
  static let known: [(id: GUID, name: String, length: UInt64?, flags: UInt32)] = [
    (VHDX.fileParameters, "file parameters", 8, 4), (VHDX.diskSize, "size of the disk", 8, 6),
    (VHDX.diskIdentifier, "identifier of the disk", 16, 6),
    (VHDX.logicalSectorSize, "logical sector size", 4, 6),
    (VHDX.physicalSectorSize, "physical sector size", 4, 6),
    (VHDX.parentLocator, "parent locator", nil, 4),
  ]

  private let file: any BlockSource
  private let region: Range<UInt64>
  private(set) var findings: [Finding] = []

  /// - Parameters:
  ///   - file: The file, with its log replayed.
  ///   - region: Where the metadata region lies in it.
  init(_ file: any BlockSource, _ region: Range<UInt64>) {
    self.file = file
    self.region = region
  }

  /// - Returns: What the items say, where the disk can be read by it.
  mutating func run() throws -> VHDXMetadata? {
    if let entries = try checkTable() {
      judge(entries)
      judgePlaces(entries)
      try judgeItems(entries)
    }
    do {
      let metadata = try VHDXMetadata(of: file, region)
      judge(metadata)
      return metadata
    } catch let error as FormatError {
      // What keeps the disk from being read may have been told already, in other words.
      if !findings.contains(where: { $0.severity == .refusal }) {
        findings.append(Finding(.refusal, error))
      }
      return nil
    }
  }

  private mutating func checkTable() throws -> [VHDXMetadataEntry]? {
    let place = region.lowerBound
    guard let table = try file.bytes(VHDXMetadata.tableByteCount, at: place) else { return nil }
    var list = FindingList(VHDXMetadataCheck.name, at: place)
    defer { findings += list.findings }
    guard table.starts(with: Array("metadata".utf8)) else {
      list.add(.refusal, at: 0, .badMagic)
      return nil
    }
    var cursor = ByteCursor(table.span, of: "VHDX metadata", at: place, .little)
    try cursor.skip(10)
    let count = try cursor.u16()
    try cursor.skip(20)
    var entries: [VHDXMetadataEntry] = []
    guard count <= 2047 else { return nil }
    for _ in 0..<count {
      entries.append(
        VHDXMetadataEntry(
          place: place + UInt64(cursor.position), id: try cursor.guid(),
          offset: UInt64(try cursor.u32()), length: UInt64(try cursor.u32()),
          flags: try cursor.u32(), reserved: try cursor.u32()))
    }
    if let index = (Array(8..<10) + Array(12..<32)).first(where: { table[$0] != 0 }) {
      list.add(.problem, at: UInt64(index), .impossible("a reserved byte is not zero"))
    }
    // Hyper-V leaves entries there that it does not count any more.
    if let index = table[cursor.position...].firstIndex(where: { $0 != 0 }) {
      list.add(.note, at: UInt64(index), .impossible("a byte behind the last entry is not zero"))
    }
    return entries
  }

  private mutating func judge(_ entries: [VHDXMetadataEntry]) {
    var list = FindingList(VHDXMetadataCheck.name, at: 0)
    for entry in entries {
      list.expect(entry.id != .zero, at: entry.place, "an entry without an item")
      let known = VHDXMetadataCheck.known.first { $0.id == entry.id }
      let name = known?.name ?? "item \(entry.id)"
      list.expect(entry.reserved == 0, at: entry.place + 28, "a reserved field is not zero")
      list.expect(
        entry.flags & ~7 == 0, at: entry.place + 24,
        "unknown flags 0x\(String(entry.flags, radix: 16))")
      list.expect(
        entry.isPossible(in: region.upperBound - region.lowerBound), at: entry.place + 16,
        "\(name) of \(entry.length) bytes at \(entry.offset)")
      if let known {
        list.expect(
          entry.flags & 7 == known.flags, at: entry.place + 24,
          "flags 0x\(String(entry.flags, radix: 16)) of the \(name) are not 0x\(known.flags)")
      } else if entry.flags & 4 == 0 {
        list.add(.note, at: entry.place, .impossible("an item of another kind: \(entry.id)"))
      }
    }
    for item in VHDXMetadataCheck.known where item.id != VHDX.parentLocator {
      list.expect(
        entries.contains { $0.id == item.id }, at: region.lowerBound, "there is no \(item.name)")
    }
    findings += list.findings
  }

  private mutating func judgePlaces(_ entries: [VHDXMetadataEntry]) {
    let placed = entries.filter { $0.length > 0 }.sorted { $0.offset < $1.offset }
    var reached: UInt64 = 0
    for entry in placed {
      if entry.offset < reached {
        findings.append(
          Finding(
            .problem, VHDXMetadataCheck.name, at: entry.place + 16,
            "the item at \(entry.offset) overlaps another one"))
      }
      reached = max(reached, entry.offset + entry.length)
    }
  }

  /// Looks at those bits of the items that nobody needs for reading.
  private mutating func judgeItems(_ entries: [VHDXMetadataEntry]) throws {
    let room = region.upperBound - region.lowerBound
    func content(_ id: GUID) throws -> (bytes: [UInt8], place: UInt64)? {
      guard let entry = entries.first(where: { $0.id == id }), entry.length > 0,
        entry.isPossible(in: room),
        let bytes = try file.bytes(Int(entry.length), at: region.lowerBound + entry.offset)
      else { return nil }
      return (bytes, region.lowerBound + entry.offset)
    }
    var hasParent = false
    if let (bytes, place) = try content(VHDX.fileParameters), bytes.count == 8 {
      let flags = bytes.span.little32(at: 4)
      hasParent = flags & 2 == 2
      if flags & ~3 != 0 {
        findings.append(
          Finding(
            .problem, VHDXMetadataCheck.name, at: place + 4,
            "unknown file parameters 0x\(String(flags, radix: 16))"))
      }
    }
    let locator = try content(VHDX.parentLocator)
    if (locator != nil) != hasParent {
      findings.append(
        Finding(
          .problem, VHDXMetadataCheck.name, at: region.lowerBound,
          hasParent
            ? "a differencing disk does not locate its parent"
            : "a disk without a parent locates one"))
    }
    if let locator { findings += VHDXLocatorCheck.findings(locator.bytes, at: locator.place) }
  }

  private mutating func judge(_ metadata: VHDXMetadata) {
    var list = FindingList(VHDXMetadataCheck.name, at: region.lowerBound)
    list.expect(metadata.size > 0, at: 0, "the size of the disk is 0")
    list.expect(
      [512, 4096].contains(metadata.physicalSectorSize), at: 0,
      "physical sectors of \(metadata.physicalSectorSize) bytes")
    list.expect(metadata.identifier != .zero, at: 0, "the identifier of the disk is zero")
    findings += list.findings
  }
}
