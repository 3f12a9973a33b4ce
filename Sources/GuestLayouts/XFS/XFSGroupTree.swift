internal import Bytes

/// One tree of an allocation group, walked from its root in the order of its keys.
///
/// A block has to be where its parent and its neighbours say, so no loop can be walked: the caller
/// refuses leaves that do not ascend, and each block on the way has a leaf below it.
struct XFSGroupTree {
  /// More levels than the trees of the largest groups have.
  static let levelLimit = 12

  let volume: XFSVolume
  let kind: XFSGroupTreeKind
  let group: UInt64
  let root: UInt64
  let levels: Int

  /// Calls `body` for each leaf in order.
  ///
  /// - Throws: `FormatError`, and what `body` throws.
  func forEachLeaf(_ body: (XFSTreeBlock) throws -> Void) throws {
    var walk = Walk(levels: levels)
    try visit(root, level: levels - 1, &walk, readsLeaves: true) { _, node in
      if let node, node.level == 0 { try body(node) }
    }
    guard walk.right.allSatisfy({ $0 == XFSTreeBlock.none }) else {
      throw refusal(root, "its last block has a neighbour")
    }
  }

  /// Calls `body` with the number of each block, the leaves' too, which are not read.
  ///
  /// - Throws: As `forEachLeaf`; also when there are more than the group can have.
  func forEachBlock(_ body: (UInt64) throws -> Void) throws {
    var walk = Walk(levels: levels)
    try visit(root, level: levels - 1, &walk, readsLeaves: false) { block, _ in try body(block) }
  }

  /// Where a walk is: the last block seen on each level, and what it called its right neighbour.
  private struct Walk {
    var last: [UInt32]
    var right: [UInt32?]
    /// Blocks that were seen.
    var count: UInt64 = 0

    init(levels: Int) {
      last = Array(repeating: XFSTreeBlock.none, count: max(levels, 0))
      right = Array(repeating: nil, count: max(levels, 0))
    }
  }

  /// Calls `body` for a block, with its content where it is read, and for those below it.
  private func visit(
    _ block: UInt64, level: Int, _ walk: inout Walk, readsLeaves: Bool,
    _ body: (UInt64, XFSTreeBlock?) throws -> Void
  ) throws {
    guard (0..<XFSGroupTree.levelLimit).contains(level) else {
      throw refusal(block, "\(levels) levels")
    }
    guard volume.superblock.holds(group: group, block: block, count: 1) else {
      throw refusal(block, "it is not in its group")
    }
    walk.count += 1
    // A group has fewer blocks of one tree than it has blocks.
    guard walk.count <= volume.superblock.groupBlockCount else { throw refusal(block, "a loop") }
    if level == 0, !readsLeaves { return try body(block, nil) }
    let node = try XFSTreeBlock(volume, kind, group: group, block: block)
    guard node.level == level, node.count > 0 || level == 0 && levels == 1 else {
      throw refusal(block, "\(node.count) records on level \(node.level)")
    }
    guard node.left == walk.last[level], walk.right[level] ?? UInt32(block) == UInt32(block) else {
      throw refusal(block, "its neighbours are others")
    }
    walk.last[level] = UInt32(block)
    walk.right[level] = node.right
    try body(block, node)
    guard level > 0 else { return }
    let room = (node.bytes.count - node.start) / (kind.keyByteCount + 4)
    var cursor = ByteCursor(node.bytes.span, of: "XFS tree block", .big)
    try cursor.skip(node.start + room * kind.keyByteCount)
    for _ in 0..<node.count {
      try visit(
        UInt64(try cursor.u32()), level: level - 1, &walk, readsLeaves: readsLeaves, body)
    }
  }

  private func refusal(_ block: UInt64, _ problem: String) -> FormatError {
    FormatError(
      "XFS tree block", at: volume.superblock.byteOffset(group: group, block: block),
      .impossible(problem))
  }
}
