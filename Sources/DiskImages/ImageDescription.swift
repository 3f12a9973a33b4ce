public import Blocks
internal import Bytes

/// What an image says of itself; what a format does not tell is nil.
public struct ImageDescription: Sendable {
  /// The format's own word for how the disk is kept: fixed, dynamic, streamOptimized.
  public var type: String
  /// The disk's size in bytes.
  public var size: UInt64
  /// Bytes of a logical and of a physical sector.
  public var sectorSize: UInt32 = 512
  public var physicalSectorSize: UInt32?
  /// The unit that is allocated at once, in bytes; how many there are, and how many have a place.
  public var blockByteCount: UInt64?
  public var blockCount: UInt64?
  public var allocatedBlockCount: UInt64?
  /// Of the format, where there are several.
  public var version: String?
  /// How what is compressed is compressed.
  public var compression: String?
  public var creator: String?
  /// Seconds since 1970.
  public var created: Int64?
  public var identifier: String?
  /// Changes whenever the disk's data does: children name it.
  public var state: String?
  /// As text, and the bytes that it covers.
  public var geometry: (text: String, byteCount: UInt64)?
  /// Whether a log has to be replayed.
  public var log: String?
  /// What the image calls the disk that it builds on, the likeliest name first.
  public var parents: [String] = []
  /// The format that the image says it has, in its own words.
  public var parentFormat: String?
  /// By what the image knows that disk.
  public var parentIdentifier: String?
  /// Other files that hold parts of the disk.
  public var files: [String] = []
  /// Earlier states of the disk that are kept inside: identifier, name and size in bytes.
  public var snapshots: [(identifier: String, name: String, size: UInt64)] = []

  init(type: String, size: UInt64) {
    self.type = type
    self.size = size
  }

  /// Counts the blocks of a map: those that have a place in the image itself.
  ///
  /// - Throws: `FormatError` for places that cannot be, or that blocks share too much.
  mutating func count(_ map: some BlockMap, in file: any BlockSource) throws {
    blockByteCount = map.blockByteCount
    blockCount = map.blockCount
    var allocated: UInt64 = 0
    var stored = StoredBlocks(of: map, in: file)
    var block: UInt64 = 0
    while block < map.blockCount {
      if let end = try map.endOfMissingTable(at: block) {
        block = end
        continue
      }
      let place = try map.place(of: block)
      switch place {
      case .stored, .packed, .mixed: allocated += 1
      case .zero, .parent: break
      }
      try stored.note(block..<block + 1, place.isStored ? 1 : 0)
      block += 1
    }
    allocatedBlockCount = allocated
  }

  /// 16 bytes as identifiers are usually written.
  static func identifier(_ bytes: [UInt8]) -> String {
    let text = Array(Hex.text(bytes))
    return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(text[$0]) }
      .joined(separator: "-")
  }
}

extension DiskFormat {
  /// What the image in `source` says of itself; no other file is opened.
  ///
  /// - Throws: `FormatError` for what is damaged, impossible or not supported.
  public static func describe(_ source: any BlockSource) throws -> ImageDescription {
    ImageDescription(type: name, size: source.size)
  }
}
