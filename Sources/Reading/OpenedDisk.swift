internal import Blocks
internal import Bytes
internal import DiskImages
internal import Streams

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
    file: any NamedSource, disk: any BlockSource, format: String, path: String? = nil
  ) {
    self.file = file
    self.disk = disk
    self.format = format
    companions = []
    self.path = path ?? file.path
    isPart = path != nil
    warning = nil
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
    let format: any DiskFormat.Type
    do {
      format = try recognize(file, options.formatOption)
    } catch let error as SourceError where options.salvage && !error.isLoss {
      return (
        RawImage.self, "taken as raw, as what would tell the format could not be read: \(error)"
      )
    }
    if format.name != RawImage.name, file.isDevice {
      // Whoever uses a raw device as a disk could write another format's magic onto it.
      throw ReadingError.request(
        "\(file.path): a device whose content looks like \(format.name)",
        hint:
          "\(options.formatOption) \(format.name) or \(options.formatOption) raw says which it is"
      )
    }
    let isDoubtful = format.name != RawImage.name && isRawName(file.path)
    return (
      format,
      isDoubtful
        ? "taken as \(format.name), which its content looks like; "
          + "\(options.formatOption) raw takes it as it is"
        : nil
    )
  }

  private func checkSize() throws(FormatError) {
    guard disk.size <= VolumeHeader.sizeLimit else {
      throw FormatError(
        "disk", at: 0, .impossible("a size of \(disk.size) bytes is over the limit"))
    }
  }

  /// Whether a file's name says that it is a raw disk.
  private static func isRawName(_ path: String) -> Bool {
    [".raw", ".img", ".bin", ".dd"].contains { path.lowercased().hasSuffix($0) }
  }

  /// Finds the format by magics.
  ///
  /// - Parameter option: What tells it instead.
  private static func recognize(
    _ file: any NamedSource, _ option: String
  ) throws -> any DiskFormat.Type {
    let path = file.path
    let format: any DiskFormat.Type
    do {
      format = try DiskFormats.recognize(file)
    } catch let error as FormatError {
      guard case .ambiguous(let text, _) = error.reason else { throw error }
      throw FormatError(
        error.structure, at: error.offset, .ambiguous(text, hint: "\(option) says which it is"))
    }
    let head = try file.bytes(Int(min(file.size, 512)), at: 0) ?? []
    if SavedStream.begins(head) {
      throw ReadingError.request(
        "\(path): a saved stream, not a disk", hint: "give it on stdin: < \(path)")
    }
    if format.name == RawImage.name, let other = ForeignMagic.format(of: head) {
      throw ReadingError.unsupported(
        source: path, "looks like \(other), which cannot be read yet",
        hint: "\(option) raw takes the bytes as they are")
    }
    return format
  }
}

/// Magics of disk formats that no reader is there for: such a file is never taken for raw.
enum ForeignMagic {
  private static let magics: [(format: String, magic: [UInt8], offset: Int)] = [
    ("Parallels", Array("WithoutFreeSpace".utf8), 0),
    ("Parallels", Array("WithouFreSpacExt".utf8), 0),
  ]

  /// The name of the format whose magic is in the first 512 bytes of a file; nil when none is.
  static func format(of head: [UInt8]) -> String? {
    magics.first { head.dropFirst($0.offset).starts(with: $0.magic) }?.format
  }
}
