internal import Blocks
internal import Bytes
internal import Codecs
internal import Platform
internal import ToolSupport

/// A feed whose segments load as plain bytes and holes: chunks that came along are decompressed.
final class Expansion: VolumeFeed {
  private let feed: any VolumeFeed
  private let workshops = Workshops()

  init(_ feed: any VolumeFeed) { self.feed = feed }

  var missing: [String] { feed.missing }

  func recycle(_ segment: Segment) { feed.recycle(segment) }

  func next() throws -> FeedItem? {
    let item = try feed.next()
    guard case .segment(let segment) = item else { return item }
    let load = segment.loader
    segment.loader = { [workshops] segment in
      try load?(segment)
      guard segment.runs.contains(where: \.isChunk) else { return }
      let workshop = workshops.take()
      defer { workshops.give(workshop) }
      try workshop.expand(segment)
    }
    return item
  }
}

extension Segment.Run {
  fileprivate var isChunk: Bool {
    if case .chunk = content { return true }
    return false
  }
}

/// What one thread needs to decompress.
private final class Workshop: @unchecked Sendable {
  private let decompressor = ZstdDecompressor()
  private let plain = Buffer(count: Segment.byteCount)

  func expand(_ segment: Segment) throws {
    for index in segment.runs.indices {
      let run = segment.runs[index]
      guard case .chunk(_, let codec, let storedCount) = run.content else { continue }
      let place = "byte \(segment.offset + UInt64(run.range.lowerBound))"
      guard storedCount > 0 else {
        throw Failure(
          .impossible, "the stream at \(place): a chunk that is only in a repository",
          hint: "leave vdedup out of the pipe, or send what vrestore reads")
      }
      switch codec {
      case .plain:
        guard storedCount == run.range.count else {
          throw Failure(.damaged, "the stream at \(place): a chunk of the wrong length")
        }
      case .zstd:
        let stored = run.range.lowerBound..<run.range.lowerBound + storedCount
        var target = plain.mutableSpan(0..<run.range.count)
        do {
          try decompressor.decompress(segment.buffer.span(stored), into: &target)
        } catch {
          throw Failure(.damaged, "the stream at \(place): \(error)")
        }
        segment.buffer.copy(plain.span(0..<run.range.count), to: run.range.lowerBound)
      }
      segment.runs[index].content = .data
    }
  }
}

/// Workshops that are used again and again.
private final class Workshops: Sendable {
  private let free = Locked<[Workshop]>([])

  func take() -> Workshop { free.with { $0.popLast() } ?? Workshop() }
  func give(_ workshop: Workshop) { free.with { $0.append(workshop) } }
}
