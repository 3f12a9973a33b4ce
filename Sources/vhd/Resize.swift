internal import ArgumentParser
internal import Bytes
internal import DiskImages
internal import Platform
internal import Reading
internal import ToolSupport

/// `vhd resize`: the disk in an image gets another size.
struct Resize: Tool {
  static let configuration = CommandConfiguration(
    abstract: "Make the disk in a VHD or VHDX larger or smaller.",
    discussion: "What a smaller disk loses must be zeros.")

  @Argument(help: "The image.", completion: .file())
  var file: String

  @Argument(help: "The new size, such as 200G.")
  var size: String

  @Option(
    name: .shortAndLong, help: "The copy to make, instead of FILE.resized.", completion: .file())
  var output: String?

  @Flag(help: "Change the image itself.")
  var inPlace = false

  @Flag(help: "Cut off data that lies behind the new end.")
  var forceShrink = false

  @Flag(help: "Replace the output when it is there already.")
  var force = false

  @OptionGroup
  var image: CheckedImage

  @Flag(help: "Print what info says of the result, and errors, as JSON.")
  var json = false

  @Flag(name: .shortAndLong, help: "Print nothing but errors.")
  var quiet = false

  func validate() throws {
    if ByteSize.parse(size) == nil { throw ValidationError("'\(size)' is no size") }
    if inPlace, output != nil { throw ValidationError("--in-place makes no output") }
    if output == "-" { throw ValidationError("--output takes the name of a file") }
  }

  func run() throws {
    let wanted = ByteSize.parse(size) ?? 0
    let source = try naming(file) { try InputFile(file) }
    let plan = try makePlan(source, wanted)
    let path = inPlace ? file : output ?? "\(file).resized"
    if inPlace {
      try RepairedFile.make(plan.steps, inPlace: file, planned: source)
    } else {
      try RepairedFile.make(plan.steps, file, copiedTo: path, isForced: force)
    }
    for note in plan.notes { Console.warn("\(path): \(note)") }
    if json { return try Console.result(json: try naming(path) { try ImageReport(path) }) }
    if quiet { return }
    try Console.result("\(path): a disk of \(wanted) bytes, \(plan.oldSize) before")
  }

  private func makePlan(_ source: InputFile, _ wanted: UInt64) throws(Failure) -> ResizePlan {
    do {
      return try naming(file) {
        try ResizePlan(
          source, try image.format(of: source, file), to: wanted, cutsData: forceShrink,
          now: Clock.now())
      }
    } catch {
      guard error.message.contains("holds data behind the wanted end") else { throw error }
      throw Failure(.refused, error.message, hint: "--force-shrink cuts it off for ever")
    }
  }
}
