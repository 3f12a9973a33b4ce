internal import Auditing
internal import Blocks
internal import GuestLayouts
internal import Platform
internal import Reading
internal import ToolSupport

/// `--audit`: proves that what would be left out of the sources is nobody's.
struct SourceAudit {
  private let feed: SourceFeed
  private let folder: String
  private let junit: String?
  private let json: Bool
  private let options: OutputOptions

  /// - Parameters:
  ///   - feed: The sources, with what is left out of them.
  ///   - folder: Where file systems are restored to be checked; nil takes `TMPDIR`.
  init(
    _ feed: SourceFeed, folder: String?, junit: String?, json: Bool, _ options: OutputOptions
  ) {
    self.feed = feed
    self.folder = folder ?? Environment.value("TMPDIR") ?? "/tmp"
    self.junit = junit
    self.json = json
    self.options = options
  }

  func run() throws {
    guard !feed.hasStreams, let machine = feed.machine else {
      throw Failure(
        .usage, "what arrives in order cannot be audited", hint: "save it to a file first")
    }
    for text in feed.takeWarnings() where !options.quiet { Console.warn(text) }
    let disks = feed.volumes.map(\.disk)
    let audit = Audit(
      machine.layout, originals: disks,
      copies: feed.volumes.map { HoledSource($0.disk, holes: $0.leftOut) },
      holes: feed.volumes.map(\.leftOutByKind),
      files: machine.files.flatMap { file in
        file.places.map { LeftOutRange(disk: $0.disk, $0.range, path: file.path) }
      },
      names: feed.volumes.map(\.header.name), folder: folder)
    var report = try AuditReport(
      json: json, isQuiet: options.quiet, junit: junit, folder: folder)
    try naming("sources") { try audit.run { try report.add($0) } }
    try report.finish()
  }
}
