internal import Bytes

/// A record of the log: what was written to it at once.
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
///        300    4  format         1 for a little-endian machine, 2 for a big-endian one
///        304   16  UUID           of the file system
///        320    4  size           of buffers: one header for each 32 KiB of it, in version 2
///
/// Other headers are a cycle and the first words of 64 more blocks. Operations begin with the number
/// of a transaction and a count of bytes, 4 bytes each, who made it and flags, a byte each, and 2 more
/// bytes. Big-endian but for the checksum. Linux, fs/xfs/libxfs/xfs_log_format.h.
struct XFSLogRecord {
  static let magic: UInt32 = 0xFEED_BABE
  /// The most blocks of a record: 256 KiB and a header for each 32 KiB of them.
  static let blockLimit: UInt64 = 512 + 8
  /// The most bytes of a record behind its headers.
  private static let byteLimit: UInt32 = 256 << 10
  private static let bytesOfHeader: UInt32 = 32 << 10
  private static let wordsOfHeader = 64

  /// An operation: a part of a transaction.
  struct Operation {
    enum Flag {
      static let start: UInt8 = 1
      static let commit: UInt8 = 2
      static let goesOn: UInt8 = 4
      static let wentOn: UInt8 = 8
      static let end: UInt8 = 0x10
      static let unmount: UInt8 = 0x20
    }

    var transaction: UInt32
    var flags: UInt8
    var bytes: Range<Int>
  }

  let sequence: UInt64
  let tail: UInt64
  /// Whether it was written by a little-endian machine.
  let isLittleEndian: Bool
  let operationCount: UInt32
  private let byteCount: UInt32
  private let checksum: UInt32
  private let headerCount: UInt32
  private let offset: UInt64
  /// What follows the headers, with the first words in their places, once it is complete.
  private(set) var body: [UInt8] = []

  /// Whether it has a checksum; xfsprogs gives it none.
  var hasChecksum: Bool { checksum != 0 }

  /// Whether its headers have room for the first words of all its blocks.
  ///
  /// Not so in what mkfs.xfs wrote for a log with stripes, which is one operation only.
  var isComplete: Bool { byteCount <= headerCount * XFSLogRecord.bytesOfHeader }

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
    guard byteCount > 0, byteCount <= XFSLogRecord.byteLimit, sequence >> 32 == UInt64(cycle) else {
      throw cursor.refusal(.impossible("its size or its place is not right"))
    }
    tail = try cursor.u64()
    guard tail > 0 else { throw cursor.refusal(.impossible("it has no tail")) }
    checksum = try cursor.u32().byteSwapped
    try cursor.skip(4)
    operationCount = try cursor.u32()
    try cursor.skip(256)
    let format = try cursor.u32()
    guard format == 1 || format == 2 else {
      throw cursor.refusal(.unsupported("format \(format)"))
    }
    isLittleEndian = format == 1
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

  /// Takes over its content, once its checksum is found right.
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
    let start = Int(headerCount) * 512
    body = Array(bytes[start..<start + Int(byteCount)])
    let words = Int(headerCount) * XFSLogRecord.wordsOfHeader
    for index in 0..<min((body.count + 511) / 512, words) {
      let (header, word) = index.quotientAndRemainder(dividingBy: XFSLogRecord.wordsOfHeader)
      let from = header == 0 ? 44 + word * 4 : header * 512 + 4 + word * 4
      for byte in 0..<min(4, body.count - index * 512) {
        body[index * 512 + byte] = bytes[from + byte]
      }
    }
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

  /// Whether its only operation says that the file system was unmounted.
  var isUnmount: Bool {
    operationCount == 1 && body.count >= 12 && body[9] & Operation.Flag.unmount != 0
  }

  /// Calls `body` for each operation.
  func forEachOperation(_ visit: (Operation) throws -> Void) throws {
    var cursor = ByteCursor(body.span, of: "XFS log record", at: offset, .big)
    for _ in 0..<operationCount {
      let transaction = try cursor.u32()
      let count = Int(try cursor.u32())
      let client = try cursor.u8()
      guard client == 0x69 || client == 0xAA else {
        throw cursor.refusal(.unsupported("client \(client)"))
      }
      let flags = try cursor.u8()
      try cursor.skip(2)
      let start = cursor.position
      try cursor.skip(count)
      try visit(Operation(transaction: transaction, flags: flags, bytes: start..<start + count))
    }
  }
}
