internal import Bytes
public import Chunking
public import Codecs
internal import FoundationEssentials
internal import Platform

/// A repository's parameters, fixed when it was made: the file `config`.
public struct RepositoryConfig: Codable, Equatable, Sendable {
  public struct ChunkingChoice: Codable, Equatable, Sendable {
    public let mode: String
    public let size: Int
    /// 16 hexadecimal digits.
    public let key: String
  }

  public struct CompressionChoice: Codable, Equatable, Sendable {
    public let codec: String
    public let level: Int
    /// The most plain bytes that are compressed together.
    public let frame: Int
  }

  public let version: Int
  public let id: String
  public let created: String
  public let features: [String]
  public let chunking: ChunkingChoice
  public let compression: CompressionChoice
  public let fingerprintKey: String

  static let byteLimit = 65536
  /// Frames that may be asked for, in bytes; a frame never exceeds a segment.
  public static let frames = (64 << 10)...(4 << 20)
  /// A whole segment: what a segment adds is one frame, so a restore in order reads each once.
  ///
  /// Larger frames are smaller on disk and slower to read at random: a chunk out of 4 MiB takes 3 ms.
  /// Of a real disk at level 1, 1 MiB is 2.1 % smaller than 256 KiB, 2 MiB 2.5 %, 4 MiB 2.9 %.
  public static let defaultFrame = 4 << 20

  /// - Parameters:
  ///   - chunking: How put cuts.
  ///   - level: zstd's level, or nil for no compression.
  ///   - frame: The most plain bytes that are compressed together, one of `frames`.
  public init(
    chunking: ChunkingParameters, level: Int?, frame: Int = RepositoryConfig.defaultFrame
  ) throws {
    version = 1
    id = Hex.text(try Random.bytes(16))
    created = Clock.text(Clock.now())
    features = []
    self.chunking = ChunkingChoice(
      mode: chunking.mode.rawValue, size: chunking.averageSize,
      key: RepositoryConfig.digits(chunking.key))
    compression = CompressionChoice(
      codec: level == nil ? "plain" : "zstd", level: level ?? 0, frame: frame)
    fingerprintKey = Hex.text(try Random.bytes(32))
  }

  private static func digits(_ key: UInt64) -> String {
    let text = String(key, radix: 16)
    return String(repeating: "0", count: 16 - text.count) + text
  }

  /// The file's bytes: the JSON line and the digest's line.
  func fileBytes() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let line = Array(try encoder.encode(self)) + [UInt8(ascii: "\n")]
    return line + Array("\(SHA256.digest(of: line))\n".utf8)
  }

  /// Parses and checks the file's bytes.
  init(fileBytes: [UInt8], name: String) throws(RepositoryError) {
    guard let end = fileBytes.firstIndex(of: UInt8(ascii: "\n")) else {
      throw .damaged("\(name): truncated")
    }
    let line = Array(fileBytes[...end])
    guard Array(fileBytes[(end + 1)...]) == Array("\(SHA256.digest(of: line))\n".utf8) else {
      throw .damaged("\(name): its digest does not fit its content")
    }
    do {
      self = try JSONDecoder().decode(RepositoryConfig.self, from: Data(line))
    } catch {
      throw .damaged("\(name): \(error)")
    }
    guard version == 1 else { throw .unsupported("\(name): repository version \(version)") }
    guard features.isEmpty else {
      throw .unsupported("\(name): features \(features.joined(separator: ", "))")
    }
    guard chunkingParameters != nil, RepositoryConfig.frames.contains(compression.frame),
      Hex.bytes(fingerprintKey)?.count == 32,
      compression.codec == "plain"
        || compression.codec == "zstd" && ZstdCompressor.levels.contains(compression.level)
    else { throw .damaged("\(name): parameters out of bounds") }
  }

  /// How put cuts; nil when the stored values make no sense.
  public var chunkingParameters: ChunkingParameters? {
    guard let mode = ChunkingParameters.Mode(rawValue: chunking.mode),
      let key = UInt64(chunking.key, radix: 16)
    else { return nil }
    return ChunkingParameters(mode: mode, averageSize: chunking.size, key: key)
  }

  /// zstd's level, or nil for no compression.
  public var zstdLevel: Int? { compression.codec == "zstd" ? compression.level : nil }

  public var fingerprinting: FingerprintKey {
    FingerprintKey(Hex.bytes(fingerprintKey) ?? [])
  }
}
