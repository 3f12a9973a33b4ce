import Blocks
import Bytes
import Platform
import Streams
import TestSupport
import Testing

/// What is written is read again.
struct RoundTripTests {
  @Test func `every kind of frame comes back as it was`() throws {
    let sent = try Delivery(Everything.feed())
    let got = try Streams.read(try Streams.written(Everything.feed()))
    #expect(got.headers == sent.headers)
    #expect(got.pieces == sent.pieces)
    #expect(got.content == sent.content)
    #expect(got.attachments == sent.attachments)
    #expect(got.warnings == sent.warnings)
    #expect(got.missing == sent.missing)
    #expect(got.fingerprints == sent.fingerprints)
    for volume in sent.runs.indices {
      let wanted = sent.runs[volume].filter { !isHole($0.run) }
      let found = got.runs[volume].filter { !isHole($0.run) }
      #expect(found.map(\.start) == wanted.map(\.start))
      #expect(found.map(\.run) == wanted.map(\.run))
    }
  }

  private func isHole(_ run: Segment.Run) -> Bool {
    if case .hole = run.content { return true }
    return false
  }

  @Test func `the stream of an earlier release reads the same and is written the same`() throws {
    let golden = try Golden.bytes("stream-1.0/everything.vpipe") {
      try Streams.written(Everything.feed())
    }
    #expect(try Streams.written(Everything.feed()) == golden)
    let sent = try Delivery(Everything.feed())
    let got = try Streams.read(golden)
    #expect(got.pieces == sent.pieces)
    #expect(got.content == sent.content)
  }

  @Test func `large payloads come back whatever the pieces`() throws {
    var noise = Noise(5)
    let feed = MemoryFeed()
    let content = noise.bytes(2 * Segment.byteCount + 5000)
    feed.volume(0, size: UInt64(content.count))
    for start in stride(from: 0, to: content.count, by: Segment.byteCount) {
      let part = Array(content[start..<min(start + Segment.byteCount, content.count)])
      var runs: [Segment.Run] = []
      var position = 0
      while position < part.count {
        let end = min(position + 1 + noise.below(300_000), part.count)
        runs.append(
          .init(position..<end, .chunk(id: nil, codec: .plain, storedCount: end - position)))
        position = end
      }
      feed.segment(0, at: UInt64(start), part, runs: runs)
    }
    let got = try Streams.read(try Streams.written(feed))
    #expect(got.pieces == [[.init(0..<UInt64(content.count), nil)]])
  }

  @Test func `data comes back byte for byte`() throws {
    let content = Noise.bytes(Segment.byteCount + 100_001, seed: 8)
    let got = try Streams.read(try Streams.written(MemoryFeed.disk(content)))
    #expect(got.content == [content])
  }

  @Test func `an empty stream and empty volumes are whole`() throws {
    let none = MemoryFeed()
    #expect(try Streams.read(try Streams.written(none)).headers.isEmpty)
    let empty = MemoryFeed()
    empty.volume(0, size: 0)
    #expect(try Streams.read(try Streams.written(empty)).headers.count == 1)
  }

  @Test func `a hole of 64 PiB is one span`() throws {
    let feed = MemoryFeed()
    feed.volume(0, size: VolumeHeader.sizeLimit)
    feed.span(0, 0..<VolumeHeader.sizeLimit, .zero)
    let scratch = try Scratch()
    let input = try scratch.file("stream", try Streams.written(feed))
    let got = try Delivery(StreamFeed(input), keepsContent: false)
    #expect(got.itemCount == 2)
  }

  /// A segment whose data turned out to be zero has a fingerprint like any other.
  @Test func `the fingerprint of a segment that is one hole does no harm`() throws {
    let feed = MemoryFeed()
    let step = Segment.byteCount
    feed.volume(0, size: UInt64(step) + 512)
    for (offset, count) in [(0, step), (step, 512)] {
      feed.segment(
        0, at: UInt64(offset), [UInt8](repeating: 0, count: count),
        runs: [.init(0..<count, .hole(.zero))]
      ) { $0.fingerprint = Fingerprint(value: 1, keyTag: 2) }
    }
    let got = try Streams.read(try Streams.written(feed))
    #expect(got.pieces == [[.init(0..<UInt64(step) + 512, .zero)]])
  }

  @Test func `volumes may interleave`() throws {
    let parts = (0..<6).map { Noise.bytes(600, seed: UInt64($0)) }
    var stream = HandStream()
    stream.volume(1800)
    stream.data(0, at: 0, parts[0])
    stream.volume(1800)
    stream.data(1, at: 0, parts[3])
    stream.data(0, at: 600, parts[1])
    stream.data(1, at: 600, parts[4])
    stream.data(1, at: 1200, parts[5])
    stream.data(0, at: 1200, parts[2])
    let got = try Streams.read(stream.sealed().bytes)
    #expect(got.content == [Array(parts[0..<3].joined()), Array(parts[3..<6].joined())])
  }

  @Test func `a stream goes through a pipe`() throws {
    let content = Noise.bytes(3 * Segment.byteCount, seed: 2)
    let bytes = try Streams.written(MemoryFeed.disk(content))
    let pipe = try Pipe()
    let writer = Workers<Pipe>(count: 1, window: 1) { pipe in
      try pipe.output.write(bytes.span)
      try pipe.output.close()
    }
    writer.give(pipe)
    let got = try Delivery(StreamFeed(pipe.input))
    #expect(got.content == [content])
    _ = try writer.take()
    writer.close()
  }
}
