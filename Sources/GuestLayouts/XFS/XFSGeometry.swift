internal import Bytes

/// Where the parts of a file system lie, once the superblock's numbers are known to fit together.
extension XFSSuperblock {
  /// The fewest blocks of a group, and the most: 2^31, since block numbers are 32 bits.
  static let groupBlockLimits: ClosedRange<UInt64> = 64...1 << 31
  /// The largest log.
  static let logByteLimit: UInt64 = 1 << 31
  /// The bytes of the largest directory block.
  static let directoryByteLimit: UInt64 = 1 << 16

  /// Whether the numbers fit together, as Linux requires it (`xfs_validate_sb_common`).
  ///
  /// - Throws: What is wrong.
  func validate() throws(FormatError) {
    func require(_ holds: Bool, at offset: UInt64, _ problem: String) throws(FormatError) {
      if !holds { throw FormatError("XFS superblock", at: offset, .impossible(problem)) }
    }
    try require(
      (9...16).contains(blockLog) && blockByteCount == 1 << UInt64(blockLog), at: 4,
      "\(blockByteCount) is no block size")
    try require(
      (9...15).contains(sectorLog) && sectorByteCount == 1 << sectorLog && sectorLog <= blockLog,
      at: 102, "\(sectorByteCount) is no sector size")
    try require(
      ((number == 5 ? 9 : 8)...11).contains(inodeLog) && inodeByteCount == 1 << inodeLog
        && inodeLog <= blockLog && inodesOfBlockLog == blockLog - inodeLog
        && inodesOfBlock == 1 << UInt64(inodesOfBlockLog),
      at: 104, "\(inodeByteCount) is no inode size")
    try require(
      XFSSuperblock.groupBlockLimits.contains(groupBlockCount) && groupLog <= 31
        && groupBlockCount <= 1 << UInt64(groupLog) && groupBlockCount > 1 << UInt64(groupLog) / 2,
      at: 84, "\(groupBlockCount) blocks are no allocation group")
    // Neither product overflows: 32 bits by 32 bits, and at most 2^63 blocks of at most 2^16 bytes.
    try require(
      groupCount > 0 && blockCount > (groupCount - 1) * groupBlockCount
        && blockCount <= groupCount * groupBlockCount && blockCount <= 1 << 47,
      at: 8, "\(blockCount) blocks are not \(groupCount) allocation groups")
    try require(
      directoryLog <= 7
        && blockByteCount << UInt64(directoryLog) <= XFSSuperblock.directoryByteLimit,
      at: 192,
      "directory blocks are too large")
    try require(
      number == 4 || incompatible & Incompatible.fileTypes != 0, at: 216,
      "version 5 without file types")
    guard logStart != 0 else { return }
    try require(
      logBlockCount > 0 && logBlockCount <= XFSSuperblock.logByteLimit / blockByteCount, at: 96,
      "\(logBlockCount) blocks are no log")
    _ = try byteRange(of: logStart, count: logBlockCount)
  }

  /// The bytes that the file system covers.
  var byteCount: UInt64 { blockCount * blockByteCount }
  /// The bytes of a directory block.
  var directoryByteCount: Int { Int(blockByteCount) << directoryLog }
  /// The blocks at the start of each group for the superblock, AGF, AGI and AGFL, a sector each.
  var headerBlockCount: UInt64 {
    (UInt64(sectorByteCount) * 4 + blockByteCount - 1) / blockByteCount
  }

  /// How many blocks a group has.
  func blockCount(ofGroup group: UInt64) -> UInt64 {
    group == groupCount - 1 ? blockCount - group * groupBlockCount : groupBlockCount
  }

  /// Where a block of a group lies, in bytes of the area.
  func byteOffset(group: UInt64, block: UInt64) -> UInt64 {
    (group * groupBlockCount + block) * blockByteCount
  }

  /// Whether `count` blocks from `block` on lie in the group, behind its headers.
  func holds(group: UInt64, block: UInt64, count: UInt64) -> Bool {
    guard group < groupCount, block >= headerBlockCount, count > 0 else { return false }
    let end = blockCount(ofGroup: group)
    return block < end && count <= end - block
  }

  /// Where a file system block lies, and those behind it.
  ///
  /// - Parameter block: The group's number above the group's bits.
  /// - Returns: Bytes of the area; all of one group, behind its headers.
  func byteRange(of block: UInt64, count: UInt64) throws(FormatError) -> Range<UInt64> {
    let group = block >> UInt64(groupLog)
    let inside = block & (1 << UInt64(groupLog) - 1)
    guard holds(group: group, block: inside, count: count) else {
      throw FormatError(
        "XFS", at: 0, .impossible("\(count) blocks from \(block) on are not in the file system"))
    }
    let start = byteOffset(group: group, block: inside)
    return start..<start + count * blockByteCount
  }

  /// Where an inode lies, in bytes of the area.
  func byteOffset(ofInode inode: UInt64) throws(FormatError) -> UInt64 {
    let group = inode >> UInt64(groupLog + inodesOfBlockLog)
    let inside = inode & (1 << UInt64(groupLog + inodesOfBlockLog) - 1)
    let block = inside >> UInt64(inodesOfBlockLog)
    guard holds(group: group, block: block, count: 1) else {
      throw FormatError("XFS", at: 0, .impossible("there is no inode \(inode)"))
    }
    return byteOffset(group: group, block: block)
      + (inside & (inodesOfBlock - 1)) * UInt64(inodeByteCount)
  }
}
