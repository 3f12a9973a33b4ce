import Blocks
import Bytes
import Testing

struct CachedSourceTests {
  @Test func `any range reads as it does without the cache`() throws {
    let content = (0..<200_001).map { UInt8(truncatingIfNeeded: $0 * 7 + $0 / 251) }
    let source = CachedSource(MemorySource(content))
    for (offset, count) in [
      (0, 1), (16383, 2), (0, 65536), (16000, 40000), (3, 150_000), (200_000, 1), (180_000, 20_001),
    ] {
      #expect(
        try source.bytes(count, at: UInt64(offset)) == Array(content[offset..<offset + count]))
    }
    #expect(try source.bytes(2, at: 200_000) == nil)
  }
}
