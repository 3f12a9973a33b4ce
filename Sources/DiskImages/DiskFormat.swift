public import Blocks
internal import Bytes

/// A kind of file that holds one disk: recognized by its magic, opened as the disk inside.
public protocol DiskFormat: BlockSource {
  /// The word that options take and tools print.
  static var name: String { get }
  /// Whether an image can hold earlier states of its disk that have names.
  static var hasSnapshots: Bool { get }
  /// Whether `source` bears the format's magic; says nothing about whether it is whole.
  static func recognizes(_ source: any BlockSource) throws -> Bool
  /// Opens the disk in `source`.
  ///
  /// - Parameters:
  ///   - source: The file.
  ///   - options: Which state of the disk, and what else may be opened for it.
  /// - Throws: `FormatError` for what is damaged, impossible or not supported, `CompanionError` for
  ///   trouble with other files that it refers to.
  init(opening source: any BlockSource, _ options: OpeningOptions) throws
  /// What the image in `source` says of itself; no other file is opened.
  ///
  /// - Throws: `FormatError` for what is damaged, impossible or not supported.
  static func describe(_ source: any BlockSource) throws -> ImageDescription
  /// The disk inside.
  var content: any BlockSource { get }
}

/// How images are opened.
public struct OpeningOptions: Sendable {
  /// What opens the files that the image refers to.
  public var companions: any Companions = NoCompanions()
  /// The name or identifier of the snapshot that is wanted; nil for the disk's present state.
  public var snapshot: String?
  /// The format of a backing file of which the image does not tell it.
  public var backingFormat: String?

  public init() {}

  /// The options for a file that an image refers to.
  func of(_ companion: Companion) -> OpeningOptions {
    var options = OpeningOptions()
    options.companions = companion.companions
    options.backingFormat = backingFormat
    return options
  }
}

extension DiskFormat {
  public static var hasSnapshots: Bool { false }
  public var size: UInt64 { content.size }
  public var sectorSize: UInt32 { content.sectorSize }

  public func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    try content.read(into: &bytes, at: offset)
  }

  public func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    try content.nextData(at: offset)
  }

  /// Opens an image that is complete in itself.
  public init(opening source: any BlockSource) throws {
    try self.init(opening: source, OpeningOptions())
  }
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
      throw FormatError(
        "image", at: 0, .ambiguous("looks like \(names)", hint: "--format says which it is"))
    }
    return found.first ?? RawImage.self
  }

  /// Opens the disk in `source`, in whatever format it is.
  public static func open(
    _ source: any BlockSource, _ options: OpeningOptions = OpeningOptions()
  ) throws -> any DiskFormat {
    try recognize(source).init(opening: source, options)
  }
}
