internal import Blocks
public import Bytes

/// The 512-byte footer that ends every VHD; a copy of it opens a dynamic one.
///
///     offset size  field
///          0    8  cookie           "conectix"
///          8    4  features         2; bit 0 marks a temporary disk
///         12    4  version          0x00010000
///         16    8  header offset    of the dynamic header; all ones in a fixed disk
///         24    4  timestamp        seconds since 2000-01-01
///         28    4  creator          four characters
///         32    4  creator version  major, minor
///         36    4  creator system   "Wi2k" or "Mac "
///         40    8  original size    of the disk, in bytes
///         48    8  size             of the disk, in bytes
///         56    4  geometry         cylinders (2), heads (1), sectors per track (1)
///         60    4  type             2 fixed, 3 dynamic, 4 differencing
///         64    4  checksum         complement of the sum of all other bytes
///         68   16  identifier
///         84    1  saved state
///         85  427  reserved         zero
///
/// Big-endian. Virtual Hard Disk Image Format Specification 1.0, "Hard Disk Footer Format".
/// Values are kept as they are found, sound or not; `findings` judges them.
public struct VHDFooter: Equatable, Sendable {
  public static let byteCount = 512

  /// How the disk's bytes are kept.
  public enum Kind: UInt32, Sendable {
    case fixed = 2
    case dynamic = 3
    case differencing = 4

    /// The word that tools print and options take.
    public var name: String {
      switch self {
      case .fixed: "fixed"
      case .dynamic: "dynamic"
      case .differencing: "differencing"
      }
    }
  }

  public var features: UInt32 = 2
  public var version: UInt32 = 0x0001_0000
  public var headerOffset: UInt64 = .max
  public var timestamp: UInt32 = 0
  public var creator: UInt32 = fourCharacters("win ")
  public var creatorVersion: UInt32 = 0x000a_0000
  public var creatorSystem: UInt32 = fourCharacters("Wi2k")
  public var originalSize: UInt64
  public var size: UInt64
  public var geometry: VHDGeometry
  public var type: UInt32
  public var checksum: UInt32 = 0
  public var identifier: [UInt8]
  public var savedState: UInt8 = 0
  public var reserved = [UInt8](repeating: 0, count: 427)

  /// The type, when it is one that exists.
  public var kind: Kind? { Kind(rawValue: type) }

  /// When the image was made, in seconds since 1970.
  public var created: Int64 { Int64(timestamp) + VHDFooter.epoch }

  /// 2000-01-01T00:00:00Z, in seconds since 1970.
  public static let epoch: Int64 = 946_684_800

  /// A footer as we write it.
  ///
  /// The creator is one whose images every reader takes at their size field: qemu until 9 goes by
  /// the geometry for creators that it does not know.
  ///
  /// - Parameters:
  ///   - kind: Fixed or dynamic.
  ///   - size: The disk's size in bytes, a multiple of 512.
  ///   - created: Seconds since 1970.
  ///   - identifier: 16 random bytes.
  public init(_ kind: Kind, size: UInt64, created: Int64, identifier: [UInt8]) {
    precondition(identifier.count == 16 && size % 512 == 0)
    type = kind.rawValue
    if kind != .fixed { headerOffset = UInt64(VHDFooter.byteCount) }
    timestamp = UInt32(clamping: created - VHDFooter.epoch)
    originalSize = size
    self.size = size
    geometry = VHDGeometry(writtenFor: size)
    self.identifier = identifier
    checksum = computedChecksum
  }

  /// The checksum that the other fields ask for.
  public var computedChecksum: UInt32 {
    var copy = self
    copy.checksum = 0
    return vhdChecksum(copy.bytes)
  }

  /// Four characters as the format keeps them.
  public static func fourCharacters(_ text: StaticString) -> UInt32 {
    var builder = ByteBuilder(.big)
    builder.text(text)
    return builder.bytes.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
  }

  /// Four characters as text, for people; what is no printable ASCII shows as `.`, zeros at the end not at all.
  public static func text(_ characters: UInt32) -> String {
    var bytes = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: characters >> UInt32($0)) }
    while bytes.last == 0 { bytes.removeLast() }
    return String(decoding: bytes.map { (0x20..<0x7f).contains($0) ? $0 : 0x2e }, as: UTF8.self)
  }
}

extension VHDFooter {
  /// - Parameters:
  ///   - bytes: 512 bytes.
  ///   - offset: Their place in the file, in bytes.
  /// - Throws: When the signature is missing or the bytes are too few.
  public init(parsing bytes: Span<UInt8>, at offset: UInt64) throws(FormatError) {
    var cursor = ByteCursor(bytes, of: "VHD footer", at: offset, .big)
    try cursor.expect("conectix")
    features = try cursor.u32()
    version = try cursor.u32()
    headerOffset = try cursor.u64()
    timestamp = try cursor.u32()
    creator = try cursor.u32()
    creatorVersion = try cursor.u32()
    creatorSystem = try cursor.u32()
    originalSize = try cursor.u64()
    size = try cursor.u64()
    geometry = VHDGeometry(
      cylinders: try cursor.u16(), heads: try cursor.u8(), sectors: try cursor.u8())
    type = try cursor.u32()
    checksum = try cursor.u32()
    identifier = try cursor.array(16)
    savedState = try cursor.u8()
    reserved = try cursor.array(427)
  }

  /// The 512 bytes, with the checksum as it is in `checksum`.
  public var bytes: [UInt8] {
    var builder = ByteBuilder(.big, capacity: VHDFooter.byteCount)
    builder.text("conectix")
    builder.u32(features)
    builder.u32(version)
    builder.u64(headerOffset)
    builder.u32(timestamp)
    builder.u32(creator)
    builder.u32(creatorVersion)
    builder.u32(creatorSystem)
    builder.u64(originalSize)
    builder.u64(size)
    builder.u16(geometry.cylinders)
    builder.u8(geometry.heads)
    builder.u8(geometry.sectors)
    builder.u32(type)
    builder.u32(checksum)
    builder.raw(identifier)
    builder.u8(savedState)
    builder.raw(reserved)
    return builder.bytes
  }
}

/// The complement of the sum of `bytes`, in which the checksum itself must be zero.
func vhdChecksum(_ bytes: [UInt8]) -> UInt32 {
  ~bytes.reduce(UInt32(0)) { $0 &+ UInt32($1) }
}
