internal import ArgumentParser
internal import DiskImages
internal import Platform
internal import Reading
internal import ToolSupport

/// What the commands share that change an image's own file, or make a changed copy of it.
struct ChangedImage: ParsableArguments {
  @Argument(help: "The image.", completion: .file())
  var file: String

  @Option(
    name: .shortAndLong,
    help: "The copy to make, instead of FILE with the command's participle behind it.",
    completion: .file())
  var output: String?

  @Flag(help: "Change the image itself.")
  var inPlace = false

  @Flag(help: "Replace the output when it is there already.")
  var force = false

  @OptionGroup
  var image: CheckedImage

  func validate() throws {
    if inPlace, output != nil { throw ValidationError("--in-place makes no output") }
    if output == "-" { throw ValidationError("--output takes the name of a file") }
  }

  /// Makes the steps in the image or in a copy of it.
  ///
  /// - Parameters:
  ///   - steps: What is to be done.
  ///   - source: The file, as it was opened before the steps were planned.
  ///   - participle: What a copy's name ends in where none was given.
  ///   - mayHaveParent: Whether the image may build on other files.
  /// - Returns: The path of what was changed or made.
  func make(
    _ steps: [RepairStep], _ source: InputFile, participle: String, mayHaveParent: Bool
  ) throws(Failure) -> String {
    if inPlace {
      try RepairedFile.make(steps, inPlace: file, planned: source)
      return file
    }
    let path = output ?? "\(file).\(participle)"
    try refuse(path, source, mayHaveParent: mayHaveParent)
    try RepairedFile.make(steps, file, copiedTo: path, isForced: force)
    return path
  }

  /// Refuses an output that is the image, or a file that the image builds on.
  private func refuse(
    _ path: String, _ source: InputFile, mayHaveParent: Bool
  ) throws(Failure) {
    guard let there = try naming(path, { try Files.status(path) }) else { return }
    if source.isFile(there) {
      throw Failure(.usage, "\(path): is the input as well", hint: "--in-place changes it")
    }
    guard force, mayHaveParent else { return }
    var options = ReadOptions()
    options.format = image.format
    let volume: SourceVolume
    do {
      volume = try SourceFeed([file], options).onlyDisk()
    } catch {
      // What the image builds on cannot be told: it may be this file.
      throw Failure(
        .usage, "\(path): exists, and may be what \(file) builds on (\(error))",
        hint: "name a file that is not there yet")
    }
    guard !volume.isFile(there) else {
      throw Failure(.usage, "\(path): \(file) builds on it", hint: "name another file")
    }
  }
}
