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

  func lateWarnings() throws -> [String] { try feed.lateWarnings() }

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
      do {
        try decompress(segment.buffer, run.range, storedCount, codec)
      } catch {
        throw Failure(.damaged, "the stream at \(place): \(error)")
      }
      segment.runs[index].content = .data
    }
  }

  /// Puts a chunk's plain bytes in the place of its stored ones.
  private func decompress(
    _ buffer: Buffer, _ range: Range<Int>, _ storedCount: Int, _ codec: Codec
  ) throws {
    guard codec == .zstd else {
      guard storedCount == range.count else {
        throw FormatError("chunk", at: 0, .impossible("of the wrong length"))
      }
      return
    }
    let scratch = plain
    let stored = buffer.span(range.lowerBound..<range.lowerBound + storedCount)
    var target = scratch.mutableSpan(0..<range.count)
    try decompressor.decompress(stored, into: &target)
    buffer.copy(scratch.span(0..<range.count), to: range.lowerBound)
  }
}

/// Workshops that are used again and again.
private final class Workshops: Sendable {
  private let free = Locked<[Workshop]>([])

  func take() -> Workshop { free.with { $0.popLast() } ?? Workshop() }
  func give(_ workshop: Workshop) { free.with { $0.append(workshop) } }
}
