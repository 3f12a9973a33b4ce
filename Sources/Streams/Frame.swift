internal import Blocks
internal import Bytes
internal import Codecs

/// The header of one unit of the stream.
///
///     offset size  field
///          0    2  type
///          2    2  flags            bit 0 critical, bit 1 the payload starts with an id
///          4    4  volume
///          8    8  sequence
///         16    8  offset           in the volume
///         24    8  length           bytes of the volume
///         32    4  payload length
///         36    4  detail           hole kind, codec or sort of warning
///         40    8  check
///
/// Little-endian. docs/stream-format.md, "Frames".
public struct Frame: Equatable, Sendable {
  public static let byteCount = 48

  /// What frames there are.
  public enum Kind: UInt16, Sendable {
    case volume = 1
    case data = 2
    case hole = 3
    case chunk = 4
    case reference = 5
    case fingerprint = 6
    case attachment = 7
    case warning = 8
    case abort = 9
    case seal = 10

    var isCritical: Bool {
      switch self {
      case .fingerprint, .attachment, .warning: false
      default: true
      }
    }
  }

  static let criticalFlag: UInt16 = 1
  static let idFlag: UInt16 = 2

  public var type: UInt16
  public var flags: UInt16
  public var volume: UInt32
  public var sequence: UInt64
  public var offset: UInt64
  public var length: UInt64
  public var payloadCount: UInt32
  public var detail: UInt32
  public var check: UInt64

  init(
    _ kind: Kind, volume: UInt32 = 0, offset: UInt64 = 0, length: UInt64 = 0,
    payloadCount: Int = 0, detail: UInt32 = 0, hasID: Bool = false
  ) {
    type = kind.rawValue
    flags = (kind.isCritical ? Frame.criticalFlag : 0) | (hasID ? Frame.idFlag : 0)
    self.volume = volume
    sequence = 0
    self.offset = offset
    self.length = length
    self.payloadCount = UInt32(payloadCount)
    self.detail = detail
    check = 0
  }

  init(_ foreign: ForeignFrame) {
    type = foreign.type
    flags = foreign.flags
    volume = foreign.volume
    sequence = 0
    offset = foreign.offset
    length = foreign.length
    payloadCount = UInt32(foreign.payload.count)
    detail = foreign.detail
    check = 0
  }

  init(parsing bytes: Span<UInt8>, at place: UInt64) throws(FormatError) {
    var cursor = ByteCursor(bytes, of: "stream frame", at: place, .little)
    type = try cursor.u16()
    flags = try cursor.u16()
    volume = try cursor.u32()
    sequence = try cursor.u64()
    offset = try cursor.u64()
    length = try cursor.u64()
    payloadCount = try cursor.u32()
    detail = try cursor.u32()
    check = try cursor.u64()
  }

  /// The frame's type, nil when this version does not know it.
  var kind: Kind? { Kind(rawValue: type) }
  var isCritical: Bool { flags & Frame.criticalFlag != 0 }
  var hasID: Bool { flags & Frame.idFlag != 0 }

  /// The header's bytes up to the check.
  func unchecked() -> [UInt8] {
    var builder = ByteBuilder(.little, capacity: Frame.byteCount)
    builder.u16(type)
    builder.u16(flags)
    builder.u32(volume)
    builder.u64(sequence)
    builder.u64(offset)
    builder.u64(length)
    builder.u32(payloadCount)
    builder.u32(detail)
    return builder.bytes
  }

  /// What the check must be for this payload, in the stream whose prelude has `seed` for its check.
  func expectedCheck(_ payload: Span<UInt8>, seed: UInt64) -> UInt64 {
    Checksum.of(payload, seed: Checksum.of(unchecked(), seed: seed))
  }
}

/// The limits of a stream; docs/stream-format.md names each.
public enum StreamLimits {
  public static let payload: UInt32 = 16 << 20
  public static let text = 4096
  public static let missing = 65536
  public static let volumes = 64
  public static let openSegments = 32
  /// The most bytes of a frame of unknown type, and the most such frames that wait for segments.
  public static let foreignPayload = 64 << 10
  public static let foreignFrames = 256
  /// The most pieces of a segment: what a map's leaf can hold, one for each sector of 512 bytes.
  public static let runs = 8192
}

/// The 64 bytes that open a stream.
///
///     offset size  field
///          0   16  magic
///         16    2  major version   1
///         18    2  minor version   0
///         20    4  reserved
///         24   16  stream id
///         40   16  reserved
///         56    8  check           XXH3-64 of the 56 bytes before
///
/// docs/stream-format.md, "Prelude".
struct Prelude: Equatable {
  static let byteCount = 64
  static let magic: [UInt8] = [
    0x89, 0x56, 0x50, 0x49, 0x50, 0x45, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0, 0, 0,
  ]
  static let majorVersion: UInt16 = 1

  let id: [UInt8]
  let check: UInt64

  /// - Parameter id: 16 random bytes.
  init(id: [UInt8]) {
    precondition(id.count == 16)
    self.id = id
    check = Checksum.of(Prelude.unchecked(id: id))
  }

  var bytes: [UInt8] {
    var builder = ByteBuilder(.little, capacity: Prelude.byteCount)
    builder.raw(Prelude.unchecked(id: id))
    builder.u64(check)
    return builder.bytes
  }

  private static func unchecked(id: [UInt8]) -> [UInt8] {
    var builder = ByteBuilder(.little, capacity: Prelude.byteCount)
    builder.raw(magic)
    builder.u16(majorVersion)
    builder.u16(0)
    builder.u32(0)
    builder.raw(id)
    builder.zeros(16)
    return builder.bytes
  }

  init(parsing bytes: Span<UInt8>) throws(FormatError) {
    var cursor = ByteCursor(bytes, of: "stream prelude", .little)
    let magic = try cursor.array(16)
    if magic != Prelude.magic {
      throw FormatError("stream prelude", at: 0, Prelude.reasonForForeign(magic))
    }
    let major = try cursor.u16()
    guard major == Prelude.majorVersion else {
      throw FormatError("stream prelude", at: 16, .unsupported("stream version \(major)"))
    }
    try cursor.skip(6)
    id = try cursor.array(16)
    try cursor.skip(16)
    check = try cursor.u64()
    let computed = Checksum.of(bytes.extracting(0..<56))
    guard check == computed else {
      throw FormatError(
        "stream prelude", at: 56, .badChecksum(stored: check, computed: computed))
    }
  }

  /// Tells a stream that text-mode copying damaged from something that is no stream at all.
  private static func reasonForForeign(_ found: [UInt8]) -> FormatError.Reason {
    let name = Array(magic[1..<6])
    if found.contains(name: name) { return .impossible("the stream was copied as text") }
    return .badMagic
  }
}

/// A stream that was written to a file.
public enum SavedStream {
  /// Whether a file that begins with `head` is one.
  public static func begins(_ head: [UInt8]) -> Bool { head.starts(with: Prelude.magic) }
}

extension [UInt8] {
  fileprivate func contains(name: [UInt8]) -> Bool {
    guard count >= name.count else { return false }
    return (0...(count - name.count)).contains { Array(self[$0..<$0 + name.count]) == name }
  }
}
