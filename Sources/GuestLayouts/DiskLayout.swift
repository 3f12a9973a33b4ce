public import Blocks

/// What a disk holds as far as it can be seen from outside.
public struct DiskLayout: Sendable {
  /// The partition table, with its partitions and their contents.
  public private(set) var table: GuestFinding?
  /// What is on a disk without a table.
  public var contents: [GuestFinding] { table == nil ? volumes.first?.contents ?? [] : [] }
  /// The disk itself when it has no table, or its partitions.
  public private(set) var volumes: [GuestVolume] = []
  /// Whether the disk is a part of something else, although it has a table, or may be.
  private var isPart = false
  /// Damage, and why something is not left out.
  public internal(set) var warnings: [String] = []

  /// The most partitions of a table that are looked into; the kernel shows no more either.
  static let partitionLimit = 256

  /// Looks at a disk.
  ///
  /// Damage and read errors become warnings; then more is read, never less.
  ///
  /// - Parameters:
  ///   - disk: The disk.
  ///   - number: Its index among the disks of its machine.
  public init(of disk: any BlockSource, number: Int = 0) {
    do {
      let area = try GuestArea(disk)
      for layout in GuestLayouts.all where layout.isTable {
        table = try layout.find(in: area).first
        if table != nil { break }
      }
      if table != nil {
        isPart = true
        isPart = try looksLikeAVolume(area)
      } else {
        take(
          GuestVolume(
            title: "the disk", placement: Placement(disk: number, range: 0..<disk.size),
            source: disk, contents: try GuestLayouts.contents(of: area)))
      }
    } catch {
      warnings.append("the disk's layout cannot be read: \(error)")
    }
    lookIntoPartitions(of: disk, number)
    warnings.insert(contentsOf: table?.warnings ?? [], at: 0)
  }

  /// Whether the disk as a whole looks like something else than what its table says; a warning tells.
  ///
  /// A mirror of which the superblock is at the end looks like the disk that it is half of, and what
  /// is on a disk as a whole may have left the table that was there before.
  private mutating func looksLikeAVolume(_ area: GuestArea) throws -> Bool {
    let found = try GuestLayouts.contents(of: area, withTables: false)
    for finding in found {
      let note = finding.note.map { " (\($0))" } ?? ""
      warnings.append(
        "the disk as a whole looks like \(finding.kind)\(note): nothing of its partitions is skipped"
      )
    }
    return !found.isEmpty
  }

  private mutating func lookIntoPartitions(of disk: any BlockSource, _ number: Int) {
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
        let source = WindowSource(disk, partition.range)
        let found = try DiskLayout.contents(of: partition, source)
        table.partitions[index].contents = found
        var volume = GuestVolume(
          title: title, placement: Placement(disk: number, range: partition.range),
          source: source, contents: found)
        volume.partition = partition
        volume.isAlone = !isPart && !DiskLayout.hasNeighbours(partition, in: table)
        take(volume)
      } catch {
        warnings.append("\(title) cannot be looked into: \(error)")
      }
    }
    self.table = table
  }

  private static func contents(
    of partition: GuestPartition, _ source: any BlockSource
  ) throws -> [GuestFinding] {
    // What seems to be a file system there may be a part of one, or a mirror of a stale one.
    if partition.type.hasPrefix("Windows dynamic disk") {
      return [GuestFinding(partition.type, note: "not looked into, read whole")]
    }
    return try GuestLayouts.contents(of: GuestArea(source))
  }

  private mutating func take(_ volume: GuestVolume) {
    warnings += volume.troubles
    volumes.append(volume)
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
}

extension GuestLayouts {
  /// All that the layouts find in an area that is not divided itself.
  ///
  /// A table inside a partition or a logical volume is a content like others: it makes the area
  /// somebody else's disk, such as that of a virtual machine, whatever was there before.
  ///
  /// - Parameter withTables: Whether such tables are looked for.
  public static func contents(
    of area: GuestArea, withTables: Bool = true
  ) throws -> [GuestFinding] {
    let found = try all.filter { !$0.isTable }.flatMap { try $0.find(in: area) }
    guard withTables else { return found }
    guard let table = try all.first(where: { try $0.isTable && !$0.find(in: area).isEmpty }) else {
      return found
    }
    return found + [GuestFinding("\(table.name) partition table", note: "read whole")]
  }
}

extension GuestVolume {
  /// What the user should know of it: its damage, and why nothing of it is left out.
  var troubles: [String] {
    let damage = contents.flatMap { $0.warnings.map { "\(title): \($0)" } }
    guard isPromising else { return damage }
    if !isAlone { return ["\(title) overlaps something else: nothing of it is skipped"] }
    guard contents.count > 1 else { return damage }
    let kinds = contents.map(\.kind).joined(separator: " and ")
    return damage + ["\(title) looks like \(kinds): nothing of it is skipped"]
  }
}
