internal import Blocks
internal import Bytes
internal import Codecs

/// How a worker stores new chunks: in frames, one after the other in the job's output.
extension SegmentWorker {
  /// New chunks that lie side by side in the segment go into one frame, up to the repository's
  /// limit: smaller, and less work, than one by one.
  func addToFrame(_ job: SegmentJob, _ id: Digest, _ range: Range<Int>) throws {
    if let first = pending.first, let last = pending.last,
      last.range.upperBound != range.lowerBound
        || range.upperBound - first.range.lowerBound > context.frameLimit
    {
      try flushFrame(job)
    }
    pending.append((id, range))
  }

  func flushFrame(_ job: SegmentJob) throws {
    guard let first = pending.first, let last = pending.last else { return }
    defer { pending.removeAll(keepingCapacity: true) }
    let whole = first.range.lowerBound..<last.range.upperBound
    let buffer = job.segment.buffer
    if try encode(job, pending, buffer.span(whole), .data) { return }
    for chunk in pending { emit(job, [chunk], buffer.span(chunk.range), .plain, .data) }
  }

  /// Stores `bytes` as a chunk of its own unless the repository has them.
  func keep(
    _ job: SegmentJob, _ id: Digest, _ bytes: Span<UInt8>, _ type: ChunkType
  ) throws {
    guard isNew(job, id, bytes.count) else { return }
    if try encode(job, [(id, 0..<bytes.count)], bytes, type) { return }
    emit(job, [(id, 0..<bytes.count)], bytes, .plain, type)
  }

  /// Compresses a frame to the end of the job's output.
  ///
  /// - Returns: False when that would not make it smaller.
  private func encode(
    _ job: SegmentJob, _ chunks: [(id: Digest, range: Range<Int>)], _ bytes: Span<UInt8>,
    _ type: ChunkType
  ) throws -> Bool {
    guard let compressor else { return false }
    let output = output(of: job)
    let start = job.outputCount
    var target = output.mutableSpan(start..<start + ZstdCompressor.bound(bytes.count))
    guard let count = try compressor.compress(bytes, into: &target) else { return false }
    let stored = output.span(start..<start + count)
    if context.verifies { try verify(stored, bytes) }
    note(job, chunks, stored, bytes.count, .zstd, type)
    job.outputCount += count
    return true
  }

  /// Decodes what was encoded, against faults of memory and libraries.
  private func verify(_ stored: Span<UInt8>, _ original: Span<UInt8>) throws {
    let buffer = scratch
    var plain = buffer.mutableSpan(0..<original.count)
    try decompressor.decompress(stored, into: &plain)
    guard areEqual(plain.span, original) else {
      throw RepositoryError.failed("what was compressed does not decompress to the same bytes")
    }
  }

  /// Appends a frame's stored bytes to the job's output.
  func emit(
    _ job: SegmentJob, _ chunks: [(id: Digest, range: Range<Int>)], _ stored: Span<UInt8>,
    _ codec: Codec, _ type: ChunkType
  ) {
    let plainCount = chunks.reduce(0) { $0 + $1.range.count }
    output(of: job).copy(stored, to: job.outputCount)
    note(job, chunks, stored, plainCount, codec, type)
    job.outputCount += stored.count
  }

  private func output(of job: SegmentJob) -> Buffer {
    let output = job.output ?? context.takeOutput()
    job.output = output
    return output
  }

  /// Notes the directory's entries of a frame that begins at the end of the job's output.
  private func note(
    _ job: SegmentJob, _ chunks: [(id: Digest, range: Range<Int>)], _ stored: Span<UInt8>,
    _ plainCount: Int, _ codec: Codec, _ type: ChunkType
  ) {
    let check = Checksum.of(stored)
    let first = chunks[0].range.lowerBound
    for chunk in chunks {
      job.chunks.append(
        ChunkEntry(
          id: chunk.id, offset: UInt32(job.outputCount), storedCount: UInt32(stored.count),
          plainCount: UInt32(chunk.range.count), type: type, codec: codec, check: check,
          framePlainCount: UInt32(plainCount),
          offsetInFrame: UInt32(chunk.range.lowerBound - first)))
    }
  }
}
