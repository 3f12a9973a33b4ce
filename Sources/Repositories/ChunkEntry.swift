internal import Bytes
internal import Codecs

/// What a stored chunk is for.
enum ChunkType: UInt8, Sendable {
  case data = 1
  case node = 2
  case attachment = 3
}

/// Where a chunk lies and how it is stored: one row of a pack's directory or of an index.
///
/// Chunks are stored in *frames*: one chunk, or several that were new together and compress better
/// as one.
///
///     offset size  field
///          0   32  chunk id
///         32    4  offset of its frame in the pack
///         36    4  stored bytes of the frame
///         40    4  plain bytes of the chunk
///         44    1  type
///         45    1  codec of the frame
///         46    2  0
///         48    8  XXH3-64 of the frame's stored bytes
///         56    4  plain bytes of the frame
///         60    4  offset of the chunk in the frame's plain bytes
///         64    4  0; in an index the pack's number
///         68    4  0
///
/// docs/repository-format.md, "Packs".
struct ChunkEntry: Equatable, Sendable {
  static let byteCount = 72
  static let plainLimit: UInt32 = 4 << 20

  let id: Digest
  var offset: UInt32
  let storedCount: UInt32
  let plainCount: UInt32
  let type: ChunkType
  let codec: Codec
  let check: UInt64
  let framePlainCount: UInt32
  let offsetInFrame: UInt32
  /// The pack's number in its index; 0 in a directory.
  var pack: UInt32 = 0

  func append(to builder: inout ByteBuilder) {
    builder.digest(id)
    builder.u32(offset)
    builder.u32(storedCount)
    builder.u32(plainCount)
    builder.u8(type.rawValue)
    builder.u8(codec.rawValue)
    builder.u16(0)
    builder.u64(check)
    builder.u32(framePlainCount)
    builder.u32(offsetInFrame)
    builder.u32(pack)
    builder.u32(0)
  }

  /// Whether the frame holds this chunk and nothing else.
  var isAlone: Bool { plainCount == framePlainCount }
}

extension ChunkEntry {
  /// Reads the row at `offset` of `table`; nil when its values make no sense.
  init?(_ table: Span<UInt8>, at offset: Int) {
    let kinds = table.little32(at: offset + 44)
    guard let type = ChunkType(rawValue: UInt8(kinds & 255)),
      let codec = Codec(rawValue: UInt8(kinds >> 8 & 255)), kinds >> 16 == 0
    else { return nil }
    self.init(
      id: table.digest(at: offset), offset: table.little32(at: offset + 32),
      storedCount: table.little32(at: offset + 36), plainCount: table.little32(at: offset + 40),
      type: type, codec: codec, check: table.little64(at: offset + 48),
      framePlainCount: table.little32(at: offset + 56),
      offsetInFrame: table.little32(at: offset + 60), pack: table.little32(at: offset + 64))
    guard plainCount > 0, framePlainCount <= ChunkEntry.plainLimit,
      plainCount <= framePlainCount, offsetInFrame <= framePlainCount - plainCount,
      storedCount > 0, storedCount <= framePlainCount,
      codec != .plain || storedCount == framePlainCount, table.little32(at: offset + 68) == 0
    else { return nil }
  }
}
