internal import ArgumentParser
internal import Platform
internal import Reading
internal import ToolSupport

/// `vhd convert`: an image becomes an image of another kind.
struct Convert: Tool {
  static let configuration = CommandConfiguration(
    abstract: "Make an image of another kind from a disk or an image.")

  @Argument(help: "A raw disk, a block device or a VHD.")
  var source: String

  @Argument(help: "The file to make; .raw and .img make a raw disk, - is stdout.")
  var destination: String

  @OptionGroup
  var image: ImageArguments

  @OptionGroup
  var reading: ReadingArguments

  func run() throws {
    let isRaw = destination.hasSuffix(".raw") || destination.hasSuffix(".img")
    let plan = try image.plan(isRaw ? .raw : .fixed)
    let output = try ImageOutput(destination, force: image.force, plan)
    let feed = try naming(source) { try SourceFeed([source], try reading.options()) }
    try output.refuse(feed)
    try DiskCopy(feed, named: source, disk: nil, plan, to: output, image.output).run()
    try image.report(destination, output)
  }
}
