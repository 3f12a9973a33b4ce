internal import Blocks
internal import Bytes

/// Judges the two region tables of a VHDX, and where the regions lie.
struct VHDXRegionCheck {
  private static let name = "VHDX region table"
  private let file: any BlockSource
  private(set) var findings: [Finding] = []
  /// Regions of other programs.
  private(set) var others: [Range<UInt64>] = []

  /// - Parameter file: The file, with its log replayed.
  init(_ file: any BlockSource) { self.file = file }

  /// - Parameter log: Where the log lies.
  /// - Returns: The regions that are possible.
  mutating func run(log: Range<UInt64>?) throws -> [GUID: Range<UInt64>] {
    var whole: [(place: UInt64, bytes: [UInt8], entries: [VHDXRegionEntry])] = []
    var troubles: [FormatError] = []
    for place in VHDX.tableOffsets {
      do {
        let bytes = try VHDXRegionCheck.bytes(of: file, at: place)
        whole.append((place, bytes, try VHDXRegionTable.entries(of: bytes, at: place)))
      } catch let error as FormatError {
        troubles.append(error)
      }
    }
    findings += troubles.map { Finding(whole.isEmpty ? .refusal : .problem, $0) }
    guard let first = whole.first else { return [:] }
    if whole.count == 2,
      let index = first.bytes.indices.first(where: { first.bytes[$0] != whole[1].bytes[$0] })
    {
      findings.append(
        Finding(
          .problem, VHDXRegionCheck.name, at: whole[1].place + UInt64(index),
          "differs from the first table"))
    }
    judgeReserved(first.bytes, first.entries.count, at: first.place)
    let regions = judge(first.entries, at: first.place)
    judgePlaces(first.entries, log)
    return regions
  }

  /// A table's bytes, sound or not.
  static func bytes(of file: any BlockSource, at place: UInt64) throws -> [UInt8] {
    guard let bytes = try file.bytes(VHDXRegionTable.byteCount, at: place) else {
      throw FormatError(name, at: place, .truncated)
    }
    return bytes
  }

  private mutating func judgeReserved(_ bytes: [UInt8], _ count: Int, at place: UInt64) {
    var list = FindingList(VHDXRegionCheck.name, at: place)
    let used = 16 + count * 32
    if let index = (Array(12..<16) + Array(used..<bytes.count)).first(where: { bytes[$0] != 0 }) {
      list.add(.problem, at: UInt64(index), .impossible("a reserved byte is not zero"))
    }
    findings += list.findings
  }

  private mutating func judge(
    _ entries: [VHDXRegionEntry], at place: UInt64
  ) -> [GUID: Range<UInt64>] {
    var list = FindingList(VHDXRegionCheck.name, at: 0)
    var regions: [GUID: Range<UInt64>] = [:]
    var seen: Set<GUID> = []
    for entry in entries {
      let isKnown = [VHDX.tableRegion, VHDX.metadataRegion].contains(entry.id)
      list.expect(
        seen.insert(entry.id).inserted, isKnown ? .refusal : .problem, at: entry.place,
        "region \(entry.id) stands twice")
      list.expect(
        entry.flags & ~1 == 0, at: entry.place + 28,
        "unknown flags 0x\(String(entry.flags, radix: 16))")
      if !isKnown {
        if entry.isRequired {
          list.add(.refusal, at: entry.place, .unsupported("region \(entry.id)"))
        } else {
          list.add(.note, at: entry.place, .impossible("a region of another kind: \(entry.id)"))
        }
      }
      guard let range = entry.range else {
        list.add(
          isKnown ? .refusal : .problem, at: entry.place + 16,
          .impossible("a region of \(entry.length) bytes at \(entry.start)"))
        continue
      }
      list.expect(
        range.upperBound <= file.size, at: entry.place + 16,
        "the region at \(entry.start) goes beyond the file's end")
      if isKnown { regions[entry.id] = range } else { others.append(range) }
    }
    for (id, name) in [(VHDX.tableRegion, "block table"), (VHDX.metadataRegion, "metadata")] {
      list.expect(seen.contains(id), .refusal, at: place, "there is no \(name) region")
    }
    findings += list.findings
    return regions
  }

  /// Looks for regions and a log that lie on each other.
  private mutating func judgePlaces(_ entries: [VHDXRegionEntry], _ log: Range<UInt64>?) {
    var places = entries.compactMap { entry in
      entry.range.map { (range: $0, place: entry.place + 16, name: "region") }
    }
    if let log, !log.isEmpty { places.append((log, VHDX.headerOffsets[0] + 72, "log")) }
    places.sort { $0.range.lowerBound < $1.range.lowerBound }
    var reached: UInt64 = VHDX.alignment
    for (range, place, name) in places {
      if range.lowerBound < reached {
        let structure = name == "log" ? "VHDX header" : VHDXRegionCheck.name
        findings.append(
          Finding(
            .problem, structure, at: place,
            "the \(name) at \(range.lowerBound) overlaps what lies before it"))
      }
      reached = max(reached, range.upperBound)
    }
  }
}
