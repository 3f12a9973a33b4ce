import Blocks
import Bytes
import Chunking
import Codecs
import TestSupport
import Testing

/// Cutting: exact cover, bounds, and cuts that depend on content alone.
struct ChunkerTests {
  static let ways: [ChunkingParameters] = [
    .standard, ways(.aligned, 16 << 10), ways(.aligned, 1 << 20), ways(.rolling, 64 << 10),
    ways(.rolling, 1 << 20), ways(.fixed, 4096), ways(.fixed, 4 << 20),
  ].compactMap { $0 }

  private static func ways(_ mode: ChunkingParameters.Mode, _ size: Int) -> ChunkingParameters? {
    ChunkingParameters(mode: mode, averageSize: size)
  }

  private func segment(_ content: [UInt8], splitAt places: [Int] = []) -> Segment {
    let segment = Segment()
    segment.reset(volume: 0, offset: 0, count: content.count)
    segment.buffer.copy(content.span, to: 0)
    var start = 0
    for end in places + [content.count] where end > start {
      // What upstream delivers in several runs of data is one after `append`.
      segment.append(start..<end, .data)
      start = end
    }
    return segment
  }

  private func cut(_ content: [UInt8], _ parameters: ChunkingParameters) -> [Segment.Run] {
    let segment = segment(content)
    Chunker(parameters).cut(segment)
    return segment.runs
  }

  /// Noise, text and zeros, with odd edges.
  private func content(_ count: Int, seed: UInt64) -> [UInt8] {
    var noise = Noise(seed)
    var content: [UInt8] = []
    while content.count < count {
      switch noise.below(3) {
      case 0: content += [UInt8](repeating: 0, count: noise.below(80_000))
      case 1: content += [UInt8](repeating: 0x20, count: noise.below(80_000))
      default: content += noise.bytes(noise.below(800_000))
      }
    }
    return Array(content.prefix(count))
  }

  @Test(arguments: ways)
  func `the pieces cover the segment, within their bounds`(parameters: ChunkingParameters) {
    let seed = freshSeed()
    for (turn, count) in [Segment.byteCount, 1_234_567, 4097, 4096, 1].enumerated() {
      let content = content(count, seed: seed + UInt64(turn))
      var position = 0
      let runs = cut(content, parameters)
      for (number, run) in runs.enumerated() {
        #expect(run.range.lowerBound == position, "seed \(seed)")
        position = run.range.upperBound
        guard case .chunk(nil, .plain, let stored) = run.content else {
          #expect(run.content == .hole(.zero), "seed \(seed)")
          #expect(content[run.range].allSatisfy { $0 == 0 }, "seed \(seed)")
          continue
        }
        #expect(stored == run.range.count)
        #expect(run.range.count <= parameters.most, "seed \(seed)")
        let isLast = number + 1 == runs.count || runs[number + 1].content == .hole(.zero)
        if parameters.mode != .fixed {
          #expect(isLast || run.range.count >= parameters.least, "seed \(seed)")
        }
        // No zero grain within, nor at the edges.
        for start in stride(from: run.range.lowerBound / 4096 * 4096, to: position, by: 4096) {
          let grain = max(start, run.range.lowerBound)..<min(start + 4096, count)
          if start < run.range.lowerBound { continue }
          #expect(content[grain].contains { $0 != 0 }, "seed \(seed)")
        }
      }
      #expect(position == count, "seed \(seed)")
    }
  }

  @Test(arguments: ways)
  func `cuts do not depend on how the bytes came`(parameters: ChunkingParameters) {
    let seed = freshSeed()
    var noise = Noise(seed)
    let content = content(Segment.byteCount, seed: seed)
    let wanted = cut(content, parameters)
    for turn in 0..<5 {
      let places = (0..<20).map { _ in noise.below(content.count) }.sorted()
      let segment = segment(content, splitAt: places)
      Chunker(parameters).cut(segment)
      #expect(segment.runs == wanted, "seed \(seed), turn \(turn)")
    }
    // Cut once more, nothing changes.
    let again = segment(content)
    Chunker(parameters).cut(again)
    Chunker(parameters).cut(again)
    #expect(again.runs == wanted)
  }

  @Test func `holes and chunks of upstream stay as they are`() {
    let segment = Segment()
    segment.reset(volume: 0, offset: 0, count: 100_000)
    segment.buffer.copy(Noise.bytes(100_000, seed: 1).span, to: 0)
    let id = SHA256.digest(of: [1])
    let runs: [Segment.Run] = [
      .init(0..<100, .hole(.free)),
      .init(100..<5000, .chunk(id: id, codec: .zstd, storedCount: 50)),
      .init(5000..<9000, .chunk(id: id, codec: .plain, storedCount: 0)),
      .init(9000..<10_000, .data), .init(10_000..<100_000, .hole(.unchanged)),
    ]
    for run in runs { segment.append(run.range, run.content) }
    Chunker(.standard).cut(segment)
    var wanted = runs
    wanted[3].content = .chunk(id: nil, codec: .plain, storedCount: 1000)
    #expect(segment.runs == wanted)
  }

  private func chunks(_ content: [UInt8], _ parameters: ChunkingParameters) -> [Digest: Int] {
    var result: [Digest: Int] = [:]
    for run in cut(content, parameters) {
      if case .hole = run.content { continue }
      result[SHA256.digest(of: Array(content[run.range]))] = run.range.count
    }
    return result
  }

  /// How much of the new content's bytes the old one's chunks hold.
  private func shared(_ old: [UInt8], _ new: [UInt8], _ parameters: ChunkingParameters) -> Double {
    let known = chunks(old, parameters)
    let found = chunks(new, parameters)
    let common = found.filter { known[$0.key] != nil }.values.reduce(0, +)
    return Double(common) / Double(max(found.values.reduce(0, +), 1))
  }

  @Test func `content that moved by whole blocks is found again`() {
    let old = Noise.bytes(Segment.byteCount, seed: 9)
    let new = Array((Noise.bytes(3 * 4096, seed: 10) + old).prefix(Segment.byteCount))
    #expect(shared(old, new, .standard) > 0.85)
    let changed = Array(old[..<1_000_000] + Noise.bytes(4096, seed: 1) + old[1_004_096...])
    #expect(shared(old, changed, .standard) > 0.85)
  }

  @Test func `rolling cuts find content that moved by any number of bytes`() throws {
    let rolling = try #require(ChunkingParameters(mode: .rolling, averageSize: 64 << 10))
    let old = Noise.bytes(Segment.byteCount, seed: 9)
    let new = Array(([1, 2, 3] + old).prefix(Segment.byteCount))
    #expect(shared(old, new, rolling) > 0.85)
    #expect(shared(old, new, .standard) < 0.1)
  }

  @Test func `averages are about what was asked for`() throws {
    let content = Noise.bytes(Segment.byteCount, seed: 3)
    for mode in [ChunkingParameters.Mode.aligned, .rolling] {
      for size in [16 << 10, 64 << 10] {
        let parameters = try #require(ChunkingParameters(mode: mode, averageSize: size))
        let average = content.count / cut(content, parameters).count
        #expect((size * 6 / 10...size * 16 / 10).contains(average), "\(mode) \(size): \(average)")
      }
    }
  }

  @Test func `another key cuts elsewhere`() throws {
    let content = Noise.bytes(Segment.byteCount, seed: 3)
    for mode in [ChunkingParameters.Mode.aligned, .rolling] {
      let keys = try (1...2).map {
        try #require(ChunkingParameters(mode: mode, averageSize: 64 << 10, key: UInt64($0)))
      }
      #expect(cut(content, keys[0]) != cut(content, keys[1]))
      #expect(keys[0].field != keys[1].field)
    }
  }

  @Test func `sizes that are no power of two or out of bounds are refused`() {
    for size in [0, -1, 1, 4096, 8192, 65537, 60_000, 2 << 20, .max, .min] {
      #expect(ChunkingParameters(mode: .aligned, averageSize: size) == nil, "\(size)")
      #expect(ChunkingParameters(mode: .rolling, averageSize: size) == nil, "\(size)")
    }
    for size in [0, -4096, 2048, 5000, 8 << 20, .max] {
      #expect(ChunkingParameters(mode: .fixed, averageSize: size) == nil, "\(size)")
    }
    #expect(ChunkingParameters(mode: .aligned, averageSize: 65536) == .standard)
    #expect(ChunkingParameters.standard.field.hasPrefix("aligned:65536:"))
  }
}
