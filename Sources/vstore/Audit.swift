internal import ArgumentParser
internal import Auditing
internal import Blocks
internal import GuestLayouts
internal import Platform
internal import Reading
internal import Repositories
internal import ToolSupport

/// Proves that what was left out of a point was nobody's.
struct AuditPoint: Tool {
  static let configuration = CommandConfiguration(
    commandName: "audit",
    abstract: "Prove that what was left out of a point was nobody's.",
    discussion: "With the disks that it was made of, every file is compared with theirs.")

  @Argument(help: "NAME (its newest), NAME~2 (two before), an id or the start of one.")
  var point: String

  @Argument(
    help: "The disks that the point was made of, as they were then, in their order.",
    completion: .file())
  var sources: [String] = []

  @OptionGroup
  var repository: RepositoryArguments

  @Option(
    help: ArgumentHelp(
      "Where file systems are restored to be checked ($TMPDIR).", valueName: "folder"),
    completion: .directory)
  var spool: String?

  @Option(
    help: ArgumentHelp("Write a JUnit report, too.", valueName: "file"), completion: .file())
  var junit: String?

  @Flag(help: "Each check, and errors, as JSON.")
  var json = false

  @OptionGroup
  var output: OutputOptions

  /// The most ranges of a volume that are kept.
  private static let rangeLimit = 4 << 20

  func run() throws {
    let repository = try repository.open()
    let stored = try naming(repository.location) { try repository.resolve(point) }
    let folder = spool ?? Environment.value("TMPDIR") ?? "/tmp"
    var report = try AuditReport(json: json, isQuiet: output.quiet, junit: junit, folder: folder)
    let copies = try naming(repository.location) { try repository.openVolumes(of: stored) }
    let feed = try sources.isEmpty ? nil : originals(for: copies)
    let (holes, files) = try naming(repository.location) { try leftOut(repository, stored) }
    let disks = feed?.volumes.map(\.disk)
    let audit = Audit(
      MachineLayout(of: disks ?? copies), originals: disks, copies: copies, holes: holes,
      files: files, names: copies.map(\.name), folder: folder)
    do {
      try audit.run { try report.add($0) }
    } catch {
      // What a copy could not be read for is known better by the repository than as a disk's error.
      let isOfCopies = !(error is Failure) && (error as? AuditTrouble)?.subject == nil
      let trouble = isOfCopies ? AuditPoint.trouble(of: copies) : nil
      throw Failure(repository.location, trouble ?? error)
    }
    if let trouble = AuditPoint.trouble(of: copies) {
      throw Failure(repository.location, trouble)
    }
    try report.finish()
  }

  private static func trouble(of copies: [StoredVolume]) -> RepositoryError? {
    copies.lazy.compactMap(\.trouble).first
  }

  private func originals(for copies: [StoredVolume]) throws -> SourceFeed {
    let feed = try naming("sources") { try SourceFeed(sources, ReadOptions()) }
    guard !feed.hasStreams else {
      throw Failure(
        .usage, "what arrives in order cannot be compared", hint: "save it to a file first")
    }
    guard feed.volumes.count == copies.count else {
      throw Failure(
        .usage, "the point has \(copies.count) disks, but \(feed.volumes.count) are given",
        hint: "the point's disks: \(copies.map(\.name).joined(separator: ", "))")
    }
    for (disk, copy) in zip(feed.volumes, copies) where disk.disk.size != copy.size {
      throw Failure(
        .usage,
        "\(disk.header.name): \(disk.disk.size) bytes, but the point's disk \(copy.name) has "
          + "\(copy.size)",
        hint: copies.count == 1
          ? "name the disk that the point was made of"
          : "the point's disks, in their order: \(copies.map(\.name).joined(separator: ", "))")
    }
    for text in feed.takeWarnings() where !output.quiet { Console.warn(text) }
    return feed
  }

  /// What was left out of each volume on purpose, and the files that it was of.
  private func leftOut(
    _ repository: Repository, _ stored: Repository.StoredPoint
  ) throws -> ([[HoleKind: ExtentSet]], [LeftOutRange]) {
    let point = try PointHoles(repository, stored)
    var result: [[HoleKind: ExtentSet]] = []
    var files: [LeftOutRange] = []
    for (number, volume) in stored.point.volumes.enumerated() {
      var ranges: [HoleKind: [Range<UInt64>]] = [:]
      var count = 0
      try point.forEachRange(ofVolume: number) { range, kind in
        guard let kind, kind != .zero else { return }
        ranges[kind, default: []].append(range)
        count += 1
        guard count <= AuditPoint.rangeLimit else {
          throw Failure(.failed, "\(volume.name): more than \(AuditPoint.rangeLimit) holes")
        }
      }
      result.append(ranges.mapValues { ExtentSet($0) })
      for entry in try point.skippedFiles(ofVolume: number).entries {
        files.append(LeftOutRange(disk: number, entry.range, path: entry.path))
      }
    }
    return (result, files)
  }
}
