import Blocks
import Bytes
import Chunking
import Codecs
import Glibc
import Platform
import TestSupport

@testable import ObjectStores
@testable import Repositories
@testable import Streams

/// Streams: read, cut, deduplicated, written and read again.
struct StreamTarget: FuzzTarget {
  func mended(_ input: [UInt8]) -> [UInt8] { StreamMender.mended(input) }
  func samples() throws -> [[UInt8]] { try StreamSamples.all() }

  func run(_ input: [UInt8]) throws {
    let first = try Delivery(StreamFeed(try Fuzz.file(input)), keepsContent: false)
    // From here on the stream is a good one.
    do {
      try again(input, first)
    } catch is RepositoryError {
      // Chunks whose content does not fit their ids.
    } catch {
      throw Fuzz.Fault("\(error)")
    }
  }

  private func again(_ input: [UInt8], _ first: Delivery) throws {
    let feed = try StreamFeed(try Fuzz.file(input))
    let output = try Fuzz.file([])
    let writer = try StreamWriter(output)
    let deduplicator = try Deduplicator(.nothing, level: 1)
    while let item = try feed.next() {
      if case .segment(let segment) = item {
        try deduplicator.identify(segment)
        deduplicator.decide(segment)
        try deduplicator.compress(segment)
      }
      try writer.item(item)
      if case .segment(let segment) = item { feed.recycle(segment) }
    }
    try writer.seal(missing: feed.missing)
    lseek(output.number, 0, SEEK_SET)
    let second = try Delivery(StreamFeed(output), keepsContent: false)
    try Fuzz.require(second.headers == first.headers, "headers changed")
    try Fuzz.require(second.attachments == first.attachments, "attachments changed")
    try Fuzz.require(second.missing.isEmpty == first.missing.isEmpty, "the verdict changed")
  }
}

/// Streams put into a repository: whatever becomes a point is whole and can be restored.
struct PutTarget: FuzzTarget {
  func mended(_ input: [UInt8]) -> [UInt8] { StreamMender.mended(input) }
  func samples() throws -> [[UInt8]] { try StreamSamples.all() }

  func run(_ input: [UInt8]) throws {
    let path = "/dev/shm/vpipe-fuzz-repo-\(getpid())"
    if try Files.status(path) != nil { try Scratch.remove(path) }
    defer { try? Scratch.remove(path) }
    try Repository.create(path, RepositoryConfig(chunking: .standard, level: 1))
    let repository = try Repository(path)
    let result = try PointWriter.put(
      StreamFeed(try Fuzz.file(input)), into: repository, PutOptions(name: "x"),
      progress: { _ in }, warn: { _ in })
    do {
      let stored = try repository.point(result.name)
      _ = try Delivery(RestoreFeed(repository, stored), keepsContent: false)
      let checker = Checker(repository, .data, progress: { _ in })
      try checker.run()
      try Fuzz.require(checker.findings.isEmpty, "\(checker.findings)")
      _ = try BaselineFile(try Fuzz.file(try repository.baseline(of: stored)))
    } catch {
      throw Fuzz.Fault("\(error)")
    }
  }
}

/// Gives frames the numbers and checks that they should have.
enum StreamMender {
  static func mended(_ input: [UInt8]) -> [UInt8] {
    let prelude = Prelude(id: [UInt8](repeating: 7, count: 16))
    var output = prelude.bytes
    var place = Prelude.byteCount
    var digest = prelude.check
    var sequence: UInt64 = 0
    var volumes: UInt64 = 0
    var byteCount: UInt64 = 0
    while place + Frame.byteCount <= input.count {
      var header = Array(input[place..<place + Frame.byteCount])
      place += Frame.byteCount
      // What reaches beyond the end stands for the rest.
      let count = min(Int(header.little(32, 4)), input.count - place)
      header.set(32, 4, UInt64(count))
      header.set(8, 8, sequence)
      var payload = Array(input[place..<place + count])
      place += count
      let type = header.little(0, 2)
      if type == 1 {
        volumes += 1
        byteCount &+= header.little(24, 8)
      } else if type == 10, header.little(16, 8) & 1 == 0 {
        payload.set(0, 8, sequence)
        payload.set(8, 8, byteCount)
        payload.set(16, 8, digest)
        payload.set(24, 4, volumes)
      }
      let unchecked = Array(header[..<40])
      let check = Checksum.of(payload, seed: Checksum.of(unchecked, seed: prelude.check))
      header.set(40, 8, check)
      digest = StreamWriter.advance(digest, with: check)
      sequence += 1
      output += header + payload
    }
    return output + input[min(place, input.count)...]
  }
}

enum StreamSamples {
  static func all() throws -> [[UInt8]] {
    let golden = try Files.contents(
      "\(Golden.folder)/stream-1.0/everything.vpipe", limit: 1 << 20)
    return [golden ?? [], try written(holes()), try written(pieces())]
  }

  private static func written(_ feed: MemoryFeed) throws -> [UInt8] {
    let output = try Fuzz.file([])
    let writer = try StreamWriter(output)
    while let item = try feed.next() { try writer.item(item) }
    try writer.seal(missing: [])
    return try output.read(Int(writer.byteCount), at: 0)
  }

  private static func holes() -> MemoryFeed {
    let feed = MemoryFeed()
    feed.volume(0, size: 1 << 40)
    feed.span(0, 0..<1 << 39, .zero)
    feed.span(0, 1 << 39..<1 << 40, .free)
    return feed
  }

  /// Chunks of all sorts, with ids that are right.
  private static func pieces() -> MemoryFeed {
    let feed = MemoryFeed()
    feed.volume(0, size: 3000)
    let content = Noise.bytes(1000, seed: 1) + [UInt8](repeating: 5, count: 1000)
    let id = SHA256.digest(of: Array(content[..<1000]))
    feed.segment(
      0, at: 0, content + content[..<1000],
      runs: [
        .init(0..<1000, .chunk(id: id, codec: .plain, storedCount: 1000)),
        .init(1000..<2000, .chunk(id: nil, codec: .plain, storedCount: 1000)),
        .init(2000..<3000, .chunk(id: id, codec: .plain, storedCount: 0)),
      ])
    return feed
  }
}
