internal import Blocks
internal import Bytes

/// One file system: its bytes, its superblock, and what follows from it.
struct ExtVolume: Sendable {
  /// The most bytes that are read at once.
  static let pieceByteCount: UInt64 = 1 << 20

  let source: any BlockSource
  let superblock: ExtSuperblock
  let geometry: ExtGeometry
  /// Where the checksums start.
  let seed: UInt32

  /// - Throws: `FormatError` when the superblock cannot be true.
  init(_ source: any BlockSource, _ superblock: ExtSuperblock) throws(FormatError) {
    self.source = source
    self.superblock = superblock
    geometry = try ExtGeometry(superblock, in: source.size)
    seed = superblock.seed
  }

  var hasChecksums: Bool { superblock.features.readOnly.contains(.metadataChecksums) }

  /// Bytes inside the file system.
  func bytes(_ count: Int, at place: UInt64) throws -> [UInt8] {
    guard place <= geometry.byteCount, UInt64(count) <= geometry.byteCount - place,
      let bytes = try source.bytes(count, at: place)
    else { throw FormatError("ext file system", at: place, .truncated) }
    return bytes
  }

  /// One block.
  func block(_ number: UInt64) throws -> [UInt8] {
    guard number < geometry.blockCount else {
      throw FormatError("ext file system", at: geometry.byteCount, .truncated)
    }
    return try bytes(Int(geometry.blockSize), at: number * geometry.blockSize)
  }

  /// Whether files may lie in these blocks.
  func isUsable(_ start: UInt64, count: UInt64) -> Bool {
    start > geometry.firstDataBlock && start < geometry.blockCount
      && count <= geometry.blockCount - start
  }
}
