internal import Bytes

/// A source of which pages are kept that were read a short while ago: for those who follow
/// structures in small pieces, over a network too.
public final class CachedSource: BlockSource {
  static let pageByteCount: UInt64 = 16 << 10
  /// Reads of more bytes go past the cache: they are not made again.
  static let smallByteCount = 64 << 10

  private let base: any BlockSource
  private let owner = PageCache.guests.newOwner()
  public var size: UInt64 { base.size }
  public var sectorSize: UInt32 { base.sectorSize }

  public init(_ base: any BlockSource) { self.base = base }

  public func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    guard bytes.count <= CachedSource.smallByteCount else {
      return try base.read(into: &bytes, at: offset)
    }
    let step = CachedSource.pageByteCount
    var done = 0
    while done < bytes.count {
      let place = offset + UInt64(done)
      let start = place / step * step
      let page = try PageCache.guests.page(place / step, of: owner) {
        try base.bytes(Int(min(step, size - start)), at: start) ?? []
      }
      let first = Int(place - start)
      let count = min(page.count - first, bytes.count - done)
      guard count > 0 else { throw SourceError(place..<place + 1, .ended) }
      var target = bytes._mutatingExtracting(done..<done + count)
      target.copy(page.span.extracting(first..<first + count), to: 0)
      done += count
    }
  }

  public func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    try base.nextData(at: offset)
  }
}
