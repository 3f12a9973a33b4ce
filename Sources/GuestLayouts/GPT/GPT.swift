internal import Blocks
internal import Bytes
internal import Codecs

/// The GUID partition table, in sectors of 512 or 4096 bytes.
///
/// The first copy counts; the one in the disk's last sector is used when the first is damaged.
/// The table is there when the MBR points to it, or when there is no other table.
enum GPT: GuestLayout {
  static let name = "GPT"
  static let isTable = true

  /// A header that passed its checks, with the entries' bytes.
  private struct Copy {
    let header: GPTHeader
    let entries: [UInt8]
    let unit: UInt64
  }

  static func find(in area: GuestArea) throws -> [GuestFinding] {
    let record = MBR.table(in: area)
    let isAnnounced = record?.entries.contains(where: \.isProtective) ?? false
    guard isAnnounced || record == nil else { return [] }

    var problems: [String] = []
    for unit in units(of: area) {
      guard let copy = try copy(at: 1, unit: unit, of: area, &problems) else { continue }
      var finding = try finding(of: copy, in: area, record)
      if !isAnnounced { finding.warnings.append("no protective MBR points to the GPT") }
      return [finding]
    }
    // A copy at the end alone may be left over from a table that was overwritten long ago.
    guard isAnnounced || !problems.isEmpty else { return [] }

    for unit in units(of: area) where area.size / unit > 2 {
      let last = area.size / unit - 1
      guard let copy = try copy(at: last, unit: unit, of: area, &problems) else { continue }
      var finding = try finding(of: copy, in: area, record)
      finding.warnings.insert("the GPT is damaged: its copy at the disk's end is used", at: 0)
      return [finding]
    }
    var finding = GuestFinding(name, note: "damaged")
    finding.warnings = ["the GPT is damaged, and so is its copy"] + problems
    return [finding]
  }

  /// The sector sizes to try, the disk's own first.
  private static func units(of area: GuestArea) -> [UInt64] {
    area.source.sectorSize == 4096 ? [4096, 512] : [512, 4096]
  }

  /// The copy whose header is in `sector`; nil when there is none, or none in order.
  private static func copy(
    at sector: UInt64, unit: UInt64, of area: GuestArea, _ problems: inout [String]
  ) throws -> Copy? {
    guard let bytes = try area.source.bytes(Int(unit), at: sector * unit),
      bytes.starts(with: Array(GPTHeader.signature.utf8))
    else { return nil }
    do {
      let header = try GPTHeader(parsing: bytes, sector: sector)
      let entries = try entries(of: header, unit, area)
      return Copy(header: header, entries: entries, unit: unit)
    } catch let error as FormatError {
      problems.append("\(error)")
      return nil
    }
  }

  private static func entries(
    of header: GPTHeader, _ unit: UInt64, _ area: GuestArea
  ) throws -> [UInt8] {
    guard header.entriesSector < area.size / unit,
      let entries = try area.source.bytes(header.entriesByteCount, at: header.entriesSector * unit)
    else {
      throw FormatError(
        "GPT header", at: header.sector * unit, .impossible("entries beyond the end"))
    }
    let computed = CRC32.of(entries.span)
    guard computed == header.entriesChecksum else {
      throw FormatError(
        "GPT entries", at: header.entriesSector * unit,
        .badChecksum(stored: UInt64(header.entriesChecksum), computed: UInt64(computed)))
    }
    return entries
  }

  private static func finding(
    of copy: Copy, in area: GuestArea, _ record: BootRecord?
  ) throws -> GuestFinding {
    var finding = GuestFinding(name, uuid: GuestText.guid(copy.header.diskIdentifier))
    let sectorCount = area.size / copy.unit
    let step = Int(copy.header.entrySize)
    for index in 0..<Int(copy.header.entryCount) {
      let bytes = copy.entries.span.extracting(index * step..<(index + 1) * step)
      let entry = try GPTEntry(
        parsing: bytes, at: copy.header.entriesSector * copy.unit + UInt64(index * step))
      guard entry.isUsed else { continue }
      guard entry.first <= entry.last, entry.last < sectorCount else {
        finding.warnings.append("partition \(index + 1) does not lie on the disk")
        continue
      }
      var partition = GuestPartition(
        number: index + 1, type: typeName(entry.type), name: entry.name,
        range: entry.first * copy.unit..<(entry.last + 1) * copy.unit)
      partition.uuid = entry.uuid
      finding.partitions.append(partition)
    }
    reserve(copy, record, sectorCount, in: &finding)
    return finding
  }

  /// Keeps the table's own sectors, and what an MBR beside it calls a partition of its own.
  private static func reserve(
    _ copy: Copy, _ record: BootRecord?, _ sectorCount: UInt64, in finding: inout GuestFinding
  ) {
    let unit = copy.unit
    finding.reserved.insert(0..<2 * unit)
    // Both ends, whichever copy is in use: the other one is needed on the way back, too.
    let entriesSectors = (UInt64(copy.header.entriesByteCount) + unit - 1) / unit
    let start = copy.header.entriesSector * unit
    finding.reserved.insert(start..<start + entriesSectors * unit)
    let end = sectorCount * unit
    finding.reserved.insert(end - min(end, (entriesSectors + 1) * unit)..<end)
    for sector in [copy.header.sector, copy.header.otherSector] where sector < sectorCount {
      finding.reserved.insert(sector * unit..<(sector + 1) * unit)
    }
    for entry in record?.entries ?? [] where entry.isUsed && !entry.isProtective {
      let range = MBR.partition(entry, number: 0, from: 0, unit).range
      if !finding.partitions.contains(where: { $0.range == range }) {
        finding.reserved.insert(range)
      }
    }
  }

  private static func typeName(_ type: [UInt8]) -> String {
    let guid = GuestText.guid(type) ?? ""
    return typeNames[guid] ?? guid
  }

  private static let typeNames = [
    "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f": "Linux swap",
    "0fc63daf-8483-4772-8e79-3d69d8477de4": "Linux",
    "21686148-6449-6e6f-744e-656564454649": "BIOS boot",
    "44479540-f297-41b2-9af7-d131d5f0458a": "Linux root (x86)",
    "4f68bce3-e8cd-4db1-96e7-fbcaf984b709": "Linux root (x86-64)",
    "516e7cb4-6ecf-11d6-8ff8-00022d09712b": "FreeBSD",
    "516e7cb5-6ecf-11d6-8ff8-00022d09712b": "FreeBSD swap",
    "516e7cba-6ecf-11d6-8ff8-00022d09712b": "FreeBSD ZFS",
    "5808c8aa-7e8f-42e0-85d2-e1e90434cfb3": "Windows dynamic disk metadata",
    "6a898cc3-1dd2-11b2-99a6-080020736631": "ZFS",
    "933ac7e1-2eb4-4f13-b844-0e14e2aef915": "Linux home",
    "a19d880f-05fc-4d3b-a006-743f0f84911e": "Linux RAID",
    "aa31e02a-400f-11db-9590-000c2911d1b8": "VMware VMFS",
    "af9b60a0-1431-4f62-bc68-3311714a69ad": "Windows dynamic disk",
    "b921b045-1df0-41c3-af44-4c6f280d3fae": "Linux root (ARM64)",
    "bc13c2ff-59e6-4262-a352-b275fd6f7172": "Linux boot",
    "c12a7328-f81f-11d2-ba4b-00a0c93ec93b": "EFI system",
    "ca7d7ccb-63ed-4c53-861c-1742536059cc": "Linux LUKS",
    "de94bba4-06d1-4d40-a16a-bfd50179d6ac": "Windows recovery",
    "e3c9e316-0b5c-4db8-817d-f92df00215ae": "Microsoft reserved",
    "e6d6d379-f507-44c2-a23c-238f2a3df928": "Linux LVM",
    "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7": "Microsoft basic data",
  ]
}
