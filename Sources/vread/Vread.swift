internal import ArgumentParser
internal import Blocks
internal import Bytes
internal import Platform
internal import Reading
internal import ToolSupport

/// Reads disks and writes them as one sealed stream.
@main
struct Vread: Tool {
  static let configuration = CommandConfiguration(
    commandName: "vread",
    abstract: "Read disks and images as one sealed stream.",
    discussion: "The stream goes to stdout, into vchunk, vstore put or vhd create.",
    version: Version.text)

  @Argument(
    help: "Files and block devices; - is an OVA or an image on stdin.", completion: .file())
  var sources: [String]

  @OptionGroup
  var reading: ReadingArguments

  @Option(
    help: ArgumentHelp(
      "A volume's name, once for each disk; by default the file's name without its extension."))
  var name: [String] = []

  @Option(help: "The one disk to take, by name or number, when there are several.")
  var disk: String?

  @Option(
    help: ArgumentHelp(
      "Where a disk is saved meanwhile that comes by a pipe and out of order ($TMPDIR).",
      valueName: "folder"),
    completion: .directory)
  var spool: String?

  @Option(
    help: ArgumentHelp("The most bytes that a disk may take there (64G).", valueName: "bytes"))
  var spoolLimit: String?

  @Option(
    help: ArgumentHelp(
      "Send segments that are as this baseline says (from vstore baseline) as unchanged.",
      valueName: "file"),
    completion: .file())
  var base: String?

  @Flag(help: "Write the plain bytes of one volume, with zeros for holes, and no seal.")
  var raw = false

  @Flag(help: "Show volumes, partitions and bytes by kind instead; told from the allocation alone.")
  var list = false

  @Flag(help: "With --list: read everything, so that zeros are found in what is allocated.")
  var scan = false

  @Flag(
    help: "Prove that what would be left out is nobody's: file systems' checkers, and every file.")
  var audit = false

  @Option(
    help: ArgumentHelp("With --audit: write a JUnit report, too.", valueName: "file"),
    completion: .file())
  var junit: String?

  @Option(
    help: ArgumentHelp(
      "Draw the disks into this file (SVG), coloured by what their bytes are.", valueName: "file"),
    completion: .file(extensions: ["svg"]))
  var picture: String?

  @Flag(help: "Results and errors as JSON.")
  var json = false

  @OptionGroup
  var output: OutputOptions

  func validate() throws {
    if raw && list { throw ValidationError("--raw and --list exclude each other") }
    if sources.filter({ $0 == "-" }).count > 1 {
      throw ValidationError("-: stdin can be read only once")
    }
    if let spoolLimit, ByteSize.parse(spoolLimit) == nil {
      throw ValidationError("--spool-limit: '\(spoolLimit)' is no size")
    }
    if base != nil && (raw || list) {
      throw ValidationError("--base makes a stream: it excludes --raw and --list")
    }
    if audit && (raw || list || picture != nil) {
      throw ValidationError("--audit goes with neither --raw, --list nor --picture")
    }
    if junit != nil, !audit { throw ValidationError("--junit belongs to --audit") }
    if scan && !list { throw ValidationError("--scan belongs to --list") }
    if raw && sources.count != 1 { throw ValidationError("--raw takes one source") }
  }

  func run() throws {
    if !list, !audit {
      try Console.requireBinaryOutput(
        hint: "send it into a pipe or a file, or look at the source with --list")
    }
    var options = try reading.options(for: sources)
    if list || audit, !reading.common.choosesKinds {
      options.skip = Set(ReadOptions.skippableKinds)
    }
    options.names = name
    options.disk = disk
    options.spool = Spool(
      in: spool, limit: spoolLimit.flatMap { ByteSize.parse($0) } ?? Spool.usualLimit)
    if sources.contains("-") {
      try Console.requireBinaryInput(hint: "send an OVA or an image into it, or name a source")
    }
    let baseline = try base.map { base in try naming(base) { try BaselineReading(base) } }
    options.baseline = baseline
    if audit { return try self.audit(options) }
    // What is sandboxed can make no file any more.
    let pictures = try picture.map { try PictureFile($0) }
    let feed = try naming("sources") { try openInSandbox(options) }
    if list {
      try Listing(
        feed, pictures, scans: scan, assumesKinds: !reading.common.choosesKinds, json: json, output
      ).run()
    } else {
      try refuseOwnOutput(feed)
      for doubt in baseline?.doubts(feed.volumes) ?? [] { Console.warn(doubt) }
      try Copy(feed, pictures, raw: raw, output.feedingOutput()).run()
    }
  }

  /// Opens the sources; from then on the process can open nothing any more.
  ///
  /// Images are other people's: whatever one may bring about here, it gets at no file that is not its
  /// own. Threads start later.
  private func openInSandbox(_ options: ReadOptions) throws -> SourceFeed {
    options.spool.prepare()
    let served = try ServedSources(sources, isComplete: !list || scan)
    try Sandbox.allowOnlyReading(SourceFeed.paths(for: sources, options))
    let feed = try SourceFeed(sources, options, served: served, wantsLayout: list || picture != nil)
    try Sandbox.allowOnlyReading([])
    return feed
  }

  /// Runs the file systems' checkers, which a sandbox would not let it do.
  private func audit(_ options: ReadOptions) throws {
    let feed = try naming("sources") {
      try SourceFeed(sources, options, served: try ServedSources(sources), wantsLayout: true)
    }
    if !reading.common.choosesKinds, !json, !output.quiet {
      let kinds = ReadOptions.skippableKinds.map(\.name).joined(separator: ",")
      Console.say("what --skip \(kinds) would leave out is audited")
    }
    try SourceAudit(feed, folder: spool, junit: junit, json: json, output).run()
  }

  /// A source that grew by what is read from it would never end.
  private func refuseOwnOutput(_ feed: SourceFeed) throws(Failure) {
    let path = try naming("stdout") {
      feed.source(is: try FileDescriptor.standardOutput.status())
    }
    if let path { throw Failure(.usage, "\(path): is the output as well") }
  }
}
