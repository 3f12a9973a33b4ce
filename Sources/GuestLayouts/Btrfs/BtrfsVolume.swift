internal import Blocks
internal import Bytes

/// A part of the logical address space, and where it lies on the device.
///
///     offset size  field
///          0    8  bytes
///         24    8  type        1 data, 2 system, 4 metadata; 20 two copies (DUP), other: RAID
///         44    2  stripes
///         48   32  one each: device (8), its byte (8), the device's UUID (16)
///
/// Linux, include/uapi/linux/btrfs_tree.h, `struct btrfs_chunk`. The key's offset is its logical
/// address.
struct BtrfsChunk {
  static let type: UInt8 = 228
  private static let headerByteCount = 48
  private static let stripeByteCount = 32

  let logical: Range<UInt64>
  /// Where its copies begin on the device: one, or two that are the same.
  let copies: [UInt64]
  /// Whether each copy holds all of it in order.
  let isPlain: Bool
  let byteCountInList: Int

  var byteCount: UInt64 { logical.upperBound - logical.lowerBound }

  /// - Parameter address: Of the key.
  init(
    parsing bytes: Span<UInt8>, address: UInt64, of superblock: BtrfsSuperblock
  ) throws(FormatError) {
    var cursor = ByteCursor(bytes, of: "btrfs chunk", at: address, .little)
    let length = try cursor.u64()
    try cursor.skip(16)
    let type = try cursor.u64()
    try cursor.skip(12)
    let count = Int(try cursor.u16())
    try cursor.skip(2)
    let (end, isTooLarge) = address.addingReportingOverflow(length)
    let unit = superblock.sectorByteCount
    guard length > 0, !isTooLarge, address % unit == 0, length % unit == 0, count > 0,
      length <= superblock.deviceByteCount
    else { throw cursor.refusal(.impossible("\(length) bytes in \(count) stripes")) }
    var copies: [UInt64] = []
    for _ in 0..<count {
      let device = try cursor.u64()
      let place = try cursor.u64()
      guard device == superblock.device, try cursor.array(16) == superblock.deviceUUID else {
        throw cursor.refusal(.impossible("a stripe on another device"))
      }
      guard place % unit == 0, place <= superblock.deviceByteCount - length else {
        throw cursor.refusal(.impossible("a stripe beyond the device"))
      }
      copies.append(place)
    }
    logical = address..<end
    self.copies = copies
    let profile = type & ~7
    isPlain = profile == 0 && count == 1 || profile == 0x20 && count == 2
    byteCountInList = BtrfsChunk.headerByteCount + count * BtrfsChunk.stripeByteCount
  }
}

/// The device's bytes, with what is known of where logical addresses lie.
struct BtrfsVolume: Sendable {
  /// The most chunks; usual are some of 1 GiB each.
  static let chunkLimit = 1 << 17

  let source: any BlockSource
  let superblock: BtrfsSuperblock
  /// By logical address, without overlaps.
  private(set) var chunks: [BtrfsChunk] = []

  init(_ source: any BlockSource, _ superblock: BtrfsSuperblock) {
    self.source = source
    self.superblock = superblock
  }

  /// Learns where everything lies: first the chunks that the superblock lists, then all.
  mutating func mapChunks() throws {
    var place = 0
    let list = superblock.systemChunks
    while place < list.count {
      guard place + 17 <= list.count else { throw GuestDoubt("its list of chunks is cut off") }
      let key = BtrfsKey(list.span, at: place)
      let rest = list.span.extracting(place + 17..<list.count)
      guard key.type == BtrfsChunk.type else { throw GuestDoubt("its list of chunks is damaged") }
      let chunk = try BtrfsChunk(parsing: rest, address: key.offset, of: superblock)
      try append(chunk, to: &chunks)
      place += 17 + chunk.byteCountInList
    }
    var all: [BtrfsChunk] = []
    try BtrfsTreeReader(volume: self).forEachItem(
      in: superblock.chunkRoot, from: BtrfsKey(256, BtrfsChunk.type, 0),
      to: BtrfsKey(256, BtrfsChunk.type + 1, 0)
    ) { key, node, data in
      let bytes = node.bytes
      try append(
        try BtrfsChunk(
          parsing: bytes.span.extracting(data), address: key.offset, of: superblock), to: &all)
    }
    chunks = all
  }

  private func append(_ chunk: BtrfsChunk, to list: inout [BtrfsChunk]) throws {
    guard list.count < BtrfsVolume.chunkLimit else { throw GuestDoubt("it has too many chunks") }
    guard list.last.map({ $0.logical.upperBound <= chunk.logical.lowerBound }) ?? true else {
      throw GuestDoubt("its chunks overlap")
    }
    list.append(chunk)
  }

  /// Reads a tree's block and checks that it is the one.
  func node(_ place: BtrfsTreePlace) throws -> BtrfsNode {
    let byteCount = superblock.nodeByteCount
    guard let chunk = chunk(at: place.address), chunk.isPlain,
      chunk.logical.upperBound - place.address >= byteCount,
      let bytes = try source.bytes(
        Int(byteCount), at: chunk.copies[0] + (place.address - chunk.logical.lowerBound))
    else {
      throw FormatError("btrfs tree block", at: place.address, .impossible("it lies nowhere"))
    }
    guard BtrfsChecksum.holds(bytes, kind: superblock.checksumKind) == true else {
      throw FormatError(
        "btrfs tree block", at: place.address, .impossible("its checksum does not hold"))
    }
    return try BtrfsNode(bytes, place, superblock.blockUUID)
  }

  /// The chunk that a logical address lies in.
  func chunk(at address: UInt64) -> BtrfsChunk? {
    var low = 0
    var high = chunks.count
    while low < high {
      let middle = (low + high) / 2
      if chunks[middle].logical.upperBound <= address { low = middle + 1 } else { high = middle }
    }
    guard low < chunks.count, chunks[low].logical.contains(address) else { return nil }
    return chunks[low]
  }
}
