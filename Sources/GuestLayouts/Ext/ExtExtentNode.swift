internal import Bytes

/// A node of a tree of extents: its root in the inode, or a block.
///
///     offset size  field
///          0    2  magic          0xF30A
///          2    2  entries
///          4    2  room for entries
///          6    2  depth          0: a leaf
///          8    4  generation
///         12       entries of 12 bytes
///        end    4  checksum       behind the room for entries; not in the inode
///
/// An extent: its first block in the file (4), its length (2, above 32,768 it was never written
/// and is so much shorter), its place (upper 2, lower 4). An index: the first block in the file
/// (4), the node's place (lower 4, upper 2), nothing (2).
///
/// Little-endian. Linux, fs/ext4/ext4_extents.h.
struct ExtExtentNode {
  /// How deep a tree may be.
  static let depthLimit = 5
  private static let magic: UInt16 = 0xF30A
  private static let unwrittenLimit: UInt16 = 32768

  struct Child {
    var first: UInt64
    var place: UInt64
  }

  let depth: Int
  /// The blocks of the file that it may speak of.
  let range: Range<UInt64>
  /// Of a leaf: ascending, without overlaps.
  private(set) var runs: [ExtRun] = []
  /// Of other nodes: ascending, at least one.
  private(set) var children: [Child] = []
  private let checkedByteCount: Int

  /// - Parameters:
  ///   - depth: What its parent expects; nil for the root.
  ///   - range: What its parent says of it.
  init(
    parsing bytes: Span<UInt8>, depth expected: Int?, in range: Range<UInt64>, at place: UInt64
  ) throws(FormatError) {
    var cursor = ByteCursor(bytes, of: "ext extents", at: place, .little)
    guard try cursor.u16() == ExtExtentNode.magic else { throw cursor.refusal(.badMagic) }
    let count = Int(try cursor.u16())
    let room = Int(try cursor.u16())
    depth = Int(try cursor.u16())
    self.range = range
    checkedByteCount = 12 + 12 * room
    guard count <= room, checkedByteCount <= bytes.count else {
      throw cursor.refusal(.impossible("\(count) entries, room for \(room)"))
    }
    guard depth <= ExtExtentNode.depthLimit, expected == nil || depth == expected,
      depth == 0 || count > 0
    else { throw cursor.refusal(.impossible("a node of depth \(depth), \(count) entries")) }
    try cursor.skip(4)
    var end = range.lowerBound
    for index in 0..<count {
      let first = UInt64(try cursor.u32())
      guard first >= end, first < range.upperBound else {
        throw cursor.refusal(.impossible("extents out of order"))
      }
      if depth > 0 {
        let low = UInt64(try cursor.u32())
        children.append(Child(first: first, place: UInt64(try cursor.u16()) << 32 | low))
        try cursor.skip(2)
        end = first + 1
        continue
      }
      let length = try cursor.u16()
      let high = UInt64(try cursor.u16())
      let start = high << 32 | UInt64(try cursor.u32())
      let isUnwritten = length > ExtExtentNode.unwrittenLimit
      let blockCount = UInt64(isUnwritten ? length - ExtExtentNode.unwrittenLimit : length)
      end = first + blockCount
      guard blockCount > 0, end <= range.upperBound else {
        throw cursor.refusal(.impossible("extent \(index) of \(blockCount) blocks"))
      }
      runs.append(ExtRun(blocks: first..<end, start: start, isUnwritten: isUnwritten))
    }
  }

  /// The last child that begins at `block` or before; -1 when there is none.
  func lastChild(at block: UInt64) -> Int {
    var low = 0
    var high = children.count
    while low < high {
      let middle = (low + high) / 2
      if children[middle].first <= block { low = middle + 1 } else { high = middle }
    }
    return low - 1
  }

  func range(ofChild index: Int) -> Range<UInt64> {
    let next = index + 1 < children.count ? children[index + 1].first : range.upperBound
    return children[index].first..<next
  }

  /// Compares a block's checksum, which starts with the inode's.
  func check(_ bytes: [UInt8], _ seed: UInt32, at place: UInt64) throws(FormatError) {
    let structure = "ext extents"
    guard checkedByteCount + 4 <= bytes.count else {
      throw FormatError(structure, at: place, .impossible("no room for a checksum"))
    }
    let tail = bytes[checkedByteCount..<checkedByteCount + 4]
    let stored = tail.reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    let computed = ExtChecksum.crc32c(seed, bytes.span.extracting(0..<checkedByteCount))
    guard stored == computed else {
      throw FormatError(
        structure, at: place, .badChecksum(stored: UInt64(stored), computed: UInt64(computed)))
    }
  }
}
