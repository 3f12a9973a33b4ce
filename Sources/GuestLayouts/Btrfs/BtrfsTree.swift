internal import Bytes

/// What items of trees are found by.
struct BtrfsKey: Comparable {
  let object: UInt64
  let type: UInt8
  let offset: UInt64

  static func < (left: BtrfsKey, right: BtrfsKey) -> Bool {
    (left.object, left.type, left.offset) < (right.object, right.type, right.offset)
  }

  init(_ object: UInt64, _ type: UInt8, _ offset: UInt64) {
    self.object = object
    self.type = type
    self.offset = offset
  }

  /// The key of 17 bytes at `place`, which is inside.
  init(_ bytes: Span<UInt8>, at place: Int) {
    self.init(bytes.little64(at: place), bytes[place + 8], bytes.little64(at: place + 9))
  }
}

/// One block of a tree.
///
///     offset size  field
///          0   32  checksum
///         32   16  UUID
///         48    8  own address
///         80    8  generation
///         88    8  tree
///         96    4  number of items
///        100    1  level              0: a leaf
///
/// Then, in a leaf, items of 25 bytes: key, place of the data behind this header (4), its bytes
/// (4); in others, pointers of 33 bytes: the key of the first item below, address (8),
/// generation (8). Linux, include/uapi/linux/btrfs_tree.h.
struct BtrfsNode {
  static let headerByteCount = 101
  static let itemByteCount = 25
  static let pointerByteCount = 33

  let bytes: [UInt8]
  let count: Int
  let isLeaf: Bool

  /// - Parameter bytes: A whole block, whose checksum holds.
  init(_ bytes: [UInt8], _ place: BtrfsTreePlace, _ uuid: [UInt8]) throws(FormatError) {
    self.bytes = bytes
    let span = bytes.span
    isLeaf = place.level == 0
    func refusal(_ text: String) -> FormatError {
      FormatError("btrfs tree block", at: place.address, .impossible(text))
    }
    let step = isLeaf ? BtrfsNode.itemByteCount : BtrfsNode.pointerByteCount
    guard span.count > BtrfsNode.headerByteCount else { throw refusal("it is too small") }
    count = Int(span.little32(at: 96))
    guard Array(bytes[32..<48]) == uuid, span.little64(at: 48) == place.address,
      span.little64(at: 80) == place.generation, span[100] == place.level
    else { throw refusal("it is another one than was looked for") }
    guard count <= (span.count - BtrfsNode.headerByteCount) / step, isLeaf || count > 0 else {
      throw refusal("\(count) items")
    }
    for index in 1..<max(count, 1) where !(key(index - 1) < key(index)) {
      throw refusal("its keys are not in order")
    }
  }

  private func place(_ index: Int) -> Int {
    BtrfsNode.headerByteCount
      + index * (isLeaf ? BtrfsNode.itemByteCount : BtrfsNode.pointerByteCount)
  }

  func key(_ index: Int) -> BtrfsKey { BtrfsKey(bytes.span, at: place(index)) }

  /// Where the block below is.
  func child(_ index: Int, level: UInt8) -> BtrfsTreePlace {
    let place = place(index) + 17
    let span = bytes.span
    return BtrfsTreePlace(
      address: span.little64(at: place), level: level, generation: span.little64(at: place + 8))
  }

  /// What a leaf's item holds; nil when it does not lie in the block.
  func data(_ index: Int) -> Range<Int>? {
    let place = place(index) + 17
    let start = Int(bytes.span.little32(at: place))
    let size = Int(bytes.span.little32(at: place + 4))
    let room = bytes.count - BtrfsNode.headerByteCount
    guard start <= room, size <= room - start else { return nil }
    return BtrfsNode.headerByteCount + start..<BtrfsNode.headerByteCount + start + size
  }
}

/// Walks through trees.
///
/// Blocks are read whole, checked, and never twice in one walk, as their
/// keys have to ascend.
struct BtrfsTreeReader {
  let volume: BtrfsVolume

  /// Calls `body` for the items with keys from `low` and below `high`, in order.
  ///
  /// - Parameter body: Takes the key, the leaf, and where in it the item's data lies.
  func forEachItem(
    in tree: BtrfsTreePlace, from low: BtrfsKey, to high: BtrfsKey,
    _ body: (BtrfsKey, BtrfsNode, Range<Int>) throws -> Void
  ) throws {
    guard tree.level < 8 else {
      throw FormatError("btrfs tree block", at: tree.address, .impossible("level \(tree.level)"))
    }
    try visit(tree, first: nil, end: nil, low, high, body)
  }

  /// - Parameters:
  ///   - first: The block's first key, as the one above has it.
  ///   - end: What its keys must be below.
  private func visit(
    _ place: BtrfsTreePlace, first: BtrfsKey?, end: BtrfsKey?, _ low: BtrfsKey, _ high: BtrfsKey,
    _ body: (BtrfsKey, BtrfsNode, Range<Int>) throws -> Void
  ) throws {
    let node = try volume.node(place)
    guard node.count > 0 else { return }
    if let first, node.key(0) != first { throw refusal(place, "it does not begin as it should") }
    if let end, node.key(node.count - 1) >= end { throw refusal(place, "its keys reach too far") }
    if node.isLeaf {
      for index in 0..<node.count {
        let key = node.key(index)
        if key < low { continue }
        if key >= high { return }
        guard let data = node.data(index) else { throw refusal(place, "an item is outside") }
        try body(key, node, data)
      }
      return
    }
    for index in 0..<node.count {
      let key = node.key(index)
      if key >= high { return }
      let next = index + 1 < node.count ? node.key(index + 1) : end
      if let next, next <= low { continue }
      try visit(
        node.child(index, level: place.level - 1), first: key, end: next, low, high, body)
    }
  }

  private func refusal(_ place: BtrfsTreePlace, _ text: String) -> FormatError {
    FormatError("btrfs tree block", at: place.address, .impossible(text))
  }
}
