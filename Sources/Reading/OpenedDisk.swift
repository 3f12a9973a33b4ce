internal import Blocks
internal import Bytes
internal import DiskImages

/// A source that was opened in its format.
struct OpenedDisk {
  let file: any NamedSource
  /// The other files that the disk is made of.
  let companions: [InputFile]
  let disk: any BlockSource
  let format: String
  /// What it is called in messages: the file's path, and the part of it that is meant.
  let path: String
  /// Whether it is only a part of the file.
  let isPart: Bool
  /// What the user should know of how the format was found.
  let warning: String?

  init(
    file: any NamedSource, disk: any BlockSource, format: String, path: String? = nil,
    warning: String? = nil
  ) {
    self.file = file
    self.disk = disk
    self.format = format
    companions = []
    self.path = path ?? file.path
    isPart = path != nil
    self.warning = warning
  }

  /// - Parameters:
  ///   - source: A file or block device.
  ///   - options: The format to take it for, and where other files may lie.
  ///   - served: What is taken instead of a file, when `source` is not the name of one.
  /// - Throws: `ReadingError`, or what opening the format throws.
  init(_ source: String, _ options: ReadOptions, served: ServedDisk? = nil) throws {
    file = try served ?? InputFile(source)
    path = file.path
    isPart = false
    let (format, doubt) = try OpenedDisk.format(of: file, options)
    self.format = format.name
    warning = doubt
    if options.snapshot != nil, !format.hasSnapshots {
      throw ReadingError.unsupported(
        source: file.path, "a \(format.name) disk has no snapshots inside",
        hint: "--snapshot belongs to qcow2")
    }
    let opened = OpenedFiles()
    var opening = OpeningOptions()
    opening.companions = try CompanionFiles(of: file, options.references, opened)
    opening.snapshot = options.snapshot
    opening.backingFormat = options.backingFormat
    disk = try format.init(opening: file, opening)
    companions = opened.all
    try checkSize()
  }

  /// The format that the file is in, and what the user should know of how that was found.
  private static func format(
    of file: any NamedSource, _ options: ReadOptions
  ) throws -> (any DiskFormat.Type, doubt: String?) {
    if let name = options.format {
      guard let format = DiskFormats.named(name) else {
        let names = DiskFormats.all.map { $0.name }.joined(separator: ", ")
        throw ReadingError.request("format \(name) is not known", hint: "formats: \(names)")
      }
      return (format, nil)
    }
    // Whoever uses a raw device as a disk could write another format's magic onto it.
    let claim = NameClaim(file.path, isDevice: file.isDevice, option: options.formatOption)
    do {
      return try Recognition.image(file, file.path, claim, option: options.formatOption)
    } catch let error as SourceError where options.salvage && !error.isLoss {
      _ = try claim.check(RawImage.name)
      return (
        RawImage.self, "taken as raw, as what would tell the format could not be read: \(error)"
      )
    }
  }

  private func checkSize() throws(FormatError) {
    guard disk.size <= VolumeHeader.sizeLimit else {
      throw FormatError(
        "disk", at: 0, .impossible("a size of \(disk.size) bytes is over the limit"))
    }
  }
}
