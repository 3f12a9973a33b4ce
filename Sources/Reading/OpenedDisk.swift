internal import Blocks
internal import Bytes
internal import DiskImages
internal import Streams

/// A source that was opened in its format.
struct OpenedDisk {
  let file: InputFile
  let disk: any BlockSource
  let format: String
  /// What the user should know of how the format was found.
  let warning: String?

  init(file: InputFile, disk: any BlockSource, format: String) {
    self.file = file
    self.disk = disk
    self.format = format
    warning = nil
  }

  /// - Parameters:
  ///   - path: A file or block device.
  ///   - name: The format to take it for; nil looks for magics.
  ///   - salvages: Whether to go on where the places of magics cannot be read.
  /// - Throws: `ReadingError`, or what opening the format throws.
  init(_ path: String, format name: String?, salvages: Bool) throws {
    file = try InputFile(path)
    if let name {
      guard let format = DiskFormats.named(name) else {
        let names = DiskFormats.all.map { $0.name }.joined(separator: ", ")
        throw ReadingError.request("format \(name) is not known", hint: "formats: \(names)")
      }
      disk = try format.init(opening: file)
      self.format = name
      warning = nil
      try checkSize()
      return
    }
    let format: any DiskFormat.Type
    do {
      format = try OpenedDisk.recognize(file)
    } catch let error as SourceError where salvages {
      disk = file
      self.format = RawImage.name
      warning = "taken as raw, as what would tell the format could not be read: \(error)"
      return
    }
    if format.name != RawImage.name, file.isDevice {
      // Whoever uses a raw device as a disk could write another format's magic onto it.
      throw ReadingError.request(
        "\(path): a device whose content looks like \(format.name)",
        hint: "--format \(format.name) or --format raw says which it is")
    }
    warning =
      format.name != RawImage.name && OpenedDisk.isRawName(path)
      ? "taken as \(format.name), which its content looks like; --format raw takes it as it is"
      : nil
    disk = try format.init(opening: file)
    self.format = format.name
    try checkSize()
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
  private static func recognize(_ file: InputFile) throws -> any DiskFormat.Type {
    let path = file.path
    let format = try DiskFormats.recognize(file)
    let head = try file.bytes(Int(min(file.size, 512)), at: 0) ?? []
    if SavedStream.begins(head) {
      throw ReadingError.request(
        "\(path): a saved stream, not a disk", hint: "give it on stdin: < \(path)")
    }
    if format.name == RawImage.name, let other = ForeignMagic.format(of: head) {
      throw ReadingError.unsupported(
        source: path, "looks like \(other), which cannot be read yet",
        hint: "--format raw takes the bytes as they are")
    }
    return format
  }
}

/// Magics of disk formats that no reader is there for: such a file is never taken for raw.
enum ForeignMagic {
  private static let magics: [(format: String, magic: [UInt8], offset: Int)] = [
    ("VMDK (vmfsSparse)", Array("COWD".utf8), 0),
    ("VMDK (seSparse)", [0xBE, 0xBA, 0xFE, 0xCA, 0, 0, 0, 0], 0),
    ("VMDK (descriptor)", Array("# Disk DescriptorFile".utf8), 0),
    ("Parallels", Array("WithoutFreeSpace".utf8), 0),
    ("Parallels", Array("WithouFreSpacExt".utf8), 0),
  ]

  /// The name of the format whose magic is in the first 512 bytes of a file; nil when none is.
  static func format(of head: [UInt8]) -> String? {
    magics.first { head.dropFirst($0.offset).starts(with: $0.magic) }?.format
  }
}
