import Blocks
import Bytes
import Codecs
import Platform
import TestSupport

@testable import Streams

/// A stream that a test builds frame by frame, with right checks and whatever else it likes.
struct HandStream {
  let prelude: Prelude
  var frames: [[UInt8]] = []
  private var digest: UInt64
  private var volumes: UInt32 = 0
  private var byteCount: UInt64 = 0

  init(id: UInt8 = 7) {
    prelude = Prelude(id: [UInt8](repeating: id, count: 16))
    digest = prelude.check
  }

  var bytes: [UInt8] { prelude.bytes + frames.joined() }

  /// Adds a frame, counted and checked as it should be.
  mutating func add(_ frame: Frame, _ payload: [UInt8] = []) {
    var frame = frame
    frame.sequence = UInt64(frames.count)
    frame.payloadCount = UInt32(payload.count)
    frame.check = frame.expectedCheck(payload.span, seed: prelude.check)
    digest = StreamWriter.advance(digest, with: frame.check)
    frames.append(HandStream.bytes(frame, payload))
  }

  static func bytes(_ frame: Frame, _ payload: [UInt8]) -> [UInt8] {
    var builder = ByteBuilder(.little)
    builder.raw(frame.unchecked())
    builder.u64(frame.check)
    builder.raw(payload)
    return builder.bytes
  }

  mutating func volume(_ size: UInt64, fields: [UInt8] = Array("name=disk\0".utf8)) {
    add(Frame(.volume, volume: volumes, length: size), fields)
    volumes += 1
    byteCount &+= size
  }

  mutating func data(_ volume: UInt32, at offset: UInt64, _ bytes: [UInt8]) {
    add(Frame(.data, volume: volume, offset: offset, length: UInt64(bytes.count)), bytes)
  }

  mutating func hole(_ volume: UInt32, at offset: UInt64, _ length: UInt64, _ kind: UInt32 = 1) {
    add(Frame(.hole, volume: volume, offset: offset, length: length, detail: kind))
  }

  /// What a right seal holds; a test may change it before it is added.
  struct Seal {
    var frames: UInt64
    var bytes: UInt64
    var digest: UInt64
    var volumes: UInt32
    var verdict: UInt32 = 0
    var missing: [UInt8] = []

    var payload: [UInt8] {
      var builder = ByteBuilder(.little)
      builder.u64(frames)
      builder.u64(bytes)
      builder.u64(digest)
      builder.u32(volumes)
      builder.u32(verdict)
      builder.raw(missing)
      return builder.bytes
    }
  }

  mutating func seal(_ change: (inout Seal) -> Void = { _ in }) {
    var seal = Seal(
      frames: UInt64(frames.count), bytes: byteCount, digest: digest, volumes: volumes)
    change(&seal)
    add(Frame(.seal), seal.payload)
  }

  func sealed() -> HandStream {
    var copy = self
    copy.seal()
    return copy
  }
}

/// Streams in files, as the tests read and write them.
enum Streams {
  /// Reads a stream to its end.
  static func read(_ bytes: [UInt8]) throws -> Delivery {
    let scratch = try Scratch()
    return try Delivery(StreamFeed(try scratch.file("stream", bytes)))
  }

  /// What `body` writes, in a stream of a fixed id.
  static func written(
    _ body: (StreamWriter) throws -> Void
  ) throws -> [UInt8] {
    let scratch = try Scratch()
    let file = try FileDescriptor(scratch["stream"], .create)
    let writer = try StreamWriter(file, id: (0..<16).map { UInt8($0) })
    try body(writer)
    try writer.flush()
    return try scratch.contents("stream")
  }

  /// Passes a whole feed through a writer and seals it.
  static func written(_ feed: any VolumeFeed) throws -> [UInt8] {
    try written { writer in
      while let item = try feed.next() {
        try writer.item(item)
        if case .segment(let segment) = item { feed.recycle(segment) }
      }
      try writer.seal(missing: feed.missing)
    }
  }

  /// Why a stream is refused; nil when it is not, or not with a `StreamError`.
  static func refusal(_ bytes: [UInt8]) -> StreamError? {
    do {
      _ = try read(bytes)
      return nil
    } catch {
      return error as? StreamError
    }
  }

  /// The refusal in words; empty when the stream was taken.
  static func complaint(_ stream: HandStream) -> String {
    refusal(stream.bytes).map { "\($0)" } ?? ""
  }
}

/// A feed with every kind of frame, small enough to damage each of its bytes.
enum Everything {
  static let step = UInt64(Segment.byteCount)
  static let id = SHA256.digest(of: Array("a chunk".utf8))

  static func feed() -> MemoryFeed {
    let feed = MemoryFeed()
    feed.volume(
      0, size: 3 * step + 1536, name: "root",
      fields: [.init("sector-size", "4096"), .init("format", "raw"), .init("future", "é=1")])
    feed.volume(1, size: 700, name: "small")
    feed.volume(2, size: 0, name: "empty")
    mixed(feed)
    feed.add(.warning("something odd"))
    feed.segment(1, at: 0, Noise.bytes(700, seed: 3))
    feed.span(0, step..<3 * step, .free)
    feed.add(.attachment(Attachment(name: "machine.vmx", bytes: Array("memsize = 1\n".utf8))))
    feed.segment(
      0, at: 3 * step, Noise.bytes(1536, seed: 4),
      runs: [
        .init(0..<512, .data), .init(512..<1024, .hole(.bad)),
        .init(1024..<1536, .hole(.unchanged)),
      ])
    feed.missing = ["root: bytes 12583424 to 12583936", "another"]
    return feed
  }

  /// A segment of every content.
  private static func mixed(_ feed: MemoryFeed) {
    let content = Noise.bytes(400, seed: 1) + [UInt8](repeating: 0, count: Segment.byteCount - 400)
    feed.segment(
      0, at: 0, content,
      runs: [
        .init(0..<100, .data),
        .init(100..<150, .chunk(id: nil, codec: .plain, storedCount: 50)),
        .init(150..<200, .chunk(id: id, codec: .plain, storedCount: 50)),
        .init(200..<300, .chunk(id: id, codec: .zstd, storedCount: 33)),
        .init(300..<400, .chunk(id: id, codec: .plain, storedCount: 0)),
        .init(400..<5000, .hole(.zero)), .init(5000..<6000, .hole(.swap)),
        .init(6000..<Segment.byteCount, .hole(.excluded)),
      ]
    ) { $0.fingerprint = Fingerprint(value: 0x1234 << 64 | 0x5678, keyTag: 9) }
  }
}
