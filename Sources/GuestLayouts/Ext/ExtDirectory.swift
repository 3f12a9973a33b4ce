internal import Blocks
internal import Bytes

/// The entries of a directory.
///
/// A block is a chain of entries:
///
///     offset size  field
///          0    4  inode          0: no entry
///          4    2  length         to the next entry; to the block's end in the last one
///          6    1  name's length
///          7    1  type           anything at all without `filetype`
///          8       name
///
/// With checksums the last 12 bytes are an entry without an inode, of type DE, whose name is the
/// checksum. The blocks of a hash tree look like one long entry without an inode; its root begins
/// with `.` and `..`. So all names are found by going through the blocks in order. Within an inode,
/// entries begin behind the parent's number. Linux, fs/ext4/ext4.h, `struct ext4_dir_entry_2`.
struct ExtDirectory {
  private static let tailByteCount = 12

  let volume: ExtVolume
  let inode: ExtInode

  /// - Throws: `GuestDoubt` when its names are encrypted, `FormatError` for damage.
  func forEachEntry(_ body: (DirectoryEntry) throws -> Bool) throws {
    guard !inode.flags.contains(.encrypted) else { throw GuestDoubt("its names are encrypted") }
    if inode.flags.contains(.inlineData) { return try forEachInlineEntry(body) }
    let blockSize = volume.geometry.blockSize
    let map = ExtBlockMap(volume: volume, inode: inode)
    // A directory has no room for more blocks than there are.
    let blockCount = size / blockSize
    guard blockCount <= min(volume.geometry.blockCount, ExtBlockMap.blockLimit) else {
      throw inode.refusal(.impossible("a directory of \(size) bytes"))
    }
    var position: UInt64 = 0
    while position < blockCount {
      for run in try map.runs(at: position) {
        let end = min(run.blocks.upperBound, blockCount)
        // What was set aside in advance holds nothing.
        if let start = run.content, run.blocks.lowerBound < end {
          for number in run.blocks.lowerBound..<end {
            let block = try volume.block(start + number - run.blocks.lowerBound)
            if try !forEachEntry(in: block, number, body) { return }
          }
        }
        position = end
        if position == blockCount { break }
      }
    }
  }

  /// The upper half of a directory's size once meant something else.
  private var size: UInt64 {
    volume.superblock.features.incompatible.contains(.largeDirectories)
      ? inode.size : inode.size & 0xFFFF_FFFF
  }

  private func forEachInlineEntry(_ body: (DirectoryEntry) throws -> Bool) throws {
    let content = try volume.inlineContent(of: inode)
    // The parent's number, then one chain up to the map's end, and one in the attribute.
    let split = min(ExtInode.mapByteCount, content.count)
    guard split >= 4 else { throw inode.refusal(.truncated) }
    guard try forEachEntry(in: Array(content[4..<split]), body) else { return }
    _ = try forEachEntry(in: Array(content[split...]), body)
  }

  private func forEachEntry(
    in block: [UInt8], _ number: UInt64, _ body: (DirectoryEntry) throws -> Bool
  ) throws -> Bool {
    guard volume.hasChecksums else { return try forEachEntry(in: block, body) }
    if isIndexed, let place = try indexPlace(block, number) {
      try checkIndex(block, number, at: place)
    } else {
      try checkLeaf(block, number)
    }
    return try forEachEntry(in: block, body)
  }

  private func forEachEntry(
    in block: [UInt8], _ body: (DirectoryEntry) throws -> Bool
  ) throws -> Bool {
    var cursor = ByteCursor(block.span, of: "ext directory", .little)
    while cursor.remaining >= 8 {
      let start = cursor.position
      let number = try cursor.u32()
      let length = ExtDirectory.length(try cursor.u16(), block.count)
      let nameLength = Int(try cursor.u8())
      try cursor.skip(1)
      guard length >= 8, length % 4 == 0, length <= block.count - start else {
        throw wrong("an entry of \(length) bytes")
      }
      if number != 0 {
        guard nameLength > 0, nameLength <= 255, nameLength <= length - 8 else {
          throw wrong("a name of \(nameLength) bytes")
        }
        let name = try cursor.array(nameLength)
        if name != ExtDirectory.own, name != ExtDirectory.parent {
          guard !name.contains(0), !name.contains(UInt8(ascii: "/")) else {
            throw wrong("a name that cannot be")
          }
          guard try body(DirectoryEntry(name: name, id: UInt64(number))) else { return false }
        }
      }
      try cursor.skip(start + length - cursor.position)
    }
    return true
  }

  private static let own = Array(".".utf8)
  private static let parent = Array("..".utf8)

  /// An entry's length: in blocks of 64 KiB its lower bits are those above.
  private static func length(_ stored: UInt16, _ blockByteCount: Int) -> Int {
    guard blockByteCount >= 65536 else { return Int(stored) }
    if stored == 0 || stored == 65535 { return blockByteCount }
    return Int(stored) & 65532 | (Int(stored) & 3) << 16
  }

  private func wrong(_ what: String) -> FormatError { inode.refusal(.impossible(what)) }

  // MARK: Checksums

  private func checkLeaf(_ block: [UInt8], _ blockNumber: UInt64) throws(FormatError) {
    let end = block.count - ExtDirectory.tailByteCount
    var cursor = ByteCursor(block.span.extracting(end..<block.count), of: "ext directory", .little)
    let number = try cursor.u32()
    let length = try cursor.u16()
    let type = try cursor.u16()
    guard number == 0, Int(length) == ExtDirectory.tailByteCount, type == 0xDE00 else {
      throw wrong("no checksum in block \(blockNumber)")
    }
    let sum = ExtChecksum.crc32c(
      inode.seed(from: volume.seed), block.span.extracting(0..<end))
    try compare(try cursor.u32(), sum)
  }

  private var isIndexed: Bool {
    inode.flags.contains(.indexed)
      && volume.superblock.features.compatible.contains(.directoryIndex)
  }

  /// Where the index begins in a block of the hash tree; nil in blocks with entries.
  private func indexPlace(_ block: [UInt8], _ number: UInt64) throws(FormatError) -> Int? {
    if number == 0 { return 32 }
    var cursor = ByteCursor(block.span, of: "ext directory", .little)
    let inode = try cursor.u32()
    let length = ExtDirectory.length(try cursor.u16(), block.count)
    return inode == 0 && length == block.count ? 8 : nil
  }

  /// Compares an index with its checksum.
  ///
  /// It begins with its room (2) and count (2) of entries of 8 bytes, these four bytes being the
  /// first one. The checksum is in the last four bytes of the entry behind the room.
  private func checkIndex(
    _ block: [UInt8], _ number: UInt64, at place: Int
  ) throws(FormatError) {
    var cursor = ByteCursor(block.span, of: "ext directory", .little)
    try cursor.skip(place)
    let room = Int(try cursor.u16())
    let count = Int(try cursor.u16())
    let tail = place + room * 8
    guard count <= room, tail + 8 <= block.count else {
      throw wrong("an index of \(count) entries in block \(number)")
    }
    try cursor.skip(tail - cursor.position)
    let reserved = try cursor.u32()
    let stored = try cursor.u32()
    var sum = ExtChecksum.crc32c(
      inode.seed(from: volume.seed), block.span.extracting(0..<place + count * 8))
    sum = ExtChecksum.crc32c(sum, reserved)
    try compare(stored, ExtChecksum.crc32c(sum, UInt32(0)))
  }

  private func compare(_ stored: UInt32, _ computed: UInt32) throws(FormatError) {
    guard stored == computed else {
      throw inode.refusal(.badChecksum(stored: UInt64(stored), computed: UInt64(computed)))
    }
  }
}
