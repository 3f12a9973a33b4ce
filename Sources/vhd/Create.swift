internal import ArgumentParser
internal import Blocks
internal import Bytes
internal import DiskImages
internal import Platform
internal import Reading
internal import Streams
internal import ToolSupport

/// `vhd create`: a stream, or sources by name, become an image.
struct Create: Tool {
  static let configuration = CommandConfiguration(
    abstract: "Make a VHD, or another image, of a disk that comes as a stream.",
    discussion: "Without SOURCE the stream is read from stdin.")

  @Argument(help: "Disks and images to read instead of stdin.", completion: .file())
  var sources: [String] = []

  @Option(name: .shortAndLong, help: "The file to make; - is stdout.", completion: .file())
  var output = "-"

  @OptionGroup
  var image: ImageArguments

  @Option(help: "The disk to take, by name or number, when there are several.")
  var disk: String?

  @Flag(help: "Take plain bytes from stdin, as many as --size says.")
  var rawInput = false

  @Option(help: ArgumentHelp("How many plain bytes come.", valueName: "bytes"))
  var size: String?

  @OptionGroup
  var reading: ReadingArgumentsOfMaker

  mutating func validate() throws {
    if rawInput != (size != nil) { throw ValidationError("--raw-input and --size belong together") }
    if sources == ["-"] { sources = [] }
    if rawInput, !sources.isEmpty { throw ValidationError("--raw-input reads stdin, not a source") }
    if let size, ByteSize.parse(size) == nil {
      throw ValidationError("--size: '\(size)' is no size")
    }
  }

  func run() throws {
    if sources.isEmpty { try reading.refuseForStream(isPlain: rawInput) }
    let plan = try image.diskPlan(output)
    let destination = try ImageOutput(output, force: image.force, plan)
    let feed = try openFeed(destination)
    let name = sources.isEmpty ? "stdin" : "sources"
    try DiskCopy(
      Expansion(feed), named: name, disk: sources.isEmpty ? disk : nil, plan, to: destination,
      image.output
    ).run()
    try image.report(output, plan.format)
  }

  private func openFeed(_ destination: ImageOutput) throws -> any VolumeFeed {
    guard sources.isEmpty else {
      var options = try reading.options(for: sources)
      options.disk = disk
      options.spool = Spool(in: image.spool)
      let feed = try naming("sources") { try SourceFeed(sources, options) }
      try destination.refuse(feed, of: sources)
      return feed.readingAhead()
    }
    try Console.requireBinaryInput(hint: "send a stream into it, or name a source")
    try destination.refuse(.standardInput)
    if let size = size.flatMap({ ByteSize.parse($0) }) {
      return RawInput(.standardInput, size: size)
    }
    return try StreamInput.open(
      hint: "make a stream with vread, name the disk as an argument, or use --raw-input")
  }
}

extension ImageArguments {
  /// The plan for an image of one disk.
  func diskPlan(_ path: String) throws(Failure) -> ImagePlan {
    let plan = try plan(path, usual: .vhd)
    guard plan.format != .ova else {
      throw Failure(
        .usage, "an OVA is made of a machine's disks", hint: "vrestore export makes it of a point")
    }
    return plan
  }

  /// Describes what was made, when that was asked for and stdout does not hold the image.
  ///
  /// - Parameter format: What it was made as, whatever it looks like.
  func report(_ path: String, _ format: ImageFormat) throws {
    guard json, path != "-" else { return }
    try Console.result(json: try naming(path) { try ImageReport(path, format: format.rawValue) })
  }
}

extension ImageOutput {
  /// Refuses sources that are the output as well, or are made of it.
  ///
  /// - Parameter sources: Their names: an OVF is no disk itself.
  func refuse(_ feed: SourceFeed, of sources: [String]) throws(Failure) {
    guard let there = try status() else { return }
    var path = feed.source(is: there)
    for source in sources where path == nil {
      guard case .path(let name) = SourceName(source) else { continue }
      let status = try naming(name) { try Files.status(name) }
      if status?.device == there.device, status?.inode == there.inode { path = name }
    }
    if let path { throw Failure(.usage, "\(path): is the output as well") }
  }

  /// Refuses an input that is the output as well.
  func refuse(_ input: FileDescriptor) throws(Failure) {
    guard let there = try status(), there.kind == .regular else { return }
    let status = try naming("stdin") { try input.status() }
    if status.device == there.device, status.inode == there.inode {
      throw Failure(.usage, "stdin: is the output as well")
    }
  }
}
