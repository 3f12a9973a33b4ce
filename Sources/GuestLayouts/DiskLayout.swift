public import Blocks

/// What a disk holds as far as it can be seen from outside, and what of it may be left out.
public struct DiskLayout: Sendable {
  /// The partition table, with its partitions and their contents.
  public private(set) var table: GuestFinding?
  /// What is on a disk without a table.
  public private(set) var contents: [GuestFinding] = []
  /// What may be left out of a backup, by kind, in bytes of the disk.
  public private(set) var skippable: [HoleKind: ExtentSet] = [:]
  /// Damage, and why something is not left out.
  public private(set) var warnings: [String] = []

  /// The most partitions of a table that are looked into; the kernel shows no more either.
  static let partitionLimit = 256

  /// Looks at a disk.
  ///
  /// Damage and read errors become warnings; then more is read, never less.
  public init(of disk: any BlockSource) {
    do {
      let area = try GuestArea(disk)
      for layout in GuestLayouts.all where layout.isTable {
        table = try layout.find(in: area).first
        if table != nil { break }
      }
      if table == nil {
        contents = try DiskLayout.contents(of: area)
        note(contents, at: 0, in: "the disk")
      }
    } catch {
      warnings.append("the disk's layout cannot be read: \(error)")
    }
    lookIntoPartitions(of: disk)
    warnings.insert(contentsOf: table?.warnings ?? [], at: 0)
  }

  /// All that the layouts find in an area without a table.
  private static func contents(of area: GuestArea) throws -> [GuestFinding] {
    try GuestLayouts.all.filter { !$0.isTable }.flatMap { try $0.find(in: area) }
  }

  private mutating func lookIntoPartitions(of disk: any BlockSource) {
    guard var table else { return }
    let partitions = table.partitions
    guard partitions.count <= DiskLayout.partitionLimit else {
      warnings.append(
        "more than \(DiskLayout.partitionLimit) partitions: none of them is looked into")
      return
    }
    for (index, partition) in partitions.enumerated() {
      guard !partition.isContainer, !partition.range.isEmpty else { continue }
      let title = "partition \(partition.number)"
      guard partition.range.upperBound <= disk.size else {
        warnings.append("\(title) reaches beyond the end of the disk")
        continue
      }
      do {
        let found = try DiskLayout.contents(of: GuestArea(WindowSource(disk, partition.range)))
        table.partitions[index].contents = found
        if DiskLayout.hasNeighbours(partition, in: table) {
          guard found.contains(where: { !$0.skippable.isEmpty }) else { continue }
          warnings.append("\(title) overlaps something else: nothing of it is skipped")
        } else {
          note(found, at: partition.range.lowerBound, in: title)
        }
      } catch {
        warnings.append("\(title) cannot be looked into: \(error)")
      }
    }
    self.table = table
  }

  /// Whether another partition or the table itself lies in the partition's range.
  private static func hasNeighbours(_ partition: GuestPartition, in table: GuestFinding) -> Bool {
    let range = partition.range
    guard table.reserved.intersection(range).isEmpty else { return true }
    return table.partitions.contains {
      $0.number != partition.number && $0.number != partition.container && !$0.range.isEmpty
        && $0.range.overlaps(range)
    }
  }

  /// Takes over what may be skipped, unless signatures contradict each other.
  private mutating func note(_ found: [GuestFinding], at start: UInt64, in title: String) {
    for finding in found { warnings += finding.warnings.map { "\(title): \($0)" } }
    guard found.contains(where: { !$0.skippable.isEmpty }) else { return }
    guard found.count == 1 else {
      let kinds = found.map(\.kind).joined(separator: " and ")
      warnings.append("\(title) looks like \(kinds): nothing of it is skipped")
      return
    }
    for (kind, extents) in found[0].skippable {
      for range in extents.ranges {
        skippable[kind, default: ExtentSet()].insert(
          range.lowerBound + start..<range.upperBound + start)
      }
    }
  }
}
