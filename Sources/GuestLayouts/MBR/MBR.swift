internal import Blocks
internal import Bytes

/// The partition table of BIOS times, with the logical partitions of its extended ones.
///
/// An extended partition is a chain of boot records. In each, an entry of an ordinary type counts
/// from that record, and the entry of an extended type names the next record, counted from the
/// extended partition's start.
enum MBR: GuestLayout {
  static let name = "MBR"
  static let isTable = true

  /// The most boot records of one chain that are followed.
  static let chainLimit = 256

  static func find(in area: GuestArea) throws -> [GuestFinding] {
    guard let record = table(in: area) else { return [] }
    let unit = UInt64(area.source.sectorSize)
    let sectorCount = area.size / unit
    var finding = GuestFinding(name, uuid: identifier(of: area))
    finding.reserved.insert(0..<UInt64(BootRecord.byteCount))
    guard record.entries.contains(where: { $0.isUsed && $0.start < sectorCount }) else { return [] }
    if area.holds(GPTHeader.signature, at: 512) || area.holds(GPTHeader.signature, at: 4096) {
      finding.warnings.append("there is a GPT too, but the MBR does not point to it: MBR is used")
    }
    for (index, entry) in record.entries.enumerated() where entry.isUsed {
      finding.partitions.append(partition(entry, number: index + 1, from: 0, unit))
    }
    var chain = Chain(area: area, unit: unit)
    for (index, entry) in record.entries.enumerated() where entry.isExtended {
      try chain.follow(entry, number: index + 1, into: &finding)
    }
    for index in finding.partitions.indices {
      let number = finding.partitions[index].number
      finding.partitions[index].uuid = finding.uuid.map {
        "\($0)-\(number < 16 ? "0" : "")\(String(number, radix: 16))"
      }
    }
    return [finding]
  }

  /// The boot record of a disk that has one with entries, and no file system at its very start.
  static func table(in area: GuestArea) -> BootRecord? {
    guard let bytes = area.bytes(BootRecord.byteCount, at: 0), !KnownContents.isBootSector(area)
    else { return nil }
    guard let record = try? BootRecord(parsing: bytes, at: 0), record.isPlausible,
      record.entries.contains(where: \.isUsed)
    else { return nil }
    return record
  }

  static func partition(
    _ entry: BootRecord.Entry, number: Int, from base: UInt64, _ unit: UInt64
  ) -> GuestPartition {
    // Two 32-bit numbers and a sector size: far below an overflow.
    let start = (base + entry.start) * unit
    var result = GuestPartition(
      number: number, type: typeName(entry.type), range: start..<start + entry.count * unit)
    result.isContainer = entry.isExtended
    return result
  }

  /// The disk's signature, which Windows and `PARTUUID` go by.
  private static func identifier(of area: GuestArea) -> String? {
    guard let number = area.u32(at: 440), number != 0 else { return nil }
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }

  /// A walk through the chains of boot records of one disk.
  private struct Chain {
    let area: GuestArea
    let unit: UInt64
    private var visited: Set<UInt64> = []
    private var nextNumber = 5

    init(area: GuestArea, unit: UInt64) {
      self.area = area
      self.unit = unit
    }

    mutating func follow(
      _ extended: BootRecord.Entry, number: Int, into finding: inout GuestFinding
    ) throws {
      let title = "extended partition \(number)"
      var relative: UInt64 = 0
      for _ in 0..<MBR.chainLimit {
        let sector = extended.start + relative
        guard relative < extended.count,
          let bytes = try area.source.bytes(BootRecord.byteCount, at: sector * unit)
        else {
          finding.warnings.append("\(title): the chain leaves it at sector \(sector)")
          return
        }
        guard visited.insert(sector).inserted else {
          finding.warnings.append("\(title): the chain comes back to sector \(sector)")
          return
        }
        guard let record = try? BootRecord(parsing: bytes, at: sector * unit) else {
          finding.warnings.append("\(title): no boot record at sector \(sector)")
          return
        }
        finding.reserved.insert(sector * unit..<sector * unit + UInt64(BootRecord.byteCount))
        take(record, at: sector, of: extended, number, into: &finding)
        guard let link = record.entries.first(where: \.isExtended) else { return }
        relative = link.start
      }
      finding.warnings.append("\(title): more than \(MBR.chainLimit) boot records")
    }

    private mutating func take(
      _ record: BootRecord, at sector: UInt64, of extended: BootRecord.Entry, _ number: Int,
      into finding: inout GuestFinding
    ) {
      let whole = extended.start..<extended.start + extended.count
      for (index, entry) in record.entries.enumerated() where entry.isUsed && !entry.isExtended {
        let range = sector + entry.start..<sector + entry.start + entry.count
        let isInside = range.clamped(to: whole) == range
        // The last two entries mean nothing to most systems; the kernel takes them if they fit.
        if index >= 2, !isInside { continue }
        var logical = MBR.partition(entry, number: nextNumber, from: sector, unit)
        if isInside {
          logical.container = number
        } else {
          finding.warnings.append("partition \(nextNumber) leaves its extended partition")
        }
        finding.partitions.append(logical)
        nextNumber += 1
      }
    }
  }

  private static func typeName(_ type: UInt8) -> String {
    switch type {
    case 0x01: "FAT12"
    case 0x04, 0x06, 0x0E: "FAT16"
    case 0x05, 0x0F, 0x85: "extended"
    case 0x07: "NTFS or exFAT"
    case 0x0B, 0x0C: "FAT32"
    case 0x27: "Windows recovery"
    case 0x42: "Windows dynamic disk"
    case 0x82: "Linux swap"
    case 0x83: "Linux"
    case 0x8E: "Linux LVM"
    case 0xA5: "FreeBSD"
    case 0xBF: "Solaris"
    case 0xEE: "GPT protective"
    case 0xEF: "EFI system"
    case 0xFB: "VMware VMFS"
    case 0xFD: "Linux RAID"
    default: "type 0x" + (type < 16 ? "0" : "") + String(type, radix: 16)
    }
  }
}
