public import Bytes
internal import Chunking
internal import Codecs
public import Platform

/// What a far-away producer must know of a repository to leave out what it has: parameters, keys
/// and the sorted ids of its chunks.
///
///     offset size  field
///          0    8  magic "VKNOWN\0\1"
///          8    8  number of ids
///         16    4  length of the cut field
///         20    4  0
///         24    8  XXH3-64 of all that follows
///         32   32  fingerprint key
///         64    …  the cut field (`MODE:SIZE:TAG`), padded with zeros to a multiple of 8
///          …  32   each chunk id, sorted
///
/// Little-endian. docs/repository-format.md, "Known ids".
public struct KnownIDs: Sendable {
  static let headerCount = 64
  static let cutLimit = 256
  private let map: MemoryMap
  private let first: Int
  private let count: Int
  /// How the repository cuts.
  public let cut: String
  public let fingerprintKey: [UInt8]

  /// Maps a file that `write` made.
  public init(_ file: FileDescriptor) throws {
    let map = try MemoryMap(file)
    self.map = map
    let span = map.span
    guard span.count >= KnownIDs.headerCount,
      [UInt8](span.extracting(0..<8)) == Array("VKNOWN\0\u{1}".utf8)
    else { throw FormatError("list of known chunks", at: 0, .badMagic) }
    let cutCount = Int(span.little32(at: 16))
    guard cutCount <= KnownIDs.cutLimit else {
      throw FormatError("list of known chunks", at: 16, .impossible("\(cutCount) bytes of a name"))
    }
    let first = KnownIDs.headerCount + (cutCount + 7) / 8 * 8
    let stored = span.little64(at: 8)
    guard span.count >= first, stored == UInt64((span.count - first) / Digest.byteCount),
      (span.count - first) % Digest.byteCount == 0
    else { throw FormatError("list of known chunks", at: 8, .truncated) }
    let check = Checksum.of(span.extracting(32..<span.count))
    guard check == span.little64(at: 24) else {
      throw FormatError(
        "list of known chunks", at: 24,
        .badChecksum(stored: span.little64(at: 24), computed: check))
    }
    self.first = first
    count = Int(stored)
    let start = KnownIDs.headerCount
    cut = String(decoding: [UInt8](span.extracting(start..<start + cutCount)), as: UTF8.self)
    fingerprintKey = [UInt8](span.extracting(32..<64))
  }

  public func contains(_ id: Digest) -> Bool {
    let span = map.span
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      let found = span.digest(at: first + middle * Digest.byteCount)
      if found == id { return true }
      if found < id { low = middle + 1 } else { high = middle }
    }
    return false
  }

  /// Writes a file.
  ///
  /// - Parameters:
  ///   - ids: Ascending; gone through twice, as the header comes first and tells of what follows.
  ///   - sink: Takes the file's bytes, piece by piece.
  static func write(
    cut: String, fingerprintKey: [UInt8], ids: some Sequence<Digest>,
    to sink: ([UInt8]) throws -> Void
  ) throws {
    var start = ByteBuilder(.little, capacity: 512)
    start.raw(fingerprintKey)
    let name = Array(cut.utf8)
    start.raw(name)
    start.zeros((8 - name.count % 8) % 8)
    let checksum = RunningChecksum()
    checksum.update(start.bytes)
    var count: UInt64 = 0
    inPieces(ids) {
      checksum.update($0)
      count += UInt64($0.count / Digest.byteCount)
    }
    var header = ByteBuilder(.little, capacity: 512)
    header.text("VKNOWN\0\u{1}")
    header.u64(count)
    header.u32(UInt32(name.count))
    header.u32(0)
    header.u64(checksum.finish())
    header.raw(start.bytes)
    try sink(header.bytes)
    try inPieces(ids, sink)
  }

  private static func inPieces(
    _ ids: some Sequence<Digest>, _ body: ([UInt8]) throws -> Void
  ) rethrows {
    let pieceCount = 1 << 20
    var piece = ByteBuilder(.little, capacity: pieceCount)
    for id in ids {
      piece.digest(id)
      guard piece.bytes.count >= pieceCount else { continue }
      try body(piece.bytes)
      piece = ByteBuilder(.little, capacity: pieceCount)
    }
    try body(piece.bytes)
  }
}

extension Repository {
  /// Writes the list of all chunk ids of the repository.
  ///
  /// - Parameter sink: Takes the list's bytes, piece by piece.
  public func writeKnownIDs(to sink: ([UInt8]) throws -> Void) throws {
    let index = try openIndexForWriting()
    guard let parameters = config.chunkingParameters, let key = Hex.bytes(config.fingerprintKey)
    else { throw RepositoryError.damaged("config: parameters out of bounds") }
    try KnownIDs.write(
      cut: parameters.field, fingerprintKey: key, ids: index.ids, to: sink)
  }
}
