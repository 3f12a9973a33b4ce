public import Blocks
internal import Bytes
public import Platform

/// Writes segments' bytes into a file, several segments at once and in any order: a disk that is
/// given one direct write at a time is idle for a third of it.
public final class SegmentWriter {
  /// Bytes of a segment's buffer, and where in the file they go.
  public struct Piece: Sendable {
    public let bytes: Range<Int>
    public let place: UInt64

    public init(_ bytes: Range<Int>, at place: UInt64) {
      self.bytes = bytes
      self.place = place
    }
  }

  private final class Job: Sendable {
    let segment: Segment
    let pieces: [Piece]

    init(_ segment: Segment, _ pieces: [Piece]) {
      self.segment = segment
      self.pieces = pieces
    }
  }

  private let workers: Workers<Job>
  private let recycle: (Segment) -> Void

  /// - Parameters:
  ///   - file: Where it is written.
  ///   - recycle: Takes back a segment whose bytes are written.
  public init(_ file: BulkFile, recycle: @escaping (Segment) -> Void) {
    self.recycle = recycle
    workers = Workers(count: 2, window: 4) { job in
      let buffer = job.segment.buffer
      for piece in job.pieces { try file.write(buffer.span(piece.bytes), at: piece.place) }
    }
  }

  deinit { workers.close() }

  /// Takes over a segment, whose pieces are written soon.
  ///
  /// - Throws: What went wrong with an earlier one.
  public func write(_ segment: Segment, _ pieces: [Piece]) throws {
    if pieces.isEmpty { return recycle(segment) }
    while !workers.hasRoom { try take() }
    workers.give(Job(segment, pieces))
  }

  private func take() throws {
    if let job = try workers.take() { recycle(job.segment) }
  }

  /// Returns when everything is written.
  public func finish() throws {
    while !workers.isEmpty { try take() }
  }

  /// Ends the threads, whatever is still to be written; nothing is, after `finish`.
  public func close() { workers.close() }
}
