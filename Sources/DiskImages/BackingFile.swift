internal import Blocks
internal import Bytes

/// The disk that a qcow2 or QED image builds on: a file in any format.
enum BackingFile {
  /// QEMU's words for formats, where they differ from ours, and for plain files and devices.
  private static let formats = [
    "vpc": "vhd", "file": "raw", "host_device": "raw", "host_cdrom": "raw",
  ]

  /// Opens it.
  ///
  /// A guest writes what it likes to a raw disk, and could make it look like an image that refers to
  /// other files. So the format is what the image says that it is; where it does not tell, the user
  /// must, unless the file looks like none but raw.
  ///
  /// - Parameters:
  ///   - name: As the image has it.
  ///   - format: In QEMU's words; nil when the image does not tell.
  ///   - options: The image's.
  static func open(
    _ name: String, format: String?, _ options: OpeningOptions
  ) throws -> any BlockSource {
    var name = name
    if name.hasPrefix("file:") { name = String(name.dropFirst(5)) }
    let scheme = name.prefix { $0 != ":" && $0 != "/" }
    guard scheme.count == name.count || name.dropFirst(scheme.count).first == "/" else {
      throw CompanionError(.parent, name, .foreign("is no plain file but a \(scheme) source"))
    }
    let companion = try options.companions.open([name], as: .parent)
    let disk = try companion.opened(as: .parent) { file in
      try Self.format(of: file, companion.path, said: format ?? options.backingFormat)
        .init(opening: file, options.of(companion))
    }
    return ParentDisk(disk, in: companion, as: .parent)
  }

  private static func format(
    of file: any BlockSource, _ path: String, said: String?
  ) throws -> any DiskFormat.Type {
    guard let said else {
      let found = try DiskFormats.recognize(file)
      guard found.name == RawImage.name else {
        throw FormatError(
          "backing file", at: 0,
          .ambiguous(
            "looks like \(found.name), but the image does not tell its format",
            hint: "--backing-format says which it is"))
      }
      _ = try NameClaim(path, option: "--backing-format").check(found.name)
      return found
    }
    guard let format = DiskFormats.named(formats[said] ?? said) else {
      throw FormatError("backing file", at: 0, .unsupported("format \(said.printable)"))
    }
    return format
  }
}
