internal import ArgumentParser
internal import Platform
internal import Reading
internal import ToolSupport

/// `vhd convert`: an image becomes an image of another kind.
struct Convert: Tool {
  static let configuration = CommandConfiguration(
    abstract: "Make an image of another kind from a disk or an image.")

  @Argument(
    help: "A disk, a block device, or an image of any format that vread reads.", completion: .file()
  )
  var source: String

  @Argument(
    help: "The file to make, whose name may tell the format; - is stdout.", completion: .file())
  var destination: String

  @Option(help: "The disk to take, by name or number, when there are several.")
  var disk: String?

  @OptionGroup
  var image: ImageArguments

  @OptionGroup
  var reading: ReadingArgumentsOfMaker

  func run() throws {
    let plan = try image.diskPlan(destination)
    let output = try ImageOutput(destination, force: image.force, plan)
    var options = try reading.options(for: [source])
    options.disk = disk
    options.spool = Spool(in: image.spool)
    let feed = try naming(SourceName(source).shown) { try SourceFeed([source], options) }
    try output.refuse(feed, of: [source])
    try DiskCopy(
      Expansion(feed.readingAhead()), named: SourceName(source).shown, disk: nil, plan, to: output,
      image.output
    ).run()
    try image.report(destination, plan.format)
  }
}
