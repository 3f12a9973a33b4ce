internal import Bytes
internal import Codecs
internal import ObjectStores
internal import Platform

/// The layout of packs.
///
///     header (64)    magic "VPACK\0\0\1", flags (4), key epoch (4), salt (32), 0 (8), check (8)
///     chunks
///     directory      72 bytes a chunk
///     trailer (64)   magic "VPACKEND", directory offset (8), entries (8), directory's check (8),
///                    pack's size (8), 0 (16), check (8)
///
/// docs/repository-format.md, "Packs".
enum PackFile {
  static let headerCount = 64
  static let trailerCount = 64
  /// A pack is closed once it is this long.
  static let closingSize = 64 << 20
  static let sizeLimit = UInt64(UInt32.max)
  static let entryLimit: UInt64 = 16 << 20

  static func header(salt: [UInt8]) -> [UInt8] {
    var builder = ByteBuilder(.little, capacity: headerCount)
    builder.text("VPACK\0\0\u{1}")
    builder.u32(0)
    builder.u32(0)
    builder.raw(salt)
    builder.zeros(8)
    builder.u64(Checksum.of(builder.bytes))
    return builder.bytes
  }

  static func directory(_ entries: [ChunkEntry]) -> [UInt8] {
    var builder = ByteBuilder(.little, capacity: entries.count * ChunkEntry.byteCount)
    for entry in entries { entry.append(to: &builder) }
    return builder.bytes
  }

  static func trailer(directoryOffset: UInt64, directory: [UInt8]) -> [UInt8] {
    var builder = ByteBuilder(.little, capacity: trailerCount)
    builder.text("VPACKEND")
    builder.u64(directoryOffset)
    builder.u64(UInt64(directory.count / ChunkEntry.byteCount))
    builder.u64(Checksum.of(directory))
    builder.u64(directoryOffset + UInt64(directory.count + trailerCount))
    builder.zeros(16)
    builder.u64(Checksum.of(builder.bytes))
    return builder.bytes
  }

  /// Reads a pack's header, trailer and directory, and checks all three.
  ///
  /// - Returns: The directory, every entry of which lies inside the pack.
  static func readDirectory(
    _ file: FileDescriptor, size: UInt64, name: String
  ) throws -> [ChunkEntry] {
    guard size >= UInt64(headerCount + trailerCount), size <= sizeLimit else {
      throw RepositoryError.damaged("\(name): a pack of \(size) bytes is impossible")
    }
    try checkHeader(try file.read(headerCount, at: 0), name)
    let trailer = try file.read(trailerCount, at: size - UInt64(trailerCount))
    let (offset, count, check) = try parseTrailer(trailer, size: size, name)
    let bytes = try file.read(Int(count) * ChunkEntry.byteCount, at: offset)
    guard bytes.count == Int(count) * ChunkEntry.byteCount, Checksum.of(bytes) == check else {
      throw RepositoryError.damaged("\(name): its directory at byte \(offset) is damaged")
    }
    return try parse(bytes, end: offset, name)
  }

  private static func checkHeader(_ bytes: [UInt8], _ name: String) throws {
    let span = bytes.span
    guard bytes.count == headerCount, bytes.starts(with: Array("VPACK\0\0\u{1}".utf8)),
      span.little64(at: 56) == Checksum.of(span.extracting(0..<56))
    else { throw RepositoryError.damaged("\(name): its header is truncated or damaged") }
    let flags = span.little32(at: 8)
    guard flags == 0 else { throw RepositoryError.unsupported("\(name): pack flags \(flags)") }
  }

  private static func parseTrailer(
    _ bytes: [UInt8], size: UInt64, _ name: String
  ) throws -> (offset: UInt64, count: UInt64, check: UInt64) {
    let span = bytes.span
    guard bytes.count == trailerCount,
      Array(bytes[0..<8]) == Array("VPACKEND".utf8),
      span.little64(at: 56) == Checksum.of(span.extracting(0..<56))
    else { throw RepositoryError.damaged("\(name): its trailer is truncated or damaged") }
    let offset = span.little64(at: 8)
    let count = span.little64(at: 16)
    guard span.little64(at: 32) == size, count <= entryLimit,
      offset >= UInt64(headerCount), offset <= size,
      offset + count * UInt64(ChunkEntry.byteCount) + UInt64(trailerCount) == size
    else { throw RepositoryError.damaged("\(name): its trailer does not fit its size") }
    return (offset, count, span.little64(at: 24))
  }

  private static func parse(_ bytes: [UInt8], end: UInt64, _ name: String) throws -> [ChunkEntry] {
    var entries: [ChunkEntry] = []
    entries.reserveCapacity(bytes.count / ChunkEntry.byteCount)
    for offset in stride(from: 0, to: bytes.count, by: ChunkEntry.byteCount) {
      guard let entry = ChunkEntry(bytes.span, at: offset),
        entry.offset >= UInt32(headerCount),
        UInt64(entry.offset) + UInt64(entry.storedCount) <= end, entry.pack == 0
      else {
        throw RepositoryError.damaged(
          "\(name): entry \(offset / ChunkEntry.byteCount) of its directory")
      }
      entries.append(entry)
    }
    return entries
  }
}
