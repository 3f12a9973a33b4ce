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
///     offset size  field
///          0   32  chunk id
///         32    4  offset in the pack
///         36    4  stored bytes
///         40    4  plain bytes
///         44    1  type
///         45    1  codec
///         46    2  0
///         48    8  XXH3-64 of the stored bytes
///         56    8  0; in an index the pack's number (4), 0 (4)
///
/// docs/repository-format.md, "Packs".
struct ChunkEntry: Equatable, Sendable {
  static let byteCount = 64
  static let plainLimit: UInt32 = 4 << 20

  let id: Digest
  let offset: UInt32
  let storedCount: UInt32
  let plainCount: UInt32
  let type: ChunkType
  let codec: Codec
  let check: UInt64
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
    builder.u32(pack)
    builder.u32(0)
  }
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
      pack: table.little32(at: offset + 56))
    guard plainCount > 0, plainCount <= ChunkEntry.plainLimit, storedCount > 0,
      storedCount <= plainCount, codec != .plain || storedCount == plainCount,
      table.little32(at: offset + 60) == 0
    else { return nil }
  }
}
