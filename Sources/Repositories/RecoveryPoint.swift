internal import Blocks
internal import Bytes
internal import Codecs
internal import FoundationEssentials
internal import Streams

/// What is known of one committed state of a machine: the file of a point.
public struct RecoveryPoint: Codable, Equatable, Sendable {
  public struct Volume: Codable, Equatable, Sendable {
    public let name: String
    public let size: UInt64
    public let sectorSize: UInt32
    public let fields: [String: String]
    public let levels: Int
    /// The root node's id, or nil when the whole volume is one hole.
    public let root: String?
    public let hole: String?
    /// Bytes by kind: `data` and the kinds of holes.
    public let bytes: [String: UInt64]
  }

  public struct StoredAttachment: Codable, Equatable, Sendable {
    public let name: String
    public let size: Int
    public let chunks: [String]
  }

  public let format: Int
  public let name: String
  /// RFC 3339.
  public let time: String
  public let host: String
  public let tool: String
  public let sequence: UInt64
  public let previous: [String]
  public let volumes: [Volume]
  public let attachments: [StoredAttachment]
  public let complete: Bool
  public let missing: [String]
  public let warnings: [String]
  public let addedBytes: UInt64
  public let addedChunks: UInt64

  static let byteLimit = 16 << 20
  static let headerCount = 16

  /// The file's bytes.
  func fileBytes() throws -> [UInt8] {
    var builder = ByteBuilder(.little)
    builder.text("VPOINT\0\u{1}")
    builder.u32(0)
    builder.u32(0)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    builder.raw(Array(try encoder.encode(self)))
    return builder.bytes
  }

  /// Parses a point's file, whose content must have the digest in its name.
  init(fileBytes: [UInt8], name: PointName, file: String) throws(RepositoryError) {
    guard SHA256.digest(of: fileBytes) == name.id else {
      throw .damaged("\(file): its content does not fit its name")
    }
    var cursor = ByteCursor(fileBytes.span, of: "point", .little)
    do {
      try cursor.expect("VPOINT\0\u{1}")
      let flags = try cursor.u32()
      guard flags == 0 else { throw cursor.refusal(.unsupported("flags \(flags)")) }
      try cursor.skip(4)
      let json = try cursor.array(cursor.remaining)
      self = try JSONDecoder().decode(RecoveryPoint.self, from: Data(json))
    } catch {
      throw .damaged("\(file): \(error)")
    }
    guard format == 1 else { throw .unsupported("\(file): point format \(format)") }
    guard sequence == name.sequence else { throw .damaged("\(file): its sequence is \(sequence)") }
    guard volumes.count <= StreamLimits.volumes else {
      throw .damaged("\(file): \(volumes.count) volumes")
    }
    for volume in volumes { try volume.check(file) }
    for attachment in attachments { try attachment.check(file) }
  }
}

extension RecoveryPoint {
  init(
    name: String, time: String, host: String, tool: String, sequence: UInt64, previous: [String],
    volumes: [Volume], attachments: [StoredAttachment], missing: [String], warnings: [String],
    addedBytes: UInt64, addedChunks: UInt64
  ) {
    format = 1
    self.name = name
    self.time = time
    self.host = host
    self.tool = tool
    self.sequence = sequence
    self.previous = previous
    self.volumes = volumes
    self.attachments = attachments
    complete = missing.isEmpty
    self.missing = missing
    self.warnings = warnings
    self.addedBytes = addedBytes
    self.addedChunks = addedChunks
  }
}

extension RecoveryPoint.StoredAttachment {
  /// Each chunk but the last holds this many bytes.
  static let chunkCount = 1 << 20

  func check(_ file: String) throws(RepositoryError) {
    guard name.utf8.count <= Attachment.nameLimit, (0...Attachment.byteLimit).contains(size),
      chunks.count <= Attachment.byteLimit / Self.chunkCount
    else { throw .damaged("\(file): attachment \(name.prefix(100)) is beyond the limits") }
  }
}

extension RecoveryPoint.Volume {
  /// Where the volume's map begins.
  var target: MapTarget? {
    if let root { return Digest(hex: root).map { .node($0, fingerprint: nil) } }
    return HoleKind.allCases.first { $0.name == hole }.map { .hole($0) }
  }

  func check(_ file: String) throws(RepositoryError) {
    guard size <= VolumeHeader.sizeLimit, target != nil, levels == MapShape.levels(size),
      root == nil || size > 0
    else { throw .damaged("\(file): volume \(name) makes no sense") }
  }
}
