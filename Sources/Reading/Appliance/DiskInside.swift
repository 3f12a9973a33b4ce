internal import Appliances
internal import Blocks
internal import Bytes
internal import DiskImages

/// Opens the disk in a part of a file.
enum DiskInside {
  /// - Parameters:
  ///   - source: The part.
  ///   - file: The file that is watched while it is read.
  ///   - path: What the part is called in messages.
  ///   - options: The format to take it for. Files beside it are never opened.
  static func open(
    _ source: any BlockSource, of file: InputFile, _ path: String, _ options: ReadOptions
  ) throws -> OpenedDisk {
    let format: any DiskFormat.Type
    if let name = options.format, name != ReadOptions.appliance {
      guard let found = DiskFormats.named(name) else {
        throw ReadingError.request("format \(name) cannot be read here", hint: nil)
      }
      format = found
    } else {
      format = try DiskFormats.recognize(source)
      let head = try source.bytes(Int(min(source.size, 512)), at: 0) ?? []
      if format.name == "raw", let other = ForeignMagic.format(of: head) {
        throw ReadingError.unsupported(
          source: path, "looks like \(other), which cannot be read yet", hint: nil)
      }
    }
    if options.snapshot != nil, !format.hasSnapshots {
      throw ReadingError.unsupported(
        source: path, "a \(format.name) disk has no snapshots inside",
        hint: "--snapshot belongs to qcow2")
    }
    var opening = OpeningOptions()
    opening.snapshot = options.snapshot
    let disk = try format.init(opening: source, opening)
    guard disk.size <= VolumeHeader.sizeLimit else {
      throw FormatError(
        "disk", at: 0, .impossible("a size of \(disk.size) bytes is over the limit"))
    }
    return OpenedDisk(file: file, disk: disk, format: format.name, path: path)
  }
}
