internal import Blocks
internal import DiskImages

/// A source that was opened in its format.
struct OpenedDisk {
  let file: InputFile
  let disk: any BlockSource
  let format: String

  init(file: InputFile, disk: any BlockSource, format: String) {
    self.file = file
    self.disk = disk
    self.format = format
  }

  /// - Parameters:
  ///   - path: A file or block device.
  ///   - name: The format to take it for; nil looks for magics.
  /// - Throws: `ReadingError`, or what opening the format throws.
  init(_ path: String, format name: String?) throws {
    file = try InputFile(path)
    if let name {
      guard let format = DiskFormats.named(name) else {
        let names = DiskFormats.all.map { $0.name }.joined(separator: ", ")
        throw ReadingError.request("format \(name) is not known", hint: "formats: \(names)")
      }
      disk = try format.init(opening: file)
      self.format = name
      return
    }
    let format = try DiskFormats.recognize(file)
    if format.name == RawImage.name, let other = try ForeignMagic.format(of: file) {
      throw ReadingError.unsupported(
        source: path, "looks like \(other), which cannot be read yet",
        hint: "--format raw takes the bytes as they are")
    }
    disk = try format.init(opening: file)
    self.format = format.name
  }
}

/// Magics of disk formats that no reader is there for: such a file is never taken for raw.
enum ForeignMagic {
  private static let magics: [(format: String, magic: [UInt8], offset: Int)] = [
    ("VHDX", Array("vhdxfile".utf8), 0),
    ("VMDK", Array("KDMV".utf8), 0),
    ("VMDK", Array("COWD".utf8), 0),
    ("VMDK", Array("# Disk DescriptorFile".utf8), 0),
    ("qcow2", [0x51, 0x46, 0x49, 0xFB], 0),
    ("QED", Array("QED\0".utf8), 0),
    ("VDI", [0x7F, 0x10, 0xDA, 0xBE], 64),
    ("Parallels", Array("WithoutFreeSpace".utf8), 0),
    ("Parallels", Array("WithouFreSpacExt".utf8), 0),
  ]

  /// The name of the format whose magic `source` bears; nil when it bears none.
  static func format(of source: any BlockSource) throws -> String? {
    let head = try source.bytes(Int(min(source.size, 512)), at: 0) ?? []
    return magics.first { head.dropFirst($0.offset).starts(with: $0.magic) }?.format
  }
}
