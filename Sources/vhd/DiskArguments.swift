internal import ArgumentParser
internal import Blocks
internal import Platform
internal import Reading
internal import ToolSupport

/// Where the files may lie that images refer to.
struct ReferenceArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Let images refer to files (parents, extents, backing files) in this folder, too.",
      discussion: "Without it, such files must lie beside the image.", valueName: "folder"),
    completion: .directory)
  var allowReferences: [String] = []

  /// Opens the disk in a file or device, and tells what there is to know of how it was found.
  ///
  /// - Parameters:
  ///   - format: What to take it for; nil looks for magics.
  ///   - option: The option that gives that format.
  func open(
    _ path: String, format: String?, option: String = "--format"
  ) throws(Failure) -> OnlyDisk {
    var options = ReadOptions()
    options.format = format
    options.formatOption = option
    options.references = allowReferences
    return try OnlyDisk(path, options)
  }
}

/// The one disk in a source, which is read at any place instead of in its order.
struct OnlyDisk {
  let volume: SourceVolume
  /// What it is called in messages.
  let name: String
  private let feed: SourceFeed

  var disk: any BlockSource { volume.disk }

  init(_ path: String, _ options: ReadOptions) throws(Failure) {
    let name = SourceName(path).shown
    let feed = try naming(name) { try SourceFeed([path], options) }
    volume = try naming(name) { try feed.onlyDisk() }
    for text in feed.takeWarnings() { Console.warn(text) }
    self.name = name
    self.feed = feed
  }

  /// What is left to do when the disk has been read: an appliance's files are compared with its
  /// manifest, and the user is told of files that changed meanwhile.
  func finish() throws {
    try naming(name) { try feed.finishChecks() }
    for text in try naming(name, { try feed.lateWarnings() }) { Console.warn(text) }
  }
}

/// How one disk is opened that is looked at, not copied.
struct DiskArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The format that the image is in, instead of looking for it.", valueName: "format"),
    completion: .list(ReadOptions.formats))
  var format: String?

  @OptionGroup
  var references: ReferenceArguments

  /// Opens the disk in a file or device.
  func open(_ path: String) throws(Failure) -> OnlyDisk {
    try references.open(path, format: format)
  }
}
