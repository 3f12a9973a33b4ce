internal import Blocks
internal import Bytes

/// What the replay of a log will do to the structures that tell what is free, and to which places it
/// will look.
///
/// Free space of a file system with a log to be replayed is safe to leave out when
///
/// 1. the replay comes to the same result without it: it reads the log, and the places that the items
///    in the log name, whatever becomes of them. All of these are kept (`named`).
/// 2. nothing reads it afterwards: it is free in the trees as they will be then. These are worked out
///    here as Linux does it (`changed`), and the file system's own counters are held against them.
///
/// So each record between tail and head must be whole and understood, and each item of a known kind.
/// As in Linux, a buffer that is freed later in the log is not written, and none that is newer on the
/// disk. Only version 5 says how new its blocks are; older ones are a doubt.
///
/// Items begin with a type and their count of regions, 2 bytes each:
///
///     123C buffer       4 flags, 6 length, 8 place, 16 words, 20 map: a bit for each 128 bytes that the
///                       other regions hold
///     123B inode        40 place, 48 length; 36 and 44 from some machines of 32 bits
///     123D quota        8 place, 16 length
///     123F new inodes   4 group, 8 block, 20 blocks, big-endian
///     others            intents and their ends, which name blocks and files, and are not looked up
///                       before all else is replayed
///
/// Places and lengths are in 512 bytes. Linux, fs/xfs/xfs_buf_item_recover.c,
/// fs/xfs/libxfs/xfs_log_format.h.
struct XFSReplay {
  /// The most places that are noted, and the most bytes of blocks that change.
  private static let nameLimit = 1 << 20
  private static let byteLimit = 32 << 20
  /// The most buffers that are freed.
  private static let freedLimit = 1 << 18

  /// What the flags of a buffer item say.
  private enum Flag {
    static let inodes: UInt16 = 1
    static let cancel: UInt16 = 2
    static let quotas: UInt16 = 0x1C
  }

  private struct Place: Hashable {
    var block: UInt64
    var count: UInt16
  }

  /// All places that the log names, in bytes of the area.
  private(set) var named = ExtentSet()
  /// The structures that tell what is free as they will be, by their place in the area.
  private(set) var changed: [UInt64: [UInt8]] = [:]

  private let volume: XFSVolume
  private var names: [Range<UInt64>] = []
  /// Buffers that are freed later on, and how often.
  private var cancelled: [Place: Int] = [:]
  private var changedByteCount = 0

  /// Replays the records from `tail`, the sequence of a record, to the block `head`.
  ///
  /// - Throws: `GuestDoubt` when something is not understood; `FormatError`, `SourceError`.
  init(_ log: XFSLog, from tail: UInt64, to head: UInt64) throws {
    volume = log.volume
    guard volume.superblock.hasChecksums else {
      throw GuestDoubt("its log has not been replayed: it was not unmounted cleanly")
    }
    try XFSReplay.forEachTransaction(log, from: tail, to: head, keeping: XFSReplay.tellsNothing) {
      for item in $0.items { try note(item) }
    }
    named = ExtentSet(names)
    names = []
    try XFSReplay.forEachTransaction(log, from: tail, to: head, keeping: XFSReplay.tellsFree) {
      try apply($0)
    }
    for (offset, bytes) in changed {
      changed[offset] = try XFSStamp.stamped(bytes, at: offset)
    }
  }

  private static func doubt(_ problem: String) -> GuestDoubt {
    GuestDoubt("its log has not been replayed and is not understood: \(problem)")
  }

  private static func forEachTransaction(
    _ log: XFSLog, from tail: UInt64, to head: UInt64,
    keeping isWanted: @escaping (_ format: [UInt8]) -> Bool,
    _ body: (XFSTransactions.Transaction) throws -> Void
  ) throws {
    var transactions = XFSTransactions(isWanted: isWanted)
    // The cycle and the block.
    var block = tail & 0xFFFF_FFFF
    guard block < log.blockCount else { throw doubt("its tail is not in it") }
    var left = (head + log.blockCount - block) % log.blockCount
    var last = tail - 1
    while left > 0 {
      let record = try log.record(at: block)
      guard record.isLittleEndian, record.isComplete, record.hasChecksum,
        record.sequence > last, last >= tail || record.sequence == tail, record.blockCount <= left
      else { throw doubt("its records do not follow each other") }
      last = record.sequence
      left -= record.blockCount
      block = (block + record.blockCount) % log.blockCount
      try transactions.add(record, commit: body)
    }
  }

  // MARK: What is named

  /// Notes the places that an item names.
  private mutating func note(_ item: XFSTransactions.Item) throws {
    let format = item.format
    let span = format.span
    func require(_ count: Int) throws {
      guard span.count >= count else { throw XFSReplay.doubt("an item is too short") }
    }
    switch item.type {
    case 0x123C:
      let place = try place(of: format)
      let flags = UInt16(truncatingIfNeeded: span.little32(at: 4))
      if flags & Flag.cancel != 0 {
        cancelled[place, default: 0] += 1
        guard cancelled.count <= XFSReplay.freedLimit else {
          throw XFSReplay.doubt("it frees too much")
        }
      }
      try name(place.block, UInt64(place.count))
    case 0x123B:
      try require(52)
      let start = span.count >= 56 ? 40 : 36
      try name(span.little64(at: start), UInt64(span.little32(at: start + 8)))
    case 0x123D:
      try require(20)
      try name(span.little64(at: 8), UInt64(span.little32(at: 16)))
    case 0x123F:
      try require(28)
      let group = UInt64(span.little32(at: 4).byteSwapped)
      let (block, count) = (
        UInt64(span.little32(at: 8).byteSwapped), UInt64(span.little32(at: 20).byteSwapped)
      )
      guard volume.superblock.holds(group: group, block: block, count: count) else {
        throw XFSReplay.doubt("new inodes that are not in a group")
      }
      let unit = volume.superblock.blockByteCount / XFSLog.blockByteCount
      try name(
        volume.superblock.byteOffset(group: group, block: block) / XFSLog.blockByteCount,
        count * unit)
    // Intents to free, to map, to count and to exchange extents and to set attributes, and their ends.
    case 0x1236, 0x1237, 0x123E, 0x1240...0x1249: break
    default: throw XFSReplay.doubt("an item of type 0x\(String(item.type, radix: 16))")
    }
  }

  /// Notes a place, in 512 bytes.
  private mutating func name(_ block: UInt64, _ count: UInt64) throws {
    let limit = volume.superblock.byteCount / XFSLog.blockByteCount
    guard block < limit, count > 0, count <= limit - block else {
      throw XFSReplay.doubt("a place that is not in the file system")
    }
    names.append(block * XFSLog.blockByteCount..<(block + count) * XFSLog.blockByteCount)
    guard names.count >= XFSReplay.nameLimit else { return }
    names = ExtentSet(names).ranges
    guard names.count < XFSReplay.nameLimit / 2 else {
      throw XFSReplay.doubt("it changes too much")
    }
  }

  // MARK: What changes

  /// Whether a buffer item is of a structure that tells what is free, by its kind.
  private static func tellsFree(_ format: [UInt8]) -> Bool {
    guard format.count >= 20, format[0] == 0x3C, format[1] == 0x12 else { return false }
    let flags = UInt16(truncatingIfNeeded: format.span.little32(at: 4))
    return flags & Flag.cancel == 0 && XFSStamp.Kind(rawValue: flags >> 11) != nil
  }

  private static func tellsNothing(_ format: [UInt8]) -> Bool { false }

  private func place(of format: [UInt8]) throws -> Place {
    let span = format.span
    guard span.count >= 20 else { throw XFSReplay.doubt("an item is too short") }
    return Place(
      block: span.little64(at: 8), count: UInt16(truncatingIfNeeded: span.little32(at: 4) >> 16))
  }

  /// Replays the buffers of a transaction, those first that it does not free.
  private mutating func apply(_ transaction: XFSTransactions.Transaction) throws {
    var freed: [Place] = []
    for item in transaction.items where item.type == 0x123C {
      let place = try place(of: item.format)
      let flags = UInt16(truncatingIfNeeded: item.format.span.little32(at: 4))
      if flags & Flag.cancel != 0 {
        freed.append(place)
      } else if cancelled[place] == nil {
        try apply(item, flags, place, transaction.sequence)
      }
    }
    for place in freed {
      guard let count = cancelled[place] else { continue }
      cancelled[place] = count > 1 ? count - 1 : nil
    }
  }

  private mutating func apply(
    _ item: XFSTransactions.Item, _ flags: UInt16, _ place: Place, _ sequence: UInt64
  ) throws {
    let kind = flags >> 11
    guard let kind = XFSStamp.Kind(rawValue: kind) else {
      // Of inodes, quotas, directories, links and attributes: they do not tell what is free.
      guard (1...17).contains(kind) else { throw XFSReplay.doubt("a buffer of kind \(kind)") }
      return
    }
    let offset = place.block * XFSLog.blockByteCount
    let count = UInt64(place.count) * XFSLog.blockByteCount
    guard flags & (Flag.inodes | Flag.quotas) == 0,
      kind.isPlace(offset, count, in: volume.superblock)
    else { throw XFSReplay.doubt("a buffer in a place that is not its own") }
    var bytes: [UInt8]
    if let known = changed[offset] {
      bytes = known
    } else {
      bytes = try volume.bytes(Int(count), at: offset, of: "XFS buffer")
      if let newest = XFSStamp.sequence(of: bytes, volume.superblock), newest >= sequence { return }
      changedByteCount += bytes.count
      guard changedByteCount <= XFSReplay.byteLimit else {
        throw XFSReplay.doubt("it changes too much")
      }
    }
    guard bytes.count == Int(count) else { throw XFSReplay.doubt("buffers lie in each other") }
    try XFSReplay.copy(item, into: &bytes)
    changed[offset] = bytes
  }

  /// Copies the regions of a buffer item to where its map says.
  private static func copy(_ item: XFSTransactions.Item, into bytes: inout [UInt8]) throws {
    let format = item.format
    let span = format.span
    let wordCount = Int(span.little32(at: 16))
    guard wordCount <= (span.count - 20) / 4 else { throw doubt("an item is too short") }
    func isSet(_ bit: Int) -> Bool {
      bit < wordCount * 32 && span.little32(at: 20 + bit / 32 * 4) >> UInt32(bit % 32) & 1 == 1
    }
    var bit = 0
    for region in item.regions {
      while bit < wordCount * 32, !isSet(bit) { bit += 1 }
      var end = bit
      while isSet(end), (end - bit) * 128 < region.count { end += 1 }
      guard end > bit, region.count == (end - bit) * 128, end * 128 <= bytes.count else {
        throw doubt("a buffer's map does not fit")
      }
      bytes.replaceSubrange(bit * 128..<end * 128, with: region)
      bit = end
    }
    while bit < wordCount * 32, !isSet(bit) { bit += 1 }
    guard bit >= wordCount * 32 else { throw doubt("a buffer's map does not fit") }
  }
}
