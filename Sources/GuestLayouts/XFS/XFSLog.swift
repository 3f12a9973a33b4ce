internal import Blocks
internal import Bytes

/// The log of an XFS file system: where it begins and ends, and whether it has to be replayed.
///
/// The log is a ring of blocks of 512 bytes. Each carries the number of the cycle in which it was
/// written, so the head, where the next record will go, is where the number falls by one. It is
/// searched for as Linux does it: by halves, then by looking at each block as far back as writes may
/// have been under way at once, and last back from a record that was cut off. A clean unmount leaves
/// a record of one operation, `unmount`, that ends at the head; then nothing is replayed.
///
/// Linux, fs/xfs/xfs_log_recover.c, `xlog_find_head`, `xlog_find_zeroed`, `xlog_find_tail`,
/// `xlog_check_unmount_rec`; fs/xfs/libxfs/xfs_log_format.h.
struct XFSLog {
  static let blockByteCount: UInt64 = 512
  /// Blocks that may be under way at once: 8 records of 256 KiB.
  private static let windowLimit: UInt64 = 4096
  /// How much of it is read at a time.
  private static let pieceBlockCount: UInt64 = 512

  enum State {
    case clean
    /// The records from that with the sequence `tail` to the block `head` are to be replayed.
    case dirty(tail: UInt64, head: UInt64)
  }

  let volume: XFSVolume
  private let range: Range<UInt64>
  /// How many blocks it has.
  let blockCount: UInt64
  private let window: UInt64

  /// The log inside the file system.
  ///
  /// - Throws: `FormatError` when it is not in one.
  init(_ volume: XFSVolume) throws(FormatError) {
    self.volume = volume
    range = try volume.superblock.byteRange(
      of: volume.superblock.logStart, count: volume.superblock.logBlockCount)
    blockCount = (range.upperBound - range.lowerBound) / XFSLog.blockByteCount
    window = min(XFSLog.windowLimit, blockCount)
  }

  /// Whether something is to be replayed.
  ///
  /// - Throws: `GuestDoubt` when it cannot be told; `FormatError`, `SourceError`.
  func state() throws -> State {
    let (head, oldCycle) = try findHead()
    guard let last = try record(endingAt: head) else {
      throw GuestDoubt("no record is found in its log")
    }
    guard (last.block + last.record.blockCount) % blockCount == head else {
      throw GuestDoubt("the records of its log do not follow each other")
    }
    guard last.record.isUnmount else {
      return .dirty(tail: last.record.tail, head: head)
    }
    let behind = head..<min(head + window, blockCount)
    guard try firstBlock(in: behind, where: { $0 != oldCycle }) == nil else {
      throw GuestDoubt("something was written to its log behind the unmount")
    }
    return .clean
  }

  /// Where the next record would be written, and the cycle that the blocks from there on have.
  private func findHead() throws -> (block: UInt64, oldCycle: UInt32) {
    let last = blockCount - 1
    let (firstCycle, lastCycle) = (try cycle(of: 0), try cycle(of: last))
    guard firstCycle != 0 else { throw GuestDoubt("its log is empty") }
    guard firstCycle == lastCycle || firstCycle - 1 == lastCycle else {
      throw GuestDoubt("the cycles of its log do not follow each other")
    }
    var head = blockCount
    if firstCycle != lastCycle {
      // The first block with the last block's cycle, which is 0 where nothing was written yet.
      var low: UInt64 = 0
      head = last
      while head - low > 1 {
        let middle = (low + head) / 2
        if try cycle(of: middle) == lastCycle { head = middle } else { low = middle }
      }
    }
    let hole = firstCycle == lastCycle ? lastCycle - 1 : lastCycle
    if head >= window || lastCycle == 0 {
      let start = head - min(head, window)
      head = try firstBlock(in: start..<head) { $0 == hole } ?? head
    } else if let block = try firstBlock(
      in: blockCount - (window - head)..<blockCount, where: { $0 == hole &- 1 })
    {
      head = block
    } else {
      head = try firstBlock(in: 0..<head) { $0 == hole } ?? head
    }
    // A record that does not end there was cut off, and does not count.
    if let last = try record(before: head), last.record.blockCount != last.distance {
      head = last.block
    }
    return (head % blockCount, lastCycle)
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

  /// The bytes of blocks, around the ring's end.
  func bytes(_ block: UInt64, _ count: UInt64) throws -> [UInt8] {
    let first = min(count, blockCount - block)
    let bytes = try volume.bytes(
      Int(first * XFSLog.blockByteCount), at: range.lowerBound + block * XFSLog.blockByteCount,
      of: "XFS log")
    guard first < count else { return bytes }
    return try bytes
      + volume.bytes(
        Int((count - first) * XFSLog.blockByteCount), at: range.lowerBound, of: "XFS log")
  }

  private func firstBlock(
    in blocks: Range<UInt64>, where isWanted: (_ cycle: UInt32) -> Bool
  ) throws -> UInt64? {
    var block = blocks.lowerBound
    while block < blocks.upperBound {
      let count = min(XFSLog.pieceBlockCount, blocks.upperBound - block)
      let piece = try bytes(block, count)
      for index in 0..<Int(count)
      where isWanted(XFSLog.cycle(in: piece, at: index * Int(XFSLog.blockByteCount))) {
        return block + UInt64(index)
      }
      block += count
    }
    return nil
  }

  /// The header of the last record that begins before a block.
  ///
  /// - Returns: Nil when none is in reach.
  private func record(
    before head: UInt64
  ) throws -> (record: XFSLogRecord, block: UInt64, distance: UInt64)? {
    for distance in 1...min(XFSLogRecord.blockLimit, blockCount) {
      let block = (head + blockCount - distance) % blockCount
      let header = try bytes(block, 1)
      guard header.span.big64(at: 0) >> 32 == UInt64(XFSLogRecord.magic) else { continue }
      return (try XFSLogRecord(parsing: header, at: offset(of: block), of: volume), block, distance)
    }
    return nil
  }

  private func record(
    endingAt head: UInt64
  ) throws -> (record: XFSLogRecord, block: UInt64)? {
    guard let found = try record(before: head) else { return nil }
    return (try record(at: found.block), found.block)
  }

  /// The whole record at a block, its checksum compared.
  func record(at block: UInt64) throws -> XFSLogRecord {
    var record = try XFSLogRecord(parsing: bytes(block, 1), at: offset(of: block), of: volume)
    guard record.sequence & 0xFFFF_FFFF == block, record.blockCount < blockCount else {
      throw FormatError(
        "XFS log record", at: offset(of: block), .impossible("it is not in its place"))
    }
    try record.complete(with: bytes(block, record.blockCount))
    return record
  }

  private func offset(of block: UInt64) -> UInt64 {
    range.lowerBound + block * XFSLog.blockByteCount
  }
}
