internal import Bytes

/// A group descriptor.
///
///     offset size  field
///       0x00    4  block of the block bitmap, lower half
///       0x04    4  block of the inode bitmap, lower half
///       0x08    4  first block of the inode table, lower half
///       0x0C    2  free clusters, lower half
///       0x12    2  flags                  1 inodes, 2 blocks were never initialized
///       0x18    2  block bitmap's checksum, lower half
///       0x1E    2  checksum
///
/// With descriptors of 64 bytes and more:
///
///       0x20   12  upper halves of the three places
///       0x2C    2  free clusters, upper half
///       0x38    2  block bitmap's checksum, upper half
///
/// Little-endian. Linux, fs/ext4/ext4.h, `struct ext4_group_desc`.
struct ExtGroup: Equatable {
  var blockBitmap: UInt64
  var inodeBitmap: UInt64
  var inodeTable: UInt64
  var freeClusterCount: UInt32
  var flags: UInt16
  var bitmapChecksum: UInt32
  var checksum: UInt16

  /// - Parameters:
  ///   - bytes: As many as a descriptor has in this file system.
  ///   - offset: Their place in the area.
  init(parsing bytes: Span<UInt8>, at offset: UInt64) throws(FormatError) {
    var cursor = ByteCursor(bytes, of: "ext group descriptor", at: offset, .little)
    blockBitmap = UInt64(try cursor.u32())
    inodeBitmap = UInt64(try cursor.u32())
    inodeTable = UInt64(try cursor.u32())
    freeClusterCount = UInt32(try cursor.u16())
    try cursor.skip(4)
    flags = try cursor.u16()
    try cursor.skip(4)
    bitmapChecksum = UInt32(try cursor.u16())
    try cursor.skip(4)
    checksum = try cursor.u16()
    guard bytes.count >= 64 else { return }
    blockBitmap |= UInt64(try cursor.u32()) << 32
    inodeBitmap |= UInt64(try cursor.u32()) << 32
    inodeTable |= UInt64(try cursor.u32()) << 32
    freeClusterCount |= UInt32(try cursor.u16()) << 16
    try cursor.skip(10)
    bitmapChecksum |= UInt32(try cursor.u16()) << 16
  }
}

extension ExtVolume {
  /// Where a descriptor has its own checksum.
  private static let checksumPlace = 0x1E

  /// The descriptor of one group, compared with its checksum and the file system's size.
  func group(_ number: Int) throws -> ExtGroup {
    let index = number / geometry.descriptorsPerBlock
    let place =
      geometry.descriptorBlock(index) * geometry.blockSize
      + UInt64(number % geometry.descriptorsPerBlock * geometry.descriptorSize)
    let bytes = try bytes(geometry.descriptorSize, at: place)
    return try group(number, bytes.span, at: place)
  }

  /// Calls `body` with each group in order; its descriptors are read in large pieces.
  func forEachGroup(_ body: (Int, ExtGroup) throws -> Void) throws {
    var index = 0
    while index < geometry.descriptorBlockCount {
      let count = min(
        geometry.descriptorRun(index), Int(ExtVolume.pieceByteCount / geometry.blockSize))
      let place = geometry.descriptorBlock(index) * geometry.blockSize
      let piece = try bytes(count * Int(geometry.blockSize), at: place)
      let first = index * geometry.descriptorsPerBlock
      let end = min(first + count * geometry.descriptorsPerBlock, geometry.groupCount)
      for number in first..<end {
        // A descriptor's size divides a block's.
        let start = (number - first) * geometry.descriptorSize
        let span = piece.span.extracting(start..<start + geometry.descriptorSize)
        try body(number, group(number, span, at: place + UInt64(start)))
      }
      index += count
    }
  }

  private func group(
    _ number: Int, _ bytes: Span<UInt8>, at place: UInt64
  ) throws(FormatError) -> ExtGroup {
    let group = try ExtGroup(parsing: bytes, at: place)
    if let computed = checksum(of: bytes, number), computed != group.checksum {
      throw FormatError(
        "descriptor of group \(number)", at: place,
        .badChecksum(stored: UInt64(group.checksum), computed: UInt64(computed)))
    }
    let end = geometry.blockCount
    let starts = [group.blockBitmap, group.inodeBitmap, group.inodeTable]
    guard starts.allSatisfy({ $0 > geometry.firstDataBlock && $0 < end }),
      geometry.inodeTableBlockCount <= end - group.inodeTable
    else {
      throw FormatError(
        "descriptor of group \(number)", at: place, .impossible("it points beyond the end"))
    }
    return group
  }

  /// The checksum that a descriptor should have; nil where they have none.
  private func checksum(of bytes: Span<UInt8>, _ number: Int) -> UInt16? {
    let place = ExtVolume.checksumPlace
    let rest = place + 2..<bytes.count
    let number = UInt32(number)
    if superblock.features.readOnly.contains(.metadataChecksums) {
      var sum = ExtChecksum.crc32c(seed, number)
      sum = ExtChecksum.crc32c(sum, bytes.extracting(0..<place))
      sum = ExtChecksum.crc32c(sum, UInt16(0))
      return UInt16(truncatingIfNeeded: ExtChecksum.crc32c(sum, bytes.extracting(rest)))
    }
    guard superblock.features.readOnly.contains(.groupChecksums) else { return nil }
    var sum = ExtChecksum.crc16(~0, superblock.uuid.span)
    let numberBytes = ExtChecksum.little(number)
    sum = ExtChecksum.crc16(sum, numberBytes.span)
    sum = ExtChecksum.crc16(sum, bytes.extracting(0..<place))
    return ExtChecksum.crc16(sum, bytes.extracting(rest))
  }

  /// Whether the group's bitmap was never written: only metadata is in use then.
  func isUninitialized(_ group: ExtGroup) -> Bool {
    superblock.features.hasGroupChecksums && group.flags & 2 != 0
  }
}
