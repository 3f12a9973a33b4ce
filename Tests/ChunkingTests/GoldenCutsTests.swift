import Blocks
import Bytes
import Chunking
import Codecs
import TestSupport
import Testing

/// Where a known segment is cut, written down once: another place would be another format, and
/// nothing in existing repositories would be found again.
struct GoldenCutsTests {
  static let goldens: [(ChunkingParameters.Mode, Int, String)] = [
    (.aligned, 16 << 10, "324 9f19b80071619a46"), (.aligned, 64 << 10, "71 fbec675867cfbaa7"),
    (.aligned, 1 << 20, "6 7ef72b3ab7c8912c"),
    (.rolling, 16 << 10, "251 e827c5bb9e63f7ca"), (.rolling, 64 << 10, "72 53620730129a00be"),
    (.rolling, 1 << 20, "7 d2e607b58afecc22"),
    (.fixed, 64 << 10, "64 8b3322de4e0c2098"),
  ]

  @Test(arguments: goldens)
  func `a known segment is cut where it always was`(
    mode: ChunkingParameters.Mode, size: Int, golden: String
  ) throws {
    let parameters = try #require(ChunkingParameters(mode: mode, averageSize: size))
    var content = Noise.bytes(Segment.byteCount - 777, seed: 42)
    for place in 100_000..<200_000 { content[place] = 0 }
    for place in 1_000_000..<1_400_000 { content[place] = UInt8(place / 5000 & 255) }
    let segment = Segment()
    segment.reset(volume: 0, offset: 0, count: content.count)
    segment.buffer.copy(content.span, to: 0)
    segment.append(0..<content.count, .data)
    Chunker(parameters).cut(segment)
    let cuts = segment.runs.map { "\($0.range.upperBound)" }.joined(separator: " ")
    let digest = SHA256.digest(of: Array(cuts.utf8)).description.prefix(16)
    #expect("\(segment.runs.count) \(digest)" == golden)
  }
}
