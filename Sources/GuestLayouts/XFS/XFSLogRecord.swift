internal import Bytes

/// The header of a log record, and whether the record says that the file system was unmounted.
///
///     offset size  field
///          0    4  magic          FEEDBABE
///          4    4  cycle
///          8    4  version        1 or 2
///         12    4  bytes          behind the headers
///         16    8  sequence       the cycle and the block that it was written to
///         24    8  tail           the same of the oldest record that is needed
///         32    4  checksum       CRC-32C of the header's fields, of what other headers have in
///                                 use and of what follows; 0 when xfsprogs wrote it
///         40    4  operations
///         44  256  first words    of the blocks that follow, in whose place their cycle stands
///        300    4  format         1 for a little-endian machine, 2 for a big-endian one, 0 IRIX
///        304   16  UUID           of the file system
///        320    4  size           of buffers: one header for each 32 KiB of it, in version 2
///
/// Operations begin with an id and a count of bytes, 4 bytes each, who made it and flags, a byte
/// each, and 2 more bytes. Big-endian but for the checksum. Linux,
/// fs/xfs/libxfs/xfs_log_format.h.
struct XFSLogRecord {
  static let magic: UInt32 = 0xFEED_BABE
  /// The most bytes of a record behind its headers.
  private static let byteLimit: UInt32 = 256 << 10
  /// The most blocks of a record: 256 KiB and a header for each 32 KiB of them.
  static let blockLimit: UInt64 = 512 + 8
  private static let bytesOfHeader: UInt32 = 32 << 10
  private static let unmount: UInt8 = 0x20

  let sequence: UInt64
  private let byteCount: UInt32
  private let checksum: UInt32
  private let operationCount: UInt32
  private let headerCount: UInt32
  private let offset: UInt64
  /// Whether its only operation is an unmount; known once it is complete.
  private(set) var isUnmount = false

  /// Blocks of it, its headers included.
  var blockCount: UInt64 { UInt64(headerCount) + (UInt64(byteCount) + 511) / 512 }

  init(parsing bytes: [UInt8], at offset: UInt64, of volume: XFSVolume) throws {
    var cursor = ByteCursor(bytes.span, of: "XFS log record", at: offset, .big)
    self.offset = offset
    guard try cursor.u32() == XFSLogRecord.magic else { throw cursor.refusal(.badMagic) }
    let cycle = try cursor.u32()
    let version = try cursor.u32()
    guard version == (volume.superblock.hasSecondLog ? 2 : 1) else {
      throw cursor.refusal(.unsupported("version \(version)"))
    }
    byteCount = try cursor.u32()
    sequence = try cursor.u64()
    guard byteCount <= XFSLogRecord.byteLimit, sequence >> 32 == UInt64(cycle) else {
      throw cursor.refusal(.impossible("its size or its place is not right"))
    }
    try cursor.skip(8)
    checksum = try cursor.u32().byteSwapped
    try cursor.skip(4)
    operationCount = try cursor.u32()
    try cursor.skip(256)
    let format = try cursor.u32()
    guard format == 1 || format == 2 else {
      throw cursor.refusal(.unsupported("format \(format)"))
    }
    guard try cursor.array(16) == volume.superblock.uuid else {
      throw cursor.refusal(.impossible("it belongs to another file system"))
    }
    let size = try cursor.u32()
    guard version == 2 else {
      headerCount = 1
      return
    }
    guard size <= XFSLogRecord.byteLimit else {
      throw cursor.refusal(.impossible("buffers of \(size) bytes"))
    }
    headerCount = max(1, (size + XFSLogRecord.bytesOfHeader - 1) / XFSLogRecord.bytesOfHeader)
  }

  /// Reads its operation, once its checksum is found right.
  ///
  /// - Parameter bytes: All of its blocks.
  mutating func complete(with bytes: [UInt8]) throws(FormatError) {
    if checksum != 0 {
      // The header ends with the size or, but on i386, with 4 bytes of padding.
      let sums = [328, 324].map { sum(of: bytes, headerByteCount: $0) }
      guard sums.contains(checksum) else {
        throw FormatError(
          "XFS log record", at: offset,
          .badChecksum(stored: UInt64(checksum), computed: UInt64(sums[0])))
      }
    }
    guard operationCount == 1 else { return }
    var cursor = ByteCursor(bytes.span, of: "XFS log record", at: offset, .big)
    try cursor.skip(Int(headerCount) * 512 + 9)
    isUnmount = try cursor.u8() & XFSLogRecord.unmount != 0
  }

  private func sum(of bytes: [UInt8], headerByteCount: Int) -> UInt32 {
    let span = bytes.span
    var sum = RunningCRC32(.castagnoli)
    sum.add(span.extracting(0..<32))
    sum.add([0, 0, 0, 0])
    sum.add(span.extracting(36..<headerByteCount))
    let start = Int(headerCount) * 512
    // Of the other headers, those count that the record has use for, with their cycles' words.
    let used = Int((byteCount + XFSLogRecord.bytesOfHeader - 1) / XFSLogRecord.bytesOfHeader)
    for index in 1..<max(1, min(used, Int(headerCount))) {
      sum.add(span.extracting(index * 512..<index * 512 + 260))
    }
    sum.add(span.extracting(start..<start + Int(byteCount)))
    return sum.value
  }
}
