internal import Bytes

/// A run of a file's blocks.
struct ExtRun: Equatable {
  /// In the file.
  var blocks: Range<UInt64>
  /// Where the first of them lies in the file system; nil where there are none.
  var start: UInt64?
  /// Whether they were set aside but never written, so that they read as zeros.
  var isUnwritten = false

  /// Where the blocks lie.
  var place: Range<UInt64>? {
    start.map { $0..<$0 + (blocks.upperBound - blocks.lowerBound) }
  }

  /// Where the content lies; nil where it is zero.
  var content: UInt64? { isUnwritten ? nil : start }

  /// What comes before `block` cut off.
  fileprivate func from(_ block: UInt64) -> ExtRun {
    ExtRun(
      blocks: block..<blocks.upperBound, start: start.map { $0 + (block - blocks.lowerBound) },
      isUnwritten: isUnwritten)
  }

  /// With `next` behind it, when it goes on there.
  fileprivate func joined(with next: ExtRun) -> ExtRun? {
    guard next.blocks.lowerBound == blocks.upperBound, next.isUnwritten == isUnwritten,
      next.start == place?.upperBound
    else { return nil }
    return ExtRun(
      blocks: blocks.lowerBound..<next.blocks.upperBound, start: start, isUnwritten: isUnwritten)
  }
}

/// Where the blocks of one inode lie: extents in a B-tree, or lists of block numbers.
///
/// A look-up reads one block of each level and gives all that the last one says, so whoever goes on
/// behind that comes to an end. Linux, fs/ext4/extents.c and fs/ext4/indirect.c.
struct ExtBlockMap {
  /// A file's blocks are numbered with 32 bits.
  static let blockLimit: UInt64 = 1 << 32

  let volume: ExtVolume
  let inode: ExtInode

  /// Runs without gaps from `block` of the file on, one at least.
  func runs(at block: UInt64) throws -> [ExtRun] {
    guard block < ExtBlockMap.blockLimit else {
      return [ExtRun(blocks: block..<UInt64.max, start: nil)]
    }
    if inode.flags.contains(.extents) { return try extentRuns(at: block) }
    return try listedRuns(at: block)
  }

  // MARK: Lists of block numbers

  /// How the 15 words of the inode count: 12 blocks, then lists of one, two and three levels.
  private func listedRuns(at block: UInt64) throws -> [ExtRun] {
    if block < 12 {
      return try runs(of: (0..<12).map { inode.mapWord($0) }, from: block, listStart: 0)
    }
    let perBlock = volume.geometry.blockSize / 4
    var first: UInt64 = 12
    var span: UInt64 = 1
    for level in 1...3 {
      span *= perBlock
      guard block >= first + span else {
        return try listedRuns(at: block, in: inode.mapWord(11 + level), level, first, span)
      }
      first += span
    }
    return [ExtRun(blocks: block..<ExtBlockMap.blockLimit, start: nil)]
  }

  /// Goes down from the list of `level` levels in block `list`, which covers `span` blocks of the
  /// file from `first` on.
  private func listedRuns(
    at block: UInt64, in list: UInt32, _ level: Int, _ first: UInt64, _ span: UInt64
  ) throws -> [ExtRun] {
    var list = list
    var first = first
    var span = span
    for _ in 1..<level {
      guard list != 0 else { break }
      span /= volume.geometry.blockSize / 4
      let index = (block - first) / span
      first += index * span
      list = try words(in: list)[Int(index)]
    }
    if list == 0 { return [ExtRun(blocks: block..<first + span, start: nil)] }
    return try runs(of: words(in: list), from: block, listStart: first)
  }

  /// The block numbers of a list.
  private func words(in list: UInt32) throws -> [UInt32] {
    guard volume.isUsable(UInt64(list), count: 1) else { throw wrong("list in block \(list)") }
    let bytes = try volume.block(UInt64(list))
    var cursor = ByteCursor(bytes.span, of: "ext block list", .little)
    var words: [UInt32] = []
    words.reserveCapacity(bytes.count / 4)
    for _ in 0..<bytes.count / 4 { words.append(try cursor.u32()) }
    return words
  }

  /// What a list, whose first number is that of `listStart`, says of `block` and what follows.
  private func runs(
    of words: [UInt32], from block: UInt64, listStart: UInt64
  ) throws(FormatError) -> [ExtRun] {
    var runs: [ExtRun] = []
    for index in Int(block - listStart)..<words.count {
      let start = words[index] == 0 ? nil : UInt64(words[index])
      let number = listStart + UInt64(index)
      try append(ExtRun(blocks: number..<number + 1, start: start), to: &runs)
    }
    return runs
  }

  /// Adds what follows, to the last run where it goes on there.
  private func append(_ run: ExtRun, to runs: inout [ExtRun]) throws(FormatError) {
    if let place = run.place, !volume.isUsable(place.lowerBound, count: UInt64(place.count)) {
      throw wrong("block \(place.lowerBound)")
    }
    if let last = runs.last, let joined = last.joined(with: run) {
      runs[runs.count - 1] = joined
    } else {
      runs.append(run)
    }
  }

  // MARK: Extents

  private func extentRuns(at block: UInt64) throws -> [ExtRun] {
    var range = 0..<ExtBlockMap.blockLimit
    var node = try ExtExtentNode(parsing: inode.map, depth: nil, in: range, at: inode.place)
    for depth in (0..<node.depth).reversed() {
      let index = node.lastChild(at: block)
      guard index >= 0 else {
        // Before the first child nothing is mapped.
        return [ExtRun(blocks: block..<node.children[0].first, start: nil)]
      }
      let child = node.children[index].place
      range = node.range(ofChild: index)
      guard volume.isUsable(child, count: 1) else { throw wrong("extents in block \(child)") }
      let bytes = try volume.block(child)
      let place = child * volume.geometry.blockSize
      node = try ExtExtentNode(parsing: bytes.span, depth: depth, in: range, at: place)
      if volume.hasChecksums {
        try node.check(bytes, inode.seed(from: volume.seed), at: place)
      }
    }
    return try runs(at: block, in: node)
  }

  /// What a leaf says of `block` and what follows.
  private func runs(at block: UInt64, in leaf: ExtExtentNode) throws(FormatError) -> [ExtRun] {
    var runs: [ExtRun] = []
    var position = block
    for run in leaf.runs where run.blocks.upperBound > position {
      if run.blocks.lowerBound > position {
        try append(ExtRun(blocks: position..<run.blocks.lowerBound, start: nil), to: &runs)
        position = run.blocks.lowerBound
      }
      try append(run.from(position), to: &runs)
      position = run.blocks.upperBound
    }
    if position < leaf.range.upperBound {
      try append(ExtRun(blocks: position..<leaf.range.upperBound, start: nil), to: &runs)
    }
    return runs
  }

  private func wrong(_ what: String) -> FormatError {
    inode.refusal(.impossible("\(what), where no content can be"))
  }
}
