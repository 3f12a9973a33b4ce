public import Blocks
internal import Bytes
internal import Platform

/// Finds what differs between two disks of one size, and writes it to a target.
///
/// Only what may hold data in either of them is read. Zeros that take the place of data differ from
/// it as anything else does.
public final class DiskDifference {
  /// Differences are told in whole grains: eight sectors, of which a VHD's bitmap has a byte.
  ///
  /// libvhdi reads bytes of which only some bits are set as if all behind the first were.
  private static let grain = 4096

  private final class Job: @unchecked Sendable {
    let segment: Segment
    let base: Buffer
    var pieces: [SegmentWriter.Piece] = []

    init(_ segment: Segment, _ base: Buffer) {
      self.segment = segment
      self.base = base
    }
  }

  private let base: any BlockSource
  private let disk: any BlockSource
  private let workers: Workers<Job>
  private let pool: SegmentPool
  private var idle: [Buffer] = []

  /// - Parameters:
  ///   - base: What is there.
  ///   - disk: What is to be there, of the same size.
  ///   - pool: Where segments come from, and where the target gives them back to.
  public init(from base: any BlockSource, to disk: any BlockSource, _ pool: SegmentPool) {
    precondition(base.size == disk.size)
    self.base = base
    self.disk = disk
    self.pool = pool
    let count = workerCount()
    workers = Workers(count: count, window: count + 2) { job in
      try DiskDifference.compare(job, base, disk)
    }
  }

  /// Writes all that differs; the target is left to be finished.
  ///
  /// - Parameter progress: Is told how many bytes of the disks have been looked at.
  /// - Throws: Also what the target throws.
  public func write(to target: any DiskTarget, _ progress: (UInt64) -> Void) throws {
    let unit = UInt64(Segment.byteCount)
    var position: UInt64 = 0
    while let next = try nextData(at: position) {
      let start = next / unit * unit
      progress(start - position)
      let count = Int(min(unit, disk.size - start))
      while !workers.hasRoom { try take(target) }
      let segment = pool.take()
      segment.reset(volume: 0, offset: start, count: count)
      workers.give(Job(segment, idle.popLast() ?? Buffer(count: Segment.byteCount)))
      position = start + UInt64(count)
      progress(UInt64(count))
    }
    progress(disk.size - position)
    while !workers.isEmpty { try take(target) }
  }

  /// Where one of the disks may hold data next; nil when both are zeros from there on.
  private func nextData(at position: UInt64) throws -> UInt64? {
    guard position < disk.size else { return nil }
    let starts = try [base.nextData(at: position), disk.nextData(at: position)]
      .compactMap { $0?.lowerBound }
    return starts.min()
  }

  private func take(_ target: any DiskTarget) throws {
    guard let job = try workers.take() else { return }
    idle.append(job.base)
    try target.write(job.segment, job.pieces)
  }

  private static func compare(
    _ job: Job, _ base: any BlockSource, _ disk: any BlockSource
  ) throws {
    let segment = job.segment
    let old = job.base
    let new = segment.buffer
    let range = 0..<segment.count
    var oldBytes = old.mutableSpan(range)
    try base.read(into: &oldBytes, at: segment.offset)
    var newBytes = new.mutableSpan(range)
    try disk.read(into: &newBytes, at: segment.offset)
    var position = 0
    while position < segment.count {
      let end = min(position + grain, segment.count)
      if !areEqual(old.span(position..<end), new.span(position..<end)) {
        append(position..<end, segment.offset, &job.pieces)
      }
      position = end
    }
  }

  private static func append(
    _ range: Range<Int>, _ offset: UInt64, _ pieces: inout [SegmentWriter.Piece]
  ) {
    var start = range.lowerBound
    if let last = pieces.last, last.bytes.upperBound == start {
      start = last.bytes.lowerBound
      pieces.removeLast()
    }
    pieces.append(.init(start..<range.upperBound, at: offset + UInt64(start)))
  }

  /// Ends the threads.
  public func close() { workers.close() }
}
