import Blocks
import Bytes
import Platform
import TestSupport
import Testing

@testable import Repositories

/// Volumes that are read at any place.
struct StoredVolumeTests {
  static let step = UInt64(Segment.byteCount)

  /// A volume with data, holes of all kinds inside segments, and holes of whole segments.
  private static func mixed(_ content: [UInt8]) -> MemoryFeed {
    let feed = MemoryFeed()
    feed.volume(0, size: 20 * step + 512)
    let half = Segment.byteCount / 2
    feed.segment(0, at: 0, Array(content[0..<Segment.byteCount]))
    feed.span(0, step..<6 * step, .free)
    feed.segment(
      0, at: 6 * step, Array(content[0..<half]) + [UInt8](repeating: 0, count: half),
      runs: [
        .init(0..<half, .data), .init(half..<half + 8192, .hole(.excluded)),
        .init(half + 8192..<half + 12288, .hole(.bad)),
        .init(half + 12288..<Segment.byteCount, .hole(.zero)),
      ])
    feed.span(0, 7 * step..<20 * step, .swap)
    feed.segment(0, at: 20 * step, Array(content[100..<612]))
    return feed
  }

  private static func open(_ test: TestRepository) throws -> StoredVolume {
    let repository = try test.open()
    return try repository.openVolumes(of: try repository.resolve("web"))[0]
  }

  @Test func `any range reads as the restored disk has it`() throws {
    let test = try TestRepository()
    let content = TestDisk.content(Segment.byteCount, seed: 7)
    try test.put(Self.mixed(content))
    let expected = try test.content()
    let volume = try Self.open(test)
    #expect(volume.size == UInt64(expected.count))
    let seed = freshSeed()
    var noise = Noise(seed)
    for _ in 0..<150 {
      let start = noise.below(expected.count)
      let count = min(expected.count - start, noise.below(noise.below(2) == 0 ? 300 : 3_000_000))
      let bytes = try #require(try volume.bytes(count, at: UInt64(start)))
      try #require(bytes == Array(expected[start..<start + count]), "\(seed): \(start) \(count)")
    }
    #expect(volume.trouble == nil)
    #expect(throws: SourceError.self) {
      var bytes = [UInt8](repeating: 0, count: 2)
      var span = bytes.mutableSpan
      try volume.read(into: &span, at: volume.size - 1)
    }
  }

  @Test func `holes are told by kind, and whole segments of them are passed over`() throws {
    let test = try TestRepository()
    try test.put(Self.mixed(Noise.bytes(Segment.byteCount, seed: 3)))
    let volume = try Self.open(test)
    let step = Self.step
    #expect(try volume.holes(in: 0..<step) == [:])
    #expect(try volume.holes(in: step - 10..<step + 10) == [.free: 10])
    let half = 6 * step + step / 2
    #expect(try volume.holes(in: half - 4096..<half + 8192) == [.excluded: 8192])
    #expect(
      try volume.holes(in: 0..<volume.size) == [
        .free: 5 * step, .excluded: 8192, .bad: 4096, .zero: step / 2 - 12288, .swap: 13 * step,
      ])
    #expect(try volume.nextData(at: 5) == 5..<step)
    #expect(try volume.nextData(at: step + 5) == 6 * step..<7 * step)
    #expect(try volume.nextData(at: 9 * step) == 20 * step..<volume.size)
    #expect(try volume.nextData(at: volume.size) == nil)
  }

  @Test func `damage is told, and spoils nothing else`() throws {
    let test = try TestRepository()
    let content = Noise.bytes(3 * Segment.byteCount, seed: 5)
    try test.put(content)
    let pack = try #require(
      try test.files("packs").max { first, second in
        try test.bytes("packs/\(first)").count < test.bytes("packs/\(second)").count
      })
    try test.flip("packs/\(pack)", 6 << 20)
    let volume = try Self.open(test)
    var damaged: [UInt64] = []
    for place in stride(from: 0, to: volume.size, by: 16384) {
      do {
        let bytes = try volume.bytes(16384, at: place)
        let first = Int(place)
        #expect(bytes == Array(content[first..<first + 16384]))
      } catch let error as SourceError {
        guard case .damaged = error.reason else { throw error }
        damaged.append(place)
      }
    }
    #expect(!damaged.isEmpty && damaged.count <= 16)
    #expect("\(try #require(volume.trouble))".contains("does not fit its id"))
  }
}
