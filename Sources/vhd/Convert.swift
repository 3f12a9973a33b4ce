internal import ArgumentParser
internal import Platform
internal import Reading
internal import ToolSupport

/// `vhd convert`: an image becomes an image of another kind.
struct Convert: Tool {
  static let configuration = CommandConfiguration(
    abstract: "Make an image of another kind from a disk or an image.")

  @Argument(help: "A raw disk, a block device or a VHD.", completion: .file())
  var source: String

  @Argument(
    help: "The file to make; .raw and .img make a raw disk, - is stdout.", completion: .file())
  var destination: String

  @OptionGroup
  var image: ImageArguments

  @OptionGroup
  var reading: ReadingArguments

  private var isRaw: Bool { ["raw", "img"].contains(FileEnding.of(destination)) }

  func validate() throws {
    if image.azure, isRaw {
      throw ValidationError("\(destination): the name of a raw disk, but --azure makes a VHD")
    }
  }

  func run() throws {
    try FileEnding.requirePossible(destination)
    let plan = try image.plan(isRaw ? .raw : .fixed)
    let output = try ImageOutput(destination, force: image.force, plan)
    let feed = try naming(source) { try SourceFeed([source], try reading.options()) }
    try output.refuse(feed)
    try DiskCopy(Expansion(feed), named: source, disk: nil, plan, to: output, image.output).run()
    try image.report(destination, output)
  }
}
