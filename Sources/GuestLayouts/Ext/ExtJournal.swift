internal import Bytes

/// The superblock of a journal, in its first block.
///
///     offset size  field
///          0    4  magic          C03B3998
///          4    4  block type     3 or 4
///         12    4  block size
///         16    4  blocks
///         20    4  first block of the log
///         24    4  first transaction
///         28    4  its block      0: the journal is empty
///         32    4  error
///         36   12  features       compatible, incompatible, read-only
///         48   16  UUID
///         80    1  kind of checksum
///        252    4  checksum       CRC-32C of these 1,024 bytes with this field zero
///
/// Big-endian. Linux, include/linux/jbd2.h, `struct journal_superblock_s`.
struct ExtJournalHeader {
  static let byteCount = 1024
  static let magic: UInt32 = 0xC03B_3998
  static let magicBytes: [UInt8] = [0xC0, 0x3B, 0x39, 0x98]

  struct Features: OptionSet {
    let rawValue: UInt32

    static let revocations = Features(rawValue: 0x1)
    static let wide = Features(rawValue: 0x2)
    static let asynchronousCommits = Features(rawValue: 0x4)
    static let checksums2 = Features(rawValue: 0x8)
    static let checksums3 = Features(rawValue: 0x10)
    static let fastCommits = Features(rawValue: 0x20)

    static let known: Features = [
      .revocations, .wide, .asynchronousCommits, .checksums2, .checksums3, .fastCommits,
    ]
  }

  /// Whether its blocks have checksums.
  var hasChecksums: Bool { !features.isDisjoint(with: [.checksums2, .checksums3]) }

  var blockSize: UInt32
  var blockCount: UInt32
  var first: UInt32
  /// The first transaction that was not written to its places.
  var sequence: UInt32
  var start: UInt32
  var error: UInt32
  var features: Features
  /// Where the checksums of its blocks start.
  var seed: UInt32 = 0

  init(parsing bytes: [UInt8], at place: UInt64) throws(FormatError) {
    var cursor = ByteCursor(bytes.span, of: "ext journal", at: place, .big)
    guard try cursor.u32() == ExtJournalHeader.magic else { throw cursor.refusal(.badMagic) }
    let type = try cursor.u32()
    guard type == 3 || type == 4 else { throw cursor.refusal(.unsupported("version \(type)")) }
    try cursor.skip(4)
    blockSize = try cursor.u32()
    blockCount = try cursor.u32()
    first = try cursor.u32()
    sequence = try cursor.u32()
    start = try cursor.u32()
    error = try cursor.u32()
    // The older version has no features, nor anything behind.
    guard type == 4 else {
      features = []
      return
    }
    let compatible = try cursor.u32()
    features = Features(rawValue: try cursor.u32())
    let readOnly = try cursor.u32()
    guard compatible & ~1 == 0, features.isSubset(of: .known), readOnly == 0 else {
      let all = [compatible, features.rawValue, readOnly].map { String($0, radix: 16) }
      throw cursor.refusal(.unsupported("features \(all.joined(separator: ", "))"))
    }
    guard hasChecksums else { return }
    let uuid = try cursor.array(16)
    seed = ExtChecksum.crc32c(~0, uuid.span)
    try cursor.skip(252 - 64)
    let stored = try cursor.u32()
    var summed = Array(bytes.prefix(ExtJournalHeader.byteCount))
    for index in 252..<256 { summed[index] = 0 }
    let computed = ExtChecksum.crc32c(~0, summed.span)
    guard stored == computed else {
      throw cursor.refusal(.badChecksum(stored: UInt64(stored), computed: UInt64(computed)))
    }
  }
}

/// The journal that lies in the file system itself, as an inode.
struct ExtJournal {
  /// The most bytes of a journal: `mke2fs` makes 1 GiB at most of itself.
  static let byteLimit: UInt64 = 8 << 30
  /// The most pieces that it may lie in.
  static let runLimit = 1 << 16

  let volume: ExtVolume
  let header: ExtJournalHeader
  /// Its blocks, without holes.
  let runs: [ExtRun]

  /// - Throws: `FormatError` when it is damaged.
  init(of volume: ExtVolume) throws {
    self.volume = volume
    let inode = try volume.inode(volume.superblock.journalInode)
    let blockSize = volume.geometry.blockSize
    guard inode.isRegular, inode.size <= ExtJournal.byteLimit else {
      throw inode.refusal(.impossible("a journal of \(inode.size) bytes"))
    }
    let blockCount = inode.size / blockSize
    let map = ExtBlockMap(volume: volume, inode: inode)
    var runs: [ExtRun] = []
    var position: UInt64 = 0
    while position < blockCount {
      for run in try map.runs(at: position) where run.blocks.lowerBound < blockCount {
        guard run.content != nil, runs.count < ExtJournal.runLimit else {
          throw inode.refusal(.impossible("a journal with holes, or in too many pieces"))
        }
        runs.append(run)
      }
      position = runs.last?.blocks.upperBound ?? blockCount
    }
    self.runs = runs
    guard let start = runs.first?.content else { throw inode.refusal(.impossible("no journal")) }
    header = try ExtJournalHeader(parsing: volume.block(start), at: start * blockSize)
    guard header.blockSize == UInt32(blockSize), UInt64(header.blockCount) <= blockCount,
      header.first >= 1, header.first < header.blockCount
    else {
      throw FormatError(
        "ext journal", at: start * blockSize,
        .impossible(
          "\(header.blockCount) blocks of \(header.blockSize) bytes from \(header.first) on"))
    }
  }

  /// Where its blocks lie in the file system.
  var places: [Range<UInt64>] { runs.compactMap(\.place) }

  /// One of its blocks.
  func block(_ number: UInt64) throws -> [UInt8] {
    var low = 0
    var high = runs.count
    while low < high {
      let middle = (low + high) / 2
      if runs[middle].blocks.upperBound <= number { low = middle + 1 } else { high = middle }
    }
    guard low < runs.count, let start = runs[low].start else {
      throw FormatError("ext journal", at: 0, .truncated)
    }
    return try volume.block(start + number - runs[low].blocks.lowerBound)
  }
}
