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

  @OptionGroup
  var image: ChangedImage

  @Argument(help: "The new size, such as 200G.")
  var size: String

  @Flag(help: "Cut off data that lies behind the new end.")
  var forceShrink = false

  @Flag(help: "Print what info says of the result, and errors, as JSON.")
  var json = false

  @Flag(name: .shortAndLong, help: "Print nothing but errors.")
  var quiet = false

  func validate() throws {
    if ByteSize.parse(size) == nil { throw ValidationError("'\(size)' is no size") }
  }

  private var file: String { image.file }

  func run() throws {
    let wanted = ByteSize.parse(size) ?? 0
    let source = try naming(file) { try InputFile(file) }
    let format = try naming(file) { try image.image.format(of: source, file) }
    let plan = try makePlan(source, format, wanted)
    // A disk that builds on another one gets no other size.
    let path = try image.make(plan.steps, source, participle: "resized", mayHaveParent: false)
    for note in plan.notes { Console.warn("\(path): \(note)") }
    if json {
      return try Console.result(
        json: try naming(path) { try ImageReport(path, format: format.rawValue) })
    }
    if quiet { return }
    try Console.result("\(path): a disk of \(wanted) bytes, \(plan.oldSize) before")
  }

  private func makePlan(
    _ source: InputFile, _ format: CheckedFormat, _ wanted: UInt64
  ) throws(Failure) -> ResizePlan {
    do {
      return try naming(file) {
        try ResizePlan(source, format, to: wanted, cutsData: forceShrink, now: Clock.now())
      }
    } catch {
      guard error.message.contains("holds data behind the wanted end") else { throw error }
      throw Failure(.refused, error.message, hint: "--force-shrink cuts it off for ever")
    }
  }
}
