public import Blocks

/// A whole disk or a partition, with its first bytes at hand.
public struct GuestArea: Sendable {
  /// How many bytes of the start are at hand: up to and with the superblock of btrfs.
  static let headByteCount = 68 << 10

  /// Its bytes; what was read a short while ago is at hand.
  public let source: any BlockSource
  /// The first bytes; fewer than `headByteCount` when the area is smaller.
  let head: [UInt8]

  public init(_ source: any BlockSource) throws {
    self.source = CachedSource(source)
    let count = Int(min(source.size, UInt64(GuestArea.headByteCount)))
    head = try source.bytes(count, at: 0) ?? []
  }

  var size: UInt64 { source.size }

  /// Whether the head holds `magic` at `offset`.
  func holds(_ magic: [UInt8], at offset: Int) -> Bool {
    guard offset >= 0, magic.count <= head.count, offset <= head.count - magic.count else {
      return false
    }
    for index in 0..<magic.count where head[offset + index] != magic[index] { return false }
    return true
  }

  func holds(_ magic: String, at offset: Int) -> Bool { holds(Array(magic.utf8), at: offset) }

  /// `count` bytes of the head; nil when it ends before.
  func bytes(_ count: Int, at offset: Int) -> [UInt8]? {
    guard offset >= 0, count <= head.count, offset <= head.count - count else { return nil }
    return Array(head[offset..<offset + count])
  }

  func u16(at offset: Int) -> UInt16? { little(at: offset) }
  func u32(at offset: Int) -> UInt32? { little(at: offset) }

  private func little<T: FixedWidthInteger & UnsignedInteger>(at offset: Int) -> T? {
    guard let bytes = bytes(MemoryLayout<T>.size, at: offset) else { return nil }
    return bytes.reversed().reduce(0) { $0 << 8 | T($1) }
  }
}
