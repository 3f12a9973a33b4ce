internal import Bytes

/// The inode chunks of an allocation group: 64 inodes each, some of which may have no room.
///
///     offset size  field
///          0    4  first inode, of the group
///          4    2  holes          sparse chunks: bit n for no room for inodes 4n to 4n + 3
///          6    1  inodes         sparse chunks
///          7    1  free inodes    a 32-bit number from 4 on in others
///          8    8  which are free
///
/// Big-endian. Linux, fs/xfs/libxfs/xfs_format.h, `xfs_inobt_rec`.
struct XFSInodeChunks {
  private static let inodesOfChunk: UInt64 = 64
  private static let inodesOfHole: UInt64 = 4

  struct Chunk {
    /// How many inodes have room.
    var inodeCount: UInt64
    /// The blocks of the group that they lie in.
    var blocks: [Range<UInt64>]
  }

  private let volume: XFSVolume
  private let group: XFSGroup

  init(_ volume: XFSVolume, _ group: XFSGroup) {
    self.volume = volume
    self.group = group
  }

  /// Calls `body` for each chunk.
  func forEachChunk(_ body: (Chunk) throws -> Void) throws {
    let isSparse =
      volume.superblock.incompatible & XFSSuperblock.Incompatible.sparseInodes != 0
    var end: UInt64 = 0
    try group.inodes.forEachLeaf { leaf in
      var cursor = ByteCursor(leaf.bytes.span, of: "XFS inode tree", .big)
      try cursor.skip(leaf.start)
      for _ in 0..<leaf.count {
        let first = UInt64(try cursor.u32())
        let holes = isSparse ? try cursor.u16() : 0
        try cursor.skip(isSparse ? 10 : 12)
        // A chunk starts anywhere at a block, or in it when the block has room for several.
        let unit = min(XFSInodeChunks.inodesOfChunk, volume.superblock.inodesOfBlock)
        guard first >= end, first % unit == 0 else {
          throw cursor.refusal(.impossible("inode chunks are not in order"))
        }
        end = first + XFSInodeChunks.inodesOfChunk
        let chunk = chunk(at: first, holes)
        for blocks in chunk.blocks {
          guard
            volume.superblock.holds(
              group: group.number, block: blocks.lowerBound, count: UInt64(blocks.count))
          else { throw cursor.refusal(.impossible("an inode chunk is not in its group")) }
        }
        try body(chunk)
      }
    }
  }

  private func chunk(at first: UInt64, _ holes: UInt16) -> Chunk {
    var chunk = Chunk(inodeCount: 0, blocks: [])
    let inodesOfBlock = volume.superblock.inodesOfBlock
    for bit in 0..<16 where holes >> UInt16(bit) & 1 == 0 {
      chunk.inodeCount += XFSInodeChunks.inodesOfHole
      let inode = first + UInt64(bit) * XFSInodeChunks.inodesOfHole
      let start = inode / inodesOfBlock
      let end = (inode + XFSInodeChunks.inodesOfHole - 1) / inodesOfBlock + 1
      if let last = chunk.blocks.last, last.upperBound >= start {
        chunk.blocks[chunk.blocks.count - 1] = last.lowerBound..<max(last.upperBound, end)
      } else {
        chunk.blocks.append(start..<end)
      }
    }
    return chunk
  }
}
