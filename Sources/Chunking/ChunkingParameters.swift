internal import Bytes
internal import Codecs

/// How segments are cut into chunks.
public struct ChunkingParameters: Equatable, Sendable {
  public enum Mode: String, Sendable, CaseIterable {
    /// Cut where a keyed hash of a 4 KiB block says so; runs at memory speed.
    case aligned
    /// Cut at multiples of the size.
    case fixed
    /// Cut where a rolling hash of the bytes says so, at any byte.
    case rolling
  }

  public let mode: Mode
  /// The average size of a chunk in bytes; for `fixed` the size.
  public let averageSize: Int
  /// What keys the cutting hash; the same key cuts the same content the same way.
  public let key: UInt64

  /// The key where no repository says otherwise; it stands for "vpipe 1.0".
  public static let defaultKey: UInt64 = 0x7670_6970_6520_312e
  public static let defaultSize = 64 << 10
  /// Averages that may be asked for, in bytes; chunks never exceed a segment.
  public static let sizes = (16 << 10)...(1 << 20)
  /// Sizes of `fixed` chunks that may be asked for, in bytes.
  public static let fixedSizes = (4 << 10)...(4 << 20)

  /// - Returns: nil when the size is no power of two or out of bounds.
  public init?(mode: Mode, averageSize: Int, key: UInt64 = ChunkingParameters.defaultKey) {
    let allowed = mode == .fixed ? ChunkingParameters.fixedSizes : ChunkingParameters.sizes
    guard allowed.contains(averageSize), averageSize & (averageSize - 1) == 0 else { return nil }
    self.mode = mode
    self.averageSize = averageSize
    self.key = key
  }

  /// The parameters that a `cut` field describes.
  ///
  /// - Returns: nil when it makes no sense, or its key is not the default one: the field holds only
  ///   the key's tag.
  public init?(field: String) {
    let parts = field.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 3, let mode = Mode(rawValue: parts[0]), let size = Int(parts[1]) else {
      return nil
    }
    self.init(mode: mode, averageSize: size)
    guard self.field == field else { return nil }
  }

  private init() {
    mode = .aligned
    averageSize = ChunkingParameters.defaultSize
    key = ChunkingParameters.defaultKey
  }

  public static let standard = ChunkingParameters()

  /// The least bytes of a chunk that does not end with its data.
  public var least: Int { mode == .fixed ? averageSize : averageSize / 4 }
  /// The most bytes of a chunk.
  public var most: Int { mode == .fixed ? averageSize : averageSize * 4 }

  /// Tells keys apart without telling the key.
  public var keyTag: UInt64 { SHA256.digest(of: Array("cut\(key)".utf8)).words.0 }

  /// `MODE:SIZE:TAG`, as a volume's `cut` field says it.
  public var field: String { "\(mode.rawValue):\(averageSize):\(String(keyTag, radix: 16))" }
}
