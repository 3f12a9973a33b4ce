internal import Blocks
internal import GuestLayouts
internal import Reading

/// What `--list --json` prints.
struct ListingReport: Encodable {
  struct Volume: Encodable {
    let name: String
    let source: String
    let format: String
    let size: UInt64
    let sectorSize: UInt32
    let table: Content?
    let contents: [Content]
    /// Bytes by kind.
    let bytes: [String: UInt64]
    /// Whether everything was read for `bytes`, or only the allocation looked at.
    let exact: Bool
    /// The kinds of holes that reading makes, besides excluded files: those of `--skip`, or assumed.
    let skip: [String]
    /// How many files lose something.
    let excludedFiles: Int
    /// Those that lose most, at most 1000, the largest loss first.
    let skipped: [File]

    enum CodingKeys: String, CodingKey {
      case name
      case source
      case format
      case size
      case sectorSize = "sector_size"
      case table
      case contents
      case bytes
      case exact
      case skip
      case excludedFiles = "skipped_files"
      case skipped
    }
  }

  struct File: Encodable {
    let path: String
    let kind: String
    let bytes: UInt64
  }

  struct Partition: Encodable {
    let number: Int
    let type: String
    let name: String?
    let start: UInt64
    let length: UInt64
    let extended: Bool
    let contents: [Content]
  }

  struct Content: Encodable {
    let kind: String
    let label: String?
    let uuid: String?
    let note: String?
    /// Bytes of the file system, and those in use, as far as it tells them.
    let size: UInt64?
    let used: UInt64?
    let partitions: [Partition]?
  }

  struct Group: Encodable {
    struct Volume: Encodable {
      let name: String
      let size: UInt64
      let contents: [Content]?
      let note: String?
    }

    let name: String
    let uuid: String?
    let note: String?
    /// Its physical volumes that are on none of the sources.
    let missing: [String]
    let volumes: [Volume]
  }

  let volumes: [Volume]
  let groups: [Group]
  let warnings: [String]
  let missing: [String]

  init(
    _ volumes: [ListedVolume], _ groups: [VolumeGroup], _ counts: [ByteCounts], exact: Bool,
    warnings: [String],
    missing: [String]
  ) {
    self.volumes = zip(volumes, counts).map { Volume($0, $1, exact: exact) }
    self.groups = groups.map { group in
      Group(
        name: group.name, uuid: group.uuid, note: group.note, missing: group.missing,
        volumes: group.volumes.map { volume in
          Group.Volume(
            name: volume.name, size: volume.byteCount,
            contents: volume.volume?.contents.map { Content($0) }, note: volume.doubt)
        })
    }
    self.warnings = warnings
    self.missing = missing
  }
}

extension ListingReport.Volume {
  init(_ volume: ListedVolume, _ counts: ByteCounts, exact: Bool) {
    name = volume.header.name
    source = volume.header["source"] ?? ""
    format = volume.header.format ?? ""
    size = volume.header.size
    sectorSize = volume.header.sectorSize
    table = volume.layout?.table.map { .init($0) }
    contents = (volume.layout?.contents ?? []).map { .init($0) }
    var bytes = ["data": counts.data]
    for (kind, count) in counts.holes { bytes[kind.name] = count }
    self.bytes = bytes
    self.exact = exact
    skip = volume.kinds
    excludedFiles = volume.files?.count ?? 0
    skipped = (volume.files?.largest ?? []).map {
      .init(path: $0.path, kind: $0.kind.name, bytes: $0.byteCount)
    }
  }
}

extension ListingReport.Content {
  init(_ finding: GuestFinding) {
    kind = finding.kind
    label = finding.label
    uuid = finding.uuid
    note = finding.note
    size = finding.fileSystem?.byteCount
    used = finding.fileSystem?.bytesInUse
    partitions = finding.partitions.isEmpty ? nil : finding.partitions.map { .init($0) }
  }
}

extension ListingReport.Partition {
  init(_ partition: GuestPartition) {
    number = partition.number
    type = partition.type
    name = partition.name
    start = partition.range.lowerBound
    length = partition.range.upperBound - partition.range.lowerBound
    extended = partition.isContainer
    contents = partition.contents.map { .init($0) }
  }
}
