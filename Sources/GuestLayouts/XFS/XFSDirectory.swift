internal import Bytes

/// A directory: inside its inode, or in blocks of which only those with names are read.
///
/// Inside:
///
///     offset size  field
///          0    1  entries
///          1    1  large           not 0 when inodes have 8 bytes, not 4
///          2       parent          an inode
///                  entries         length of the name (1), a cookie (2), the name, the type of
///                                  file (1, where the file system has them), the inode
///
/// Blocks lie before byte 2^35 of the directory:
///
///          0    4  magic           "XD2D", "XDD3" in version 5; "XD2B", "XDB3" for the only block
///          4    4  checksum        from here on in version 5 only: CRC-32C, little-endian
///          8    8  place           in 512 bytes
///         24   16  UUID
///         40    8  owner
///         16            entries; from 64 on in version 5
///
/// An entry is the inode (8), the length of the name (1), the name, the type, filled up to 8 bytes
/// with its own place in the last 2; or FFFF (2), a length (2), and its place at its end. The only
/// block ends with a table: its count of 8-byte records in the 8 bytes at the end.
///
/// Big-endian. Linux, fs/xfs/libxfs/xfs_da_format.h.
struct XFSDirectory {
  /// Where the blocks with names end, in bytes of the directory.
  private static let leafOffset: UInt64 = 1 << 35

  private let inode: XFSInode
  private let fork: XFSFork
  private var superblock: XFSSuperblock { fork.volume.superblock }

  init(_ inode: XFSInode) {
    self.inode = inode
    fork = inode.data
  }

  /// Calls `body` for each entry but `.` and `..`, until it returns false.
  func forEachEntry(_ body: (DirectoryEntry) throws -> Bool) throws {
    switch fork.form {
    case .device: throw fork.refusal("it is no directory")
    case .inside: _ = try visitInside(body)
    case .extents, .tree: try visitBlocks(body)
    }
  }

  private func visitInside(_ body: (DirectoryEntry) throws -> Bool) throws -> Bool {
    guard inode.size <= UInt64(fork.bytes.count) else {
      throw fork.refusal("its names do not fit")
    }
    let bytes = Array(fork.bytes[..<Int(inode.size)])
    var cursor = ByteCursor(bytes.span, of: "XFS directory", .big)
    let count = try cursor.u8()
    let isLarge = try cursor.u8() != 0
    try cursor.skip(isLarge ? 8 : 4)
    for _ in 0..<count {
      let length = Int(try cursor.u8())
      try cursor.skip(2)
      let name = try cursor.array(length)
      if superblock.hasFileTypes { try cursor.skip(1) }
      let number = isLarge ? try cursor.u64() : UInt64(try cursor.u32())
      if try !report(name, number, body) { return false }
    }
    return true
  }

  private func visitBlocks(_ body: (DirectoryEntry) throws -> Bool) throws {
    let perBlock = UInt64(1) << UInt64(superblock.directoryLog)
    let end = XFSDirectory.leafOffset / superblock.blockByteCount
    // Blocks of the file system that are still to make a whole block of the directory.
    var bytes: [UInt8] = []
    var offset: UInt64 = 0
    var next: UInt64 = 0
    try fork.forEachExtent { extent in
      guard extent.place < end else { return false }
      guard extent.isWritten, extent.end <= end, bytes.isEmpty || extent.place == next else {
        throw fork.refusal("a block of the directory is missing")
      }
      for step in 0..<extent.count {
        let place = extent.range.lowerBound + step * superblock.blockByteCount
        next = extent.place + step
        if bytes.isEmpty {
          guard next % perBlock == 0 else {
            throw fork.refusal("a block of the directory is missing")
          }
          offset = place
        }
        bytes += try fork.volume.bytes(
          Int(superblock.blockByteCount), at: place, of: "XFS directory")
        next += 1
        guard bytes.count == superblock.directoryByteCount else { continue }
        let whole = bytes
        bytes = []
        if try !visit(whole, at: offset, body) { return false }
      }
      return true
    }
    guard bytes.isEmpty else {
      throw fork.refusal("a block of the directory is missing")
    }
  }

  private func visit(
    _ bytes: [UInt8], at offset: UInt64, _ body: (DirectoryEntry) throws -> Bool
  ) throws -> Bool {
    var cursor = ByteCursor(bytes.span, of: "XFS directory", at: offset, .big)
    let isOnly: Bool
    let magic = try cursor.u32()
    switch (magic, superblock.hasChecksums) {
    case (0x5844_3244, false), (0x5844_4433, true): isOnly = false
    case (0x5844_3242, false), (0x5844_4233, true): isOnly = true
    default: throw FormatError("XFS directory", at: offset, .badMagic)
    }
    if superblock.hasChecksums {
      try fork.volume.verify(bytes, checksumAt: 4, of: "XFS directory", at: offset)
      try cursor.skip(4)
      let place = try cursor.u64()
      try cursor.skip(8)
      let uuid = try cursor.array(16)
      try fork.volume.require(
        uuid: uuid, block: place, owner: (try cursor.u64(), inode.number), of: "XFS directory",
        at: offset)
      try cursor.skip(16)
    } else {
      try cursor.skip(12)
    }
    let end = isOnly ? try tableStart(bytes, at: offset) : bytes.count
    guard end >= cursor.position else { throw cursor.refusal(.impossible("its table is too long")) }
    return try visitEntries(&cursor, bytes, until: end, body)
  }

  /// Where the table at the end of a directory's only block begins.
  private func tableStart(_ bytes: [UInt8], at offset: UInt64) throws -> Int {
    let count = Int(bytes.span.big64(at: bytes.count - 8) >> 32)
    guard count <= (bytes.count - 8) / 8 else {
      throw FormatError("XFS directory", at: offset, .impossible("a table of \(count) records"))
    }
    return bytes.count - 8 - count * 8
  }

  private func visitEntries(
    _ cursor: inout ByteCursor, _ bytes: [UInt8], until end: Int,
    _ body: (DirectoryEntry) throws -> Bool
  ) throws -> Bool {
    while cursor.position < end {
      let start = cursor.position
      guard end - start >= 8 else { throw cursor.refusal(.truncated) }
      let word = bytes.span.big64(at: start)
      let isFree = word >> 48 == 0xFFFF
      var length = Int(word >> 32 & 0xFFFF)
      var name: [UInt8] = []
      if !isFree {
        try cursor.skip(8)
        let count = Int(try cursor.u8())
        name = try cursor.array(count)
        length = (8 + 1 + count + (superblock.hasFileTypes ? 1 : 0) + 2 + 7) / 8 * 8
      }
      guard length >= 8, length % 8 == 0, length <= end - start else {
        throw cursor.refusal(.impossible("an entry of \(length) bytes"))
      }
      // Its place in the block is its last two bytes.
      guard Int(bytes.span.big64(at: start + length - 8) & 0xFFFF) == start else {
        throw cursor.refusal(.impossible("an entry that is not in its place"))
      }
      if !isFree, try !report(name, word, body) { return false }
      try cursor.skip(start + length - cursor.position)
    }
    return true
  }

  private func report(
    _ name: [UInt8], _ number: UInt64, _ body: (DirectoryEntry) throws -> Bool
  ) throws -> Bool {
    if name == [0x2E] || name == [0x2E, 0x2E] { return true }
    guard !name.isEmpty, !name.contains(0), !name.contains(0x2F) else {
      throw fork.refusal("a name that cannot be one")
    }
    return try body(DirectoryEntry(name: name, id: number))
  }
}
