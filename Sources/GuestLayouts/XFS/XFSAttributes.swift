internal import Bytes

/// The extended attributes of a file: inside its inode, or in blocks.
///
/// Inside: bytes in all (2), a count (1), a byte; then for each the lengths of name and value and
/// flags, a byte each, the name and the value.
///
/// Blocks begin with
///
///     offset size  field
///          0    8  next and last block of the same level
///          8    2  magic          FBEE leaf, FEBE node; 3BEE and 3EBE in version 5
///         12    4  checksum       from here on in version 5 only: CRC-32C, little-endian
///         16    8  place          in 512 bytes
///         32   16  UUID
///         48    8  owner
///
/// A count of 2 bytes follows. In a node, at byte 16 or 64, come a hash and a block, 4 bytes each; in
/// a leaf, at byte 32 or 80, a hash (4), a place (2), flags and a byte. At the place are the lengths of
/// value (2) and name (1), the name and the value; or, for a value in blocks of its own, its block
/// and its length (4 bytes each), the length of the name (1) and the name.
///
/// Big-endian. Linux, fs/xfs/libxfs/xfs_da_format.h.
struct XFSAttributes {
  /// The most bytes of names and values that a file may have here.
  private static let byteLimit = 16 << 20
  /// The largest value.
  private static let valueLimit = 64 << 10
  private static let levelLimit = 6
  /// More leaves than this are a loop.
  private static let leafLimit = 1 << 14

  private enum Flag {
    static let inside: UInt8 = 1
    static let trusted: UInt8 = 2
    static let secure: UInt8 = 4
    /// A pointer to a directory that the file is in.
    static let parent: UInt8 = 8
    static let incomplete: UInt8 = 0x80
  }

  /// What was found.
  private(set) var found: [ExtendedAttribute] = []
  private let fork: XFSFork
  private var byteCount = 0
  private var superblock: XFSSuperblock { fork.volume.superblock }

  init(_ fork: XFSFork) { self.fork = fork }

  /// Reads all of them.
  mutating func read() throws {
    switch fork.form {
    case .device: throw fork.refusal("attributes of no form")
    case .inside: try readInside()
    case .extents, .tree:
      guard fork.extentCount > 0 else { return }
      try readBlocks()
    }
  }

  private mutating func readInside() throws {
    let bytes = fork.bytes
    var cursor = ByteCursor(bytes.span, of: "XFS attributes", .big)
    let size = Int(try cursor.u16())
    let count = try cursor.u8()
    try cursor.skip(1)
    for _ in 0..<count {
      let (name, value) = (Int(try cursor.u8()), Int(try cursor.u8()))
      let flags = try cursor.u8()
      try add(try cursor.array(name), flags, try cursor.array(value))
    }
    guard cursor.position <= max(size, 4) else {
      throw cursor.refusal(.impossible("they do not fit"))
    }
  }

  private mutating func readBlocks() throws {
    var place: UInt64 = 0
    var block = try self.block(at: place)
    var level = XFSAttributes.levelLimit
    while block.isNode {
      level -= 1
      guard level > 0, block.count > 0 else { throw fork.refusal("its attributes are damaged") }
      place = block.bytes.span.big64(at: block.start) & 0xFFFF_FFFF
      block = try self.block(at: place)
    }
    var blocks = 0
    while true {
      guard !block.isNode else { throw fork.refusal("its attributes are damaged") }
      blocks += 1
      guard blocks <= XFSAttributes.leafLimit else { throw fork.refusal("too many attributes") }
      try readLeaf(block)
      guard block.next != 0 else { return }
      block = try self.block(at: block.next)
    }
  }

  private struct Block {
    var bytes: [UInt8]
    var isNode: Bool
    var next: UInt64
    var count: Int
    /// Where records begin.
    var start: Int
  }

  private func block(at place: UInt64) throws -> Block {
    let (bytes, offset) = try fork.blocks(1, at: place)
    var cursor = ByteCursor(bytes.span, of: "XFS attributes", at: offset, .big)
    let next = UInt64(try cursor.u32())
    try cursor.skip(4)
    let magic = try cursor.u16()
    try cursor.skip(2)
    let isNode: Bool
    switch (magic, superblock.hasChecksums) {
    case (0xFEBE, false), (0x3EBE, true): isNode = true
    case (0xFBEE, false), (0x3BEE, true): isNode = false
    default: throw FormatError("XFS attributes", at: offset, .badMagic)
    }
    if superblock.hasChecksums {
      try fork.volume.verify(bytes, checksumAt: 12, of: "XFS attributes", at: offset)
      try cursor.skip(4)
      let own = try cursor.u64()
      try cursor.skip(8)
      let uuid = try cursor.array(16)
      try fork.volume.require(
        uuid: uuid, block: own, owner: (try cursor.u64(), fork.inode), of: "XFS attributes",
        at: offset)
    }
    let count = Int(try cursor.u16())
    let start = superblock.hasChecksums ? (isNode ? 64 : 80) : (isNode ? 16 : 32)
    guard count <= (bytes.count - start) / 8 else {
      throw cursor.refusal(.impossible("\(count) records do not fit"))
    }
    return Block(bytes: bytes, isNode: isNode, next: next, count: count, start: start)
  }

  private mutating func readLeaf(_ block: Block) throws {
    for index in 0..<block.count {
      let record = block.bytes.span.big64(at: block.start + index * 8)
      let place = Int(record >> 16 & 0xFFFF)
      let flags = UInt8(truncatingIfNeeded: record >> 8)
      var cursor = ByteCursor(block.bytes.span, of: "XFS attributes", .big)
      try cursor.skip(place)
      if flags & Flag.inside != 0 {
        let value = Int(try cursor.u16())
        let name = Int(try cursor.u8())
        try add(try cursor.array(name), flags, try cursor.array(value))
      } else if isShown(flags) {
        let (first, count) = (try cursor.u32(), Int(try cursor.u32()))
        let name = Int(try cursor.u8())
        try add(try cursor.array(name), flags, try value(at: UInt64(first), count))
      }
    }
  }

  /// Reads a value in blocks of its own, each with a header in version 5.
  ///
  ///     offset size  field
  ///          0    4  magic "XARM"
  ///          4    8  place in the value, bytes of it here
  ///         12    4  checksum       CRC-32C, little-endian
  ///         16   16  UUID
  ///         32    8  owner
  ///         40    8  place          in 512 bytes
  ///         56       the bytes
  private func value(at first: UInt64, _ count: Int) throws -> [UInt8] {
    guard count <= XFSAttributes.valueLimit else {
      throw fork.refusal("an attribute of \(count) bytes")
    }
    let volume = fork.volume
    var value: [UInt8] = []
    var place = first
    while value.count < count {
      let (bytes, offset) = try fork.blocks(1, at: place)
      place += 1
      guard volume.superblock.hasChecksums else {
        value += bytes.prefix(count - value.count)
        continue
      }
      try volume.verify(bytes, checksumAt: 12, of: "XFS attribute value", at: offset)
      var cursor = ByteCursor(bytes.span, of: "XFS attribute value", at: offset, .big)
      try cursor.expect("XARM")
      let (start, length) = (Int(try cursor.u32()), Int(try cursor.u32()))
      try cursor.skip(4)
      let uuid = try cursor.array(16)
      let owner = try cursor.u64()
      try volume.require(
        uuid: uuid, block: try cursor.u64(), owner: (owner, fork.inode),
        of: "XFS attribute value", at: offset)
      try cursor.skip(8)
      guard start == value.count, length > 0, length <= count - value.count else {
        throw cursor.refusal(.impossible("its place in the value is not right"))
      }
      value += try cursor.array(length)
    }
    return value
  }

  private func isShown(_ flags: UInt8) -> Bool { flags & (Flag.incomplete | Flag.parent) == 0 }

  /// Adds an attribute under the name that Linux shows, unless Linux shows none.
  private mutating func add(_ name: [UInt8], _ flags: UInt8, _ value: [UInt8]) throws {
    guard isShown(flags) else { return }
    byteCount += name.count + value.count
    guard byteCount <= XFSAttributes.byteLimit else {
      throw fork.refusal("attributes of more than \(XFSAttributes.byteLimit) bytes")
    }
    if flags & Flag.trusted != 0, let shown = XFSAccessList.name(for: name),
      let list = XFSAccessList.linux(value)
    {
      found.append(ExtendedAttribute(name: Array(shown.utf8), value: list))
      return
    }
    let space =
      flags & Flag.trusted != 0 ? "trusted." : flags & Flag.secure != 0 ? "security." : "user."
    found.append(ExtendedAttribute(name: Array(space.utf8) + name, value: value))
  }
}
