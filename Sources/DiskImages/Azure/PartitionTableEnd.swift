internal import Bytes
internal import Codecs

/// The backup of a GUID partition table, which must lie at the very end of its disk.
///
/// A disk that grows leaves its backup behind. Firmware and kernels look for it in the last
/// sector only, and the table's own header says where the disk ended. The fields that matter, all
/// little-endian, of the header in the second sector (UEFI Specification, "GPT Header"):
///
///     offset size  field
///          0    8  signature         "EFI PART"
///         12    4  header size
///         16    4  header checksum   CRC-32 of the header with this field zero
///         24    8  own sector
///         32    8  sector of the backup
///         48    8  last usable sector
///         72    8  first sector of the entries
///         80    4  number of entries
///         84    4  size of an entry
///         88    4  entries' checksum CRC-32
///
/// Works on the first bytes of a disk alone, so that the disk can be grown while it flows by.
public struct PartitionTableEnd: Equatable, Sendable {
  /// How many bytes of a disk's start are looked at; a table that lies elsewhere is left alone.
  public static let startByteCount: UInt64 = 4 << 20
  /// The most bytes that all entries may take; usual are 16 KiB.
  static let entriesByteLimit: UInt64 = 1 << 20

  /// Bytes to put in place of others.
  public struct Patch: Equatable, Sendable {
    /// Where on the disk, in bytes.
    public let offset: UInt64
    public let bytes: [UInt8]
  }

  /// What growing asks for.
  public enum Plan: Equatable, Sendable {
    /// There is no GPT.
    case none
    /// There is one, but it cannot be moved, for this reason.
    case stuck(String)
    /// Patches of the start, the new backup that reaches to the disk's end, and the one so far.
    case move(start: [Patch], end: Patch, old: Backup)
  }

  /// Where a disk's backup is before it is moved, so that nothing else is written over.
  public struct Backup: Equatable, Sendable {
    fileprivate let unit: UInt64
    /// Of its header, in bytes.
    fileprivate let place: UInt64
    fileprivate let entries: [UInt8]

    /// The first byte that is neither zero nor the backup's.
    ///
    /// - Parameters:
    ///   - bytes: The disk's last bytes.
    ///   - offset: Where on the disk they start.
    /// - Returns: Where on the disk it is; nil when there is none.
    public func firstOther(in bytes: [UInt8], at offset: UInt64) -> UInt64? {
      var header: Range<UInt64> = 0..<0
      var table: Range<UInt64> = 0..<0
      if place >= offset, let sector = PartitionTableEnd.slice(bytes.span, place - offset, unit),
        sector.starts(with: Array("EFI PART".utf8)), PartitionTableEnd.isSound(sector),
        PartitionTableEnd.field(sector, 24) == place / unit
      {
        header = place..<place + unit
        let (start, overflow) = PartitionTableEnd.field(sector, 72).multipliedReportingOverflow(
          by: unit)
        if !overflow, start <= place { table = start..<start + UInt64(entries.count) }
      }
      let index = bytes.indices.first { index in
        let place = offset + UInt64(index)
        guard bytes[index] != 0, !header.contains(place) else { return false }
        return !table.contains(place) || entries[Int(place - table.lowerBound)] != bytes[index]
      }
      return index.map { offset + UInt64($0) }
    }
  }

  private let unit: UInt64
  private var header: [UInt8]
  private var entries: [UInt8] = []

  /// Plans the move of the backup for a disk that grows.
  ///
  /// - Parameters:
  ///   - start: The disk's first bytes, at most `startByteCount`.
  ///   - size: The size that the disk will have, in bytes.
  /// - Returns: What to put where.
  public static func plan(_ start: Span<UInt8>, growingTo size: UInt64) -> Plan {
    for unit in [512, 4096] as [UInt64] {
      guard let header = slice(start, unit, unit), header.starts(with: Array("EFI PART".utf8))
      else { continue }
      guard size % unit == 0 else { return .stuck("the new size is no multiple of \(unit)") }
      guard let table = PartitionTableEnd(header, unit, start) else {
        return .stuck("its header or its entries are damaged")
      }
      return table.plan(start, size / unit)
    }
    return .none
  }

  /// Whether the backup lies where the disk ends.
  ///
  /// - Parameters:
  ///   - start: The disk's first bytes.
  ///   - last: The disk's last bytes, a multiple of 4,096 of them.
  ///   - size: The disk's size in bytes.
  /// - Returns: Whether it does; nil when the disk has no sound GPT.
  public static func isInPlace(
    _ start: Span<UInt8>, last: Span<UInt8>, size: UInt64
  ) -> Bool? {
    for unit in [512, 4096] as [UInt64] {
      guard let header = slice(start, unit, unit),
        let table = PartitionTableEnd(header, unit, start)
      else { continue }
      let lastSector = size / unit - 1
      guard size % unit == 0, UInt64(last.count) >= unit,
        let backup = slice(last, UInt64(last.count) - unit, unit)
      else { return false }
      return table.field(32) == lastSector && backup.starts(with: Array("EFI PART".utf8))
        && PartitionTableEnd.field(backup, 24) == lastSector && isSound(backup)
    }
    return nil
  }

  /// Takes a header only when it and its entries are sound.
  private init?(_ header: [UInt8], _ unit: UInt64, _ start: Span<UInt8>) {
    self.unit = unit
    self.header = header
    guard PartitionTableEnd.isSound(header), field(24) == 1 else { return nil }
    let count = field(80, 4)
    let size = field(84, 4)
    guard size >= 128, size % 8 == 0, size <= 4096,
      count <= PartitionTableEnd.entriesByteLimit / size, count > 0,
      field(72) <= PartitionTableEnd.startByteCount / unit,
      let entries = PartitionTableEnd.slice(start, field(72) * unit, count * size),
      UInt64(CRC32.of(entries.span)) == field(88, 4)
    else { return nil }
    self.entries = entries
  }

  private func plan(_ start: Span<UInt8>, _ sectorCount: UInt64) -> Plan {
    let entriesSectors = (UInt64(entries.count) + unit - 1) / unit
    guard sectorCount > entriesSectors + 2 else { return .stuck("the disk is too small") }
    let last = sectorCount - 1
    let entriesStart = last - entriesSectors
    let step = Int(field(84, 4))
    for index in stride(from: 0, to: entries.count, by: step) {
      let entry = Array(entries[index..<index + step])
      guard entry[0..<16].contains(where: { $0 != 0 }) else { continue }
      guard PartitionTableEnd.field(entry, 40) < entriesStart else {
        return .stuck("partition \(index / step + 1) reaches into the disk's end")
      }
    }
    var primary = self
    primary.set(32, last)
    primary.set(48, entriesStart - 1)
    primary.seal()
    var backup = primary
    backup.set(24, last)
    backup.set(32, 1)
    backup.set(72, entriesStart)
    backup.seal()
    var patches = [Patch(offset: unit, bytes: primary.header)]
    if let record = protectiveRecord(start, sectorCount) {
      patches.insert(Patch(offset: 0, bytes: record), at: 0)
    }
    let padding = Int(entriesSectors * unit) - entries.count
    let (place, overflow) = field(32).multipliedReportingOverflow(by: unit)
    return .move(
      start: patches,
      end: Patch(
        offset: entriesStart * unit,
        bytes: entries + [UInt8](repeating: 0, count: padding) + backup.header),
      old: Backup(unit: unit, place: overflow ? .max : place, entries: entries))
  }

  /// The first 512 bytes with the protective partition grown to the disk's end, where it had a size.
  private func protectiveRecord(_ start: Span<UInt8>, _ sectorCount: UInt64) -> [UInt8]? {
    guard var record = PartitionTableEnd.slice(start, 0, 512), record[510] == 0x55,
      record[511] == 0xaa
    else { return nil }
    for entry in stride(from: 446, to: 510, by: 16) where record[entry + 4] == 0xee {
      let old = PartitionTableEnd.field(record, entry + 12, 4)
      // Some writers always say that it reaches as far as the field can tell.
      guard PartitionTableEnd.field(record, entry + 8, 4) == 1, old != 0xffff_ffff else { continue }
      let grown = min(sectorCount - 1, 0xffff_ffff)
      for index in 0..<4 {
        record[entry + 12 + index] = UInt8(truncatingIfNeeded: grown >> UInt64(index * 8))
      }
      return record
    }
    return nil
  }
}

/// Fields by their place.
extension PartitionTableEnd {
  fileprivate static func slice(_ bytes: Span<UInt8>, _ offset: UInt64, _ count: UInt64) -> [UInt8]?
  {
    let total = UInt64(bytes.count)
    guard offset <= total, count <= total - offset else { return nil }
    return [UInt8](bytes.extracting(Int(offset)..<Int(offset + count)))
  }

  fileprivate static func field(_ bytes: [UInt8], _ offset: Int, _ count: Int = 8) -> UInt64 {
    (0..<count).reversed().reduce(0) { $0 << 8 | UInt64(bytes[offset + $1]) }
  }

  private func field(_ offset: Int, _ count: Int = 8) -> UInt64 {
    PartitionTableEnd.field(header, offset, count)
  }

  private mutating func set(_ offset: Int, _ value: UInt64, _ count: Int = 8) {
    for index in 0..<count {
      header[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(index * 8))
    }
  }

  private mutating func seal() {
    set(16, 0, 4)
    set(16, UInt64(CRC32.of(header.span.extracting(0..<Int(field(12, 4))))), 4)
  }

  fileprivate static func isSound(_ header: [UInt8]) -> Bool {
    let count = field(header, 12, 4)
    guard count >= 92, count <= UInt64(header.count) else { return false }
    var summed = Array(header[0..<Int(count)])
    for index in 16..<20 { summed[index] = 0 }
    return UInt64(CRC32.of(summed.span)) == field(header, 16, 4)
  }
}
