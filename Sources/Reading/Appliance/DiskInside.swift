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
  ///   - name: The part's own name; nil when it has none.
  ///   - options: The format to take it for. Files beside it are never opened.
  static func open(
    _ source: any BlockSource, of file: InputFile, _ path: String, named name: String?,
    _ options: ReadOptions
  ) throws -> OpenedDisk {
    let format: any DiskFormat.Type
    var doubt: String?
    if let wanted = options.format, wanted != ReadOptions.appliance {
      guard let found = DiskFormats.named(wanted) else {
        throw ReadingError.request("format \(wanted) cannot be read here", hint: nil)
      }
      format = found
    } else {
      (format, doubt) = try Recognition.image(
        source, path, NameClaim(name ?? "", option: nil), option: nil)
      if name == nil { doubt = nil }
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
    return OpenedDisk(file: file, disk: disk, format: format.name, path: path, warning: doubt)
  }
}
