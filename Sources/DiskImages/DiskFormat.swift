public import Blocks
internal import Bytes

/// A kind of file that holds one disk: recognized by its magic, opened as the disk inside.
public protocol DiskFormat: BlockSource {
  /// The word that options take and tools print.
  static var name: String { get }
  /// Whether `source` bears the format's magic; says nothing about whether it is whole.
  static func recognizes(_ source: any BlockSource) throws -> Bool
  /// Opens the disk in `source`.
  ///
  /// - Throws: `FormatError` for what is damaged, impossible or not supported.
  init(opening source: any BlockSource) throws
}

/// The formats that can be read.
public enum DiskFormats {
  /// Every format, in the order in which they are told; raw recognizes anything and stays last.
  ///
  /// To add a format, write its folder and name it here: options, the probe and the shared tests
  /// all read this list.
  public static let all: [any DiskFormat.Type] = [
    VHDImage.self, VHDXImage.self, VMDKImage.self, QCOW2Image.self, QEDImage.self, VDIImage.self,
    RawImage.self,
  ]

  /// The format of that name.
  public static func named(_ name: String) -> (any DiskFormat.Type)? {
    all.first { $0.name == name }
  }

  /// The format that recognizes `source`; raw where none does.
  ///
  /// - Throws: `FormatError` where several do: a guest writes what it likes to its disk, and so to
  ///   the start of a fixed VHD or to the end of another image.
  public static func recognize(_ source: any BlockSource) throws -> any DiskFormat.Type {
    let found = try all.dropLast().filter { try $0.recognizes(source) }
    guard found.count <= 1 else {
      let names = found.map { $0.name }.joined(separator: " and like ")
      throw FormatError("image", at: 0, .ambiguous("looks like \(names)"))
    }
    return found.first ?? RawImage.self
  }

  /// Opens the disk in `source`, in whatever format it is.
  public static func open(_ source: any BlockSource) throws -> any DiskFormat {
    try recognize(source).init(opening: source)
  }
}
