internal import Bytes

/// The free extents of an allocation group, as both of its trees have them.
struct XFSFreeExtents {
  private let volume: XFSVolume
  private let group: XFSGroup

  init(_ volume: XFSVolume, _ group: XFSGroup) {
    self.volume = volume
    self.group = group
  }

  /// What a tree holds, whatever its order.
  private struct Sum: Equatable {
    var extents: UInt64 = 0
    var blocks: UInt64 = 0
    var longest: UInt64 = 0
    /// A sum of scrambled records: the same for the same set of them.
    var mixture: UInt64 = 0

    mutating func add(_ block: UInt64, _ count: UInt64) {
      extents += 1
      blocks += count
      longest = max(longest, count)
      // The finalizer of SplitMix64.
      var value = block << 32 | count
      value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
      value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
      mixture &+= value ^ value >> 31
    }
  }

  /// Adds them in order.
  ///
  /// - Throws: `GuestDoubt` when the trees and the AGF do not agree, `FormatError` for damage; then
  ///   nothing in `free` may be believed.
  func add(to free: inout FreeSpace) throws {
    let superblock = volume.superblock
    let bySize = try sum(of: group.freeBySize) { last, next in
      last.count < next.count || last.count == next.count && last.block < next.block
    }
    let byBlock = try sum(of: group.freeByBlock) { last, next in
      last.block + last.count <= next.block
    } _: { block, count in
      let start = superblock.byteOffset(group: group.number, block: block)
      free.add(start..<start + count * superblock.blockByteCount)
    }
    guard bySize == byBlock else {
      throw GuestDoubt("the free-space trees of allocation group \(group.number) differ")
    }
    guard byBlock.blocks == group.freeBlockCount, byBlock.longest == group.longestCount else {
      throw GuestDoubt(
        "allocation group \(group.number) counts \(group.freeBlockCount) free blocks, its trees "
          + "\(byBlock.blocks)")
    }
  }

  /// Walks a tree whose records have to come in order.
  private func sum(
    of tree: XFSGroupTree,
    ascends: (_ last: (block: UInt64, count: UInt64), _ next: (block: UInt64, count: UInt64)) ->
      Bool,
    _ body: (_ block: UInt64, _ count: UInt64) throws -> Void = { _, _ in }
  ) throws -> Sum {
    var sum = Sum()
    var last: (block: UInt64, count: UInt64)?
    try tree.forEachLeaf { leaf in
      var cursor = ByteCursor(leaf.bytes.span, of: "XFS free-space tree", .big)
      try cursor.skip(leaf.start)
      for _ in 0..<leaf.count {
        let next = (block: UInt64(try cursor.u32()), count: UInt64(try cursor.u32()))
        guard volume.superblock.holds(group: group.number, block: next.block, count: next.count)
        else { throw cursor.refusal(.impossible("a free extent is not in its group")) }
        if let last, !ascends(last, next) {
          throw cursor.refusal(.impossible("free extents are not in order"))
        }
        last = next
        sum.add(next.block, next.count)
        try body(next.block, next.count)
      }
    }
    return sum
  }
}
