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
  /// The files that are left out of it.
  let files: SkippedFileList?

  init(_ header: VolumeHeader, _ guest: GuestDisk?) {
    self.header = header
    layout = guest?.layout
    files = guest?.files
  }

  /// The kinds of holes that reading makes, besides the files that are excluded.
  var kinds: [String] {
    (header["skip"] ?? HoleKind.zero.name).split(separator: ",").map(String.init)
      .filter { $0 != HoleKind.excluded.name }
  }
}

/// `--list`: what the sources hold.
struct Listing {
  private let feed: SourceFeed
  private let pictures: PictureFile?
  private let scans: Bool
  private let assumesKinds: Bool
  private let json: Bool
  private let options: OutputOptions

  /// - Parameters:
  ///   - feed: The sources.
  ///   - pictures: Where they are drawn, if they are.
  ///   - scans: Whether everything is read.
  ///   - assumesKinds: Whether nobody said what is left out, so that it has to be told.
  ///   - json: Whether the result is JSON.
  ///   - options: What to say.
  init(
    _ feed: SourceFeed, _ pictures: PictureFile?, scans: Bool, assumesKinds: Bool, json: Bool,
    _ options: OutputOptions
  ) {
    self.feed = feed
    self.assumesKinds = assumesKinds
    self.pictures = pictures
    self.scans = scans
    self.json = json
    self.options = options
  }

  func run() throws {
    var tally = Tally(feed, pictures, options)
    var counts: [ByteCounts] = []
    var warnings: [String] = []
    // What arrives in order has to be read to know what there is.
    let scans = scans || feed.hasStreams
    if scans {
      try naming("sources") { try tally.follow { _ in } }
      counts = tally.counts
      warnings = tally.warnings
    } else {
      counts = try naming("sources") { try feed.volumes.map { try allocation(of: $0) } }
      warnings = feed.takeWarnings()
      if !options.quiet { for text in warnings { Console.warn(text) } }
    }
    let late = tally.headers.dropFirst(feed.volumes.count)
    let volumes =
      feed.volumes.map { ListedVolume($0.header, $0.guest) } + late.map { .init($0, nil) }
    if json {
      try Console.result(
        json: ListingReport(
          volumes, (feed.machine?.layout.groups ?? []), counts, exact: scans, warnings: warnings,
          missing: feed.missing))
    } else {
      for (volume, count) in zip(volumes, counts) { try show(volume, count, exact: scans) }
      for group in (feed.machine?.layout.groups ?? []) { try show(group) }
    }
    try pictures?.write()
    try tally.conclude()
  }

  /// What reading would find, told from the layout and the allocation alone.
  private func allocation(of volume: SourceVolume) throws -> ByteCounts {
    let header = volume.header
    pictures?.begin(
      header.name, size: header.size, volume.guest?.layout, feed.machine?.layout.volumes ?? [])
    var counts = ByteCounts()
    try volume.forEachAllocation { range, kind in
      counts.add(range.upperBound - range.lowerBound, kind)
      pictures?.add(range, kind, ofVolume: Int(volume.header.number))
    }
    return counts
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
    for finding in volume.layout?.contents ?? [] {
      if let text = finding.usage { try Console.result("  \(text)") }
    }
    let remarks =
      (exact ? [] : ["by allocation; --scan finds all zeros"])
      + (assumesKinds ? ["as --skip \(volume.kinds.joined(separator: ",")) would leave out"] : [])
    let remark = remarks.isEmpty ? "" : " (\(remarks.joined(separator: "; ")))"
    try Console.result("  \(counts.text)\(remark)")
    if let files = volume.files { try show(files) }
  }

  /// The most files that are named here; JSON names more.
  private static let fileLimit = 100

  private func show(_ files: SkippedFileList) throws(Failure) {
    guard files.count > 0 else { return }
    try Console.result("  files left out: \(files.count)")
    guard options.verbose else { return }
    let named = files.largest.prefix(Listing.fileLimit)
    for file in named {
      try Console.result("    \(file.path): \(ByteSize.text(file.byteCount)) \(file.kind.name)")
    }
    if files.count > named.count {
      try Console.result("    and \(files.count - named.count) more")
    }
  }

  private func show(_ group: VolumeGroup) throws(Failure) {
    var title = "volume group \(group.name)"
    if let uuid = group.uuid { title += " \(uuid)" }
    if let note = group.note { title += " (\(note))" }
    try Console.result(title)
    guard !group.volumes.isEmpty else { return }
    var rows = [["", "size", "used", "content"]]
    for volume in group.volumes {
      let contents = volume.volume?.contents ?? []
      rows.append([
        volume.name, ByteSize.text(volume.byteCount), contents.used,
        volume.volume == nil
          ? "(\(volume.doubt ?? "not all of it is there, or understood"))"
          : contents.map(\.text).joined(separator: " or "),
      ])
    }
    try showTable(rows, rightAligned: 1..<3)
  }

  private func showPartitions(_ partitions: [GuestPartition]) throws(Failure) {
    guard !partitions.isEmpty else { return }
    var rows = [["", "start", "size", "used", "type", "name", "content"]]
    for partition in partitions {
      let range = partition.range
      rows.append([
        "\(partition.number)", "\(range.lowerBound)",
        ByteSize.text(range.upperBound - range.lowerBound), partition.contents.used,
        partition.type, partition.name ?? "",
        partition.contents.map(\.text).joined(separator: " or "),
      ])
    }
    try showTable(rows, rightAligned: 0..<4)
  }

  private func showTable(_ rows: [[String]], rightAligned: Range<Int>) throws(Failure) {
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    for row in rows {
      var line = " "
      for (column, cell) in row.enumerated() {
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        line += " " + (rightAligned.contains(column) ? padding + cell : cell + padding)
      }
      while line.last == " " { line.removeLast() }
      try Console.result(line)
    }
  }
}

extension [GuestFinding] {
  /// What is in use of the only file system among them.
  fileprivate var used: String {
    guard count == 1, let used = self[0].fileSystem?.bytesInUse else { return "" }
    return ByteSize.text(used)
  }
}

extension GuestFinding {
  /// `3.20 GiB of 8.00 GiB in use`.
  fileprivate var usage: String? {
    guard let fileSystem, let used = fileSystem.bytesInUse else { return nil }
    return "\(ByteSize.text(used)) of \(ByteSize.text(fileSystem.byteCount)) in use"
  }

  /// `Linux swap "name" 0b5c4c2e-… (not skipped)`.
  fileprivate var text: String {
    var text = kind
    if let label { text += " \"\(label)\"" }
    if let uuid { text += " \(uuid)" }
    if let note { text += " (\(note))" }
    return text
  }
}
