internal import Blocks
internal import Bytes

/// A file system's bytes with its geometry: what all readers of its structures share.
struct XFSVolume: Sendable {
  let source: any BlockSource
  let superblock: XFSSuperblock

  /// Reads whole bytes of a structure; all of them lie in the area.
  func bytes(_ count: Int, at offset: UInt64, of structure: String) throws -> [UInt8] {
    guard let bytes = try source.bytes(count, at: offset) else {
      throw FormatError(structure, at: offset, .truncated)
    }
    return bytes
  }

  /// Compares a structure's checksum, which counts as zero in its sum.
  ///
  /// - Parameter field: Where the checksum is, in the structure.
  func verify(
    _ bytes: [UInt8], checksumAt field: Int, of structure: String, at offset: UInt64
  ) throws(FormatError) {
    let span = bytes.span
    guard field >= 0, field <= span.count - 4 else {
      throw FormatError(structure, at: offset, .truncated)
    }
    var sum = RunningCRC32(.castagnoli)
    sum.add(span.extracting(0..<field))
    sum.add([0, 0, 0, 0])
    sum.add(span.extracting(field + 4..<span.count))
    let stored = span.little32(at: field)
    guard stored == sum.value else {
      throw FormatError(
        structure, at: offset,
        .badChecksum(stored: UInt64(stored), computed: UInt64(sum.value)))
    }
  }

  /// Requires that metadata says that it belongs to this file system, to this place.
  ///
  /// - Parameters:
  ///   - block: Its own place as it names it, in 512 bytes.
  ///   - owner: The inode or the group that it names, and the one that it must be.
  func require(
    uuid: [UInt8], block: UInt64?, owner: (named: UInt64, wanted: UInt64), of structure: String,
    at offset: UInt64
  ) throws(FormatError) {
    guard uuid == superblock.metadataUUID, block.map({ $0 == offset / 512 }) ?? true,
      owner.named == owner.wanted
    else {
      throw FormatError(structure, at: offset, .impossible("it belongs to something else"))
    }
  }
}
