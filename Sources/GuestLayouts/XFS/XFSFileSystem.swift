internal import Blocks
internal import Bytes

/// An XFS file system on one device, with its log inside.
///
/// What is free is what the tree of free extents by block says, group by group. It is believed when
/// the log needs no replay or the replay is understood (`XFSReplay`), each checksum on the way holds, the tree by size holds the same extents,
/// the counters of the groups and of the superblock agree, and nothing that is known to be in use
/// lies in it: group headers, the log, free lists, the trees' own blocks, and inodes.
struct XFSFileSystem: GuestFileSystem {
  /// The most blocks of a log that only says that the file system was frozen.
  private static let frozenBlockLimit: UInt64 = 4096

  let volume: XFSVolume
  private var superblock: XFSSuperblock { volume.superblock }

  init(_ volume: XFSVolume) { self.volume = volume }

  var byteCount: UInt64 { superblock.byteCount }

  var usedByteCount: UInt64? {
    guard superblock.freeBlockCount <= superblock.blockCount else { return nil }
    return (superblock.blockCount - superblock.freeBlockCount) * superblock.blockByteCount
  }

  var fileDoubt: String? {
    if let standingDoubt { return standingDoubt }
    if case .open(let doubt) = log { return doubt }
    return nil
  }

  /// Only what tells the free space is replayed in memory: no inodes, no directories.
  var log: GuestLogState {
    do {
      return try filesMayChange() ? .open("its log has not been replayed") : .settled
    } catch {
      return .open("\(error)")
    }
  }

  /// Whether the replay of the log will change more than counters in the superblock.
  private func filesMayChange() throws -> Bool {
    let log = try XFSLog(volume)
    guard case .dirty(let tail, let head) = try log.state() else { return false }
    // A frozen file system has a few records, each with the superblock.
    let start = min(tail & 0xFFFF_FFFF, log.blockCount)
    guard (head + log.blockCount - start) % log.blockCount <= XFSFileSystem.frozenBlockLimit else {
      return true
    }
    let sector = 0..<UInt64(superblock.sectorByteCount)
    return try XFSReplay(log, from: tail, to: head).named.ranges != [sector]
  }

  func freeSpace() throws -> FreeSpace {
    if let doubt = standingDoubt { throw GuestDoubt(doubt) }
    let log = try XFSLog(volume)
    guard case .dirty(let tail, let head) = try log.state() else {
      let (free, counted) = try freeSpace(in: volume)
      guard counted == superblock.freeBlockCount else {
        throw GuestDoubt(
          "its superblock counts \(superblock.freeBlockCount) free blocks, its groups \(counted)")
      }
      return free
    }
    do {
      return try freeSpace(after: XFSReplay(log, from: tail, to: head))
    } catch let error as FormatError {
      throw GuestDoubt("its log has not been replayed: \(error)")
    }
  }

  /// What is free before and after a log is replayed, and has no part in that.
  ///
  /// Linux counts anew then, so the superblock's counters do not matter.
  private func freeSpace(after replay: XFSReplay) throws -> FreeSpace {
    let source = XFSReplayedSource(volume.source, replay.changed)
    let bytes = try volume.bytes(XFSSuperblock.byteCount, at: 0, of: "XFS superblock")
    var after = try XFSSuperblock(parsing: try source.bytes(bytes.count, at: 0) ?? bytes)
    after.freeBlockCount = superblock.freeBlockCount
    if after.unknownFeature == nil { after.logFeatures = superblock.logFeatures }
    let used = XFSSuperblock.Version.inUse
    after.version = after.version & ~used | superblock.version & used
    guard after == superblock else {
      throw GuestDoubt("its log has not been replayed, and changes the whole file system")
    }
    let (found, _) = try freeSpace(in: XFSVolume(source: source, superblock: superblock))
    var free = FreeSpace()
    for range in found.extents.ranges {
      for gap in replay.named.gaps(in: range) { free.add(gap) }
    }
    return free
  }

  /// What the groups call free, and how many blocks the superblock should count as free.
  private func freeSpace(in volume: XFSVolume) throws -> (free: FreeSpace, counted: UInt64) {
    var free = FreeSpace()
    var counted: UInt64 = 0
    for number in 0..<superblock.groupCount {
      let group = try XFSGroup(volume, number)
      let before = free.byteCount
      try XFSFreeExtents(volume, group).add(to: &free)
      // Each sum is below the number of blocks, which is below 2^47.
      counted += (free.byteCount - before) / superblock.blockByteCount
      counted += UInt64(group.listCount)
      // Besides their roots, the blocks of these trees count as free.
      counted += try superblock.hasLazyCounters ? group.treeBlockCount : group.countTreeBlocks()
      try requireUse(of: group, in: volume, outside: free)
    }
    let log = try superblock.byteRange(of: superblock.logStart, count: superblock.logBlockCount)
    guard free.extents.intersection(log).isEmpty else {
      throw GuestDoubt("its log lies in what it calls free")
    }
    return (free, counted)
  }

  func files() throws -> (any FileTree)? { try XFSFileTree(volume) }

  /// Why nothing of it can be left out whatever its log says; nil when all is inside and whole.
  private var standingDoubt: String? {
    if superblock.isInProgress { return "mkfs.xfs or xfs_copy did not finish it" }
    if superblock.incompatible & XFSSuperblock.Incompatible.needsRepair != 0 {
      return "it says that it needs xfs_repair"
    }
    if superblock.logStart == 0 { return "its log is on another device" }
    if superblock.realtimeBlockCount != 0 { return "it has a realtime device" }
    return nil
  }

  /// Requires that what is known to be in use is not called free.
  private func requireUse(
    of group: XFSGroup, in volume: XFSVolume, outside free: FreeSpace
  ) throws {
    func require(_ block: UInt64, _ count: UInt64, _ what: String) throws {
      let start = superblock.byteOffset(group: group.number, block: block)
      let range = start..<start + count * superblock.blockByteCount
      guard free.extents.intersection(range).isEmpty else {
        throw GuestDoubt("\(what) of allocation group \(group.number) lies in what it calls free")
      }
    }
    for tree in [group.freeByBlock, group.freeBySize, group.inodes] + group.others {
      try tree.forEachBlock { try require($0, 1, "a tree block") }
    }
    var listed: Set<UInt64> = []
    try group.forEachListed(volume) {
      guard superblock.holds(group: group.number, block: $0, count: 1), listed.insert($0).inserted
      else { throw GuestDoubt("the free list of allocation group \(group.number) is damaged") }
      try require($0, 1, "the free list")
    }
    var inodeCount: UInt64 = 0
    try XFSInodeChunks(volume, group).forEachChunk { chunk in
      inodeCount += chunk.inodeCount
      for blocks in chunk.blocks {
        try require(blocks.lowerBound, UInt64(blocks.count), "an inode chunk")
      }
    }
    guard inodeCount == group.inodeCount else {
      throw GuestDoubt(
        "allocation group \(group.number) counts \(group.inodeCount) inodes, its tree \(inodeCount)"
      )
    }
  }
}
