internal import ArgumentParser
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

  /// Opens the disk in a file or device.
  ///
  /// - Parameter format: What to take it for; nil looks for magics.
  func open(_ path: String, format: String?) throws(Failure) -> SourceVolume {
    var options = ReadOptions()
    options.format = format
    options.references = allowReferences
    return try naming(SourceName(path).shown) { try SourceFeed([path], options).onlyDisk() }
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
  func open(_ path: String) throws(Failure) -> SourceVolume {
    try references.open(path, format: format)
  }
}
