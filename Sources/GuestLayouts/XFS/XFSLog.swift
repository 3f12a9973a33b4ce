internal import Blocks
internal import Bytes

/// The log of an XFS file system, as far as it takes to tell whether it has to be replayed.
///
/// The log is a ring of blocks of 512 bytes. Each carries the number of the cycle in which it was
/// written, so the head, where the next record will go, is where the number falls by one. It is
/// searched for as Linux does it: by halves, and then by looking at each block as far back as writes
/// may have been under way at once. A clean unmount leaves a record of one operation, `unmount`,
/// that ends at the head; then nothing is replayed.
///
/// Where Linux mends what it finds, such as a record that was cut off behind an unmount record,
/// this calls the log dirty: a doubt costs space only.
///
/// Linux, fs/xfs/xfs_log_recover.c, `xlog_find_head`, `xlog_find_tail`,
/// `xlog_check_unmount_rec`; fs/xfs/libxfs/xfs_log_format.h.
struct XFSLog {
  static let blockByteCount: UInt64 = 512
  /// Blocks that may be under way at once: 8 records of 256 KiB.
  private static let windowBlockCount: UInt64 = 4096
  /// How much of it is read at a time.
  private static let pieceBlockCount: UInt64 = 512

  private let volume: XFSVolume
  private let range: Range<UInt64>
  /// How many blocks it has.
  let blockCount: UInt64

  /// - Parameter range: Its bytes; they lie in the area.
  init(_ volume: XFSVolume, _ range: Range<UInt64>) {
    self.volume = volume
    self.range = range
    blockCount = (range.upperBound - range.lowerBound) / XFSLog.blockByteCount
  }

  /// Requires that the log has nothing to replay.
  ///
  /// - Throws: `GuestDoubt` when it has, or when it cannot be told; `FormatError`, `SourceError`.
  func requireClean() throws {
    let (head, oldCycle) = try findHead()
    guard let record = try lastRecord(before: head) else {
      throw GuestDoubt("no record is found in its log")
    }
    guard record.isUnmount else {
      throw GuestDoubt("its log has not been replayed: it was not unmounted cleanly")
    }
    try requireCycle(oldCycle, from: head)
  }

  /// The cycle of a block.
  private func cycle(of block: UInt64) throws -> UInt32 {
    XFSLog.cycle(in: try bytes(block, 1), at: 0)
  }

  /// The cycle of a block: its first number or, in the header of a record, the second.
  private static func cycle(in bytes: [UInt8], at offset: Int) -> UInt32 {
    let word = bytes.span.big64(at: offset)
    let first = UInt32(truncatingIfNeeded: word >> 32)
    return first == XFSLogRecord.magic ? UInt32(truncatingIfNeeded: word) : first
  }

  /// Bytes of blocks that do not pass the end.
  private func bytes(_ block: UInt64, _ count: UInt64) throws -> [UInt8] {
    try volume.bytes(
      Int(count * XFSLog.blockByteCount), at: range.lowerBound + block * XFSLog.blockByteCount,
      of: "XFS log")
  }

  /// Where the next record would be written, and the cycle that the blocks from there on have.
  private func findHead() throws -> (block: UInt64, oldCycle: UInt32) {
    let last = blockCount - 1
    let (firstCycle, lastCycle) = (try cycle(of: 0), try cycle(of: last))
    guard firstCycle != 0 else { throw GuestDoubt("its log is empty") }
    if firstCycle == lastCycle {
      try requireCycle(firstCycle, before: blockCount)
      return (0, lastCycle)
    }
    guard lastCycle == firstCycle - 1 else {
      throw GuestDoubt("the cycles of its log do not follow each other")
    }
    // The first block with the last block's cycle, which is 0 where nothing was written yet.
    var (low, high) = (UInt64(0), last)
    while high - low > 1 {
      let middle = (low + high) / 2
      if try cycle(of: middle) == lastCycle { high = middle } else { low = middle }
    }
    try requireCycle(firstCycle, before: high)
    return (high, lastCycle)
  }

  /// Requires that the blocks before the head have its cycle, or, at the ring's end, the one before.
  private func requireCycle(_ cycle: UInt32, before head: UInt64) throws {
    let count = min(XFSLog.windowBlockCount, blockCount)
    try requireCycle(cycle, head - min(head, count)..<head)
    guard head < count else { return }
    try requireCycle(cycle - 1, max(head, blockCount - (count - head))..<blockCount)
  }

  /// Requires that nothing was written behind the head.
  private func requireCycle(_ cycle: UInt32, from head: UInt64) throws {
    try requireCycle(cycle, head..<min(head + XFSLog.windowBlockCount, blockCount))
  }

  private func requireCycle(_ cycle: UInt32, _ blocks: Range<UInt64>) throws {
    var block = blocks.lowerBound
    while block < blocks.upperBound {
      let count = min(XFSLog.pieceBlockCount, blocks.upperBound - block)
      let piece = try bytes(block, count)
      for index in 0..<Int(count)
      where XFSLog.cycle(in: piece, at: index * Int(XFSLog.blockByteCount)) != cycle {
        throw GuestDoubt("its log has not been replayed: it has holes")
      }
      block += count
    }
  }

  /// The record that ends at the head.
  ///
  /// - Returns: Nil when no record is in reach.
  private func lastRecord(before head: UInt64) throws -> XFSLogRecord? {
    for distance in 1...min(XFSLogRecord.blockLimit, blockCount) {
      let block = (head + blockCount - distance) % blockCount
      let header = try bytes(block, 1)
      guard header.span.big64(at: 0) >> 32 == UInt64(XFSLogRecord.magic) else { continue }
      let record = try XFSLogRecord(
        parsing: header, at: range.lowerBound + block * XFSLog.blockByteCount, of: volume)
      guard record.sequence & 0xFFFF_FFFF == block, record.blockCount == distance else {
        throw GuestDoubt("its log has not been replayed: its last record is cut off")
      }
      return try completed(record, at: block)
    }
    return nil
  }

  /// The record with what it says, its checksum compared.
  private func completed(_ record: XFSLogRecord, at block: UInt64) throws -> XFSLogRecord {
    var all: [UInt8] = []
    for step in 0..<record.blockCount {
      all += try bytes((block + step) % blockCount, 1)
    }
    var record = record
    try record.complete(with: all)
    return record
  }
}
