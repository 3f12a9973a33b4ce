internal import Blocks
internal import Bytes
internal import GuestLayouts
internal import Reading
internal import ToolSupport

/// A volume and what is known of it.
struct ListedVolume {
  let header: VolumeHeader
  /// Nil where it could not be looked at.
  let layout: DiskLayout?

  init(_ header: VolumeHeader, _ layout: DiskLayout?) {
    self.header = header
    self.layout = layout
  }
}

/// `--list`: what the sources hold.
struct Listing {
  private let feed: SourceFeed
  private let scans: Bool
  private let json: Bool
  private let options: OutputOptions

  init(_ feed: SourceFeed, scans: Bool, json: Bool, _ options: OutputOptions) {
    self.feed = feed
    self.scans = scans
    self.json = json
    self.options = options
  }

  func run() throws {
    var tally = Tally(feed, options)
    var counts: [ByteCounts] = []
    var warnings: [String] = []
    // What arrives in order has to be read to know what there is.
    let scans = scans || feed.hasStreams
    if scans {
      try naming("sources") { try tally.follow { _ in } }
      counts = tally.counts
      warnings = tally.warnings
    } else {
      counts = try naming("sources") { try feed.volumes.map { try $0.allocation() } }
      warnings = feed.takeWarnings()
      if !options.quiet { for text in warnings { Console.warn(text) } }
    }
    let late = tally.headers.dropFirst(feed.volumes.count)
    let volumes =
      feed.volumes.map { ListedVolume($0.header, $0.layout) } + late.map { .init($0, nil) }
    if json {
      try Console.result(
        json: ListingReport(
          volumes, counts, exact: scans, warnings: warnings, missing: feed.missing))
    } else {
      for (volume, count) in zip(volumes, counts) { try show(volume, count, exact: scans) }
    }
    try tally.conclude()
  }

  private func show(
    _ volume: ListedVolume, _ counts: ByteCounts, exact: Bool
  ) throws(Failure) {
    let header = volume.header
    var title = "\(header.name): \(ByteSize.text(header.size)) (\(header.size) bytes)"
    title += ", \(header.format ?? "")"
    if let table = volume.layout?.table { title += ", \(table.text)" }
    for content in volume.layout?.contents ?? [] { title += ", \(content.text)" }
    try Console.result(title)
    try showPartitions(volume.layout?.table?.partitions ?? [])
    try Console.result("  \(counts.text)\(exact ? "" : " (by allocation; --scan finds all zeros)")")
  }

  private func showPartitions(_ partitions: [GuestPartition]) throws(Failure) {
    guard !partitions.isEmpty else { return }
    var rows = [["", "start", "size", "type", "name", "content"]]
    for partition in partitions {
      let range = partition.range
      rows.append([
        "\(partition.number)", "\(range.lowerBound)",
        ByteSize.text(range.upperBound - range.lowerBound), partition.type, partition.name ?? "",
        partition.contents.map(\.text).joined(separator: " or "),
      ])
    }
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    for row in rows {
      var line = " "
      for (column, cell) in row.enumerated() {
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        line += " " + (column < 3 ? padding + cell : cell + padding)
      }
      while line.last == " " { line.removeLast() }
      try Console.result(line)
    }
  }
}

extension GuestFinding {
  /// `Linux swap "name" 0b5c4c2e-… (not skipped)`.
  fileprivate var text: String {
    var text = kind
    if let label { text += " \"\(label)\"" }
    if let uuid { text += " \(uuid)" }
    if let note { text += " (\(note))" }
    return text
  }
}
