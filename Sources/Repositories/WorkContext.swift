internal import Blocks
internal import Bytes
internal import Chunking
internal import Codecs
internal import Platform

/// Chunks that this writer stores or has just stored: each is stored by whoever asks first.
final class Claims: Sendable {
  /// Plain bytes by id.
  private let chunks = Locked<[Digest: Int]>([:])

  /// - Returns: True for the first who asks for `id`.
  func claim(_ id: Digest, count: Int) -> Bool {
    chunks.with { $0.updateValue(count, forKey: id) == nil }
  }

  /// How many plain bytes a claimed chunk has.
  func count(_ id: Digest) -> Int? { chunks.with { $0[id] } }

  /// Forgets what the index knows by now.
  func forget(_ entries: [ChunkEntry]) {
    chunks.with { chunks in
      for entry in entries { chunks.removeValue(forKey: entry.id) }
    }
  }
}

/// One segment on its way into the repository; filled in by a worker.
final class SegmentJob: @unchecked Sendable {
  enum Outcome: Equatable {
    /// What the map says of the segment.
    case target(MapTarget)
    /// The same as in the base.
    case unchanged(MapTarget)
  }

  let segment: Segment
  /// What the base point's map says of this place, if there is a base.
  let base: MapTarget?
  /// New chunks, one after the other, in a buffer of the context's.
  var output: Buffer?
  var outputCount = 0
  var chunks: [ChunkEntry] = []
  var outcome: Outcome = .target(.hole(.zero))
  /// Bytes by hole kind's raw value; 0 is data.
  var kinds = [UInt64](repeating: 0, count: 8)
  /// Packs that hold chunks which were there already.
  var packs: Set<Digest> = []
  /// References that must turn out to be chunks of this very stream.
  var references: [Reference] = []

  init(_ segment: Segment, base: MapTarget?) {
    self.segment = segment
    self.base = base
  }
}

/// What all workers of a writer share.
final class WorkContext: Sendable {
  let index: ChunkIndex
  let files: PackFiles
  let claims = Claims()
  let chunker: Chunker
  let fingerprintKey: FingerprintKey
  let level: Int?
  /// The most plain bytes of a frame.
  let frameLimit: Int
  let verifies: Bool
  private let idle = Locked<[SegmentWorker]>([])

  init(
    index: ChunkIndex, files: PackFiles, chunker: Chunker, fingerprintKey: FingerprintKey,
    level: Int?, frameLimit: Int, verifies: Bool
  ) {
    self.frameLimit = frameLimit
    self.index = index
    self.files = files
    self.chunker = chunker
    self.fingerprintKey = fingerprintKey
    self.level = level
    self.verifies = verifies
  }

  /// Room for all that a segment can add: its bytes and its leaf.
  static let outputCount = Segment.byteCount + (512 << 10)
  private let outputs = Locked<[Buffer]>([])

  func takeOutput() -> Buffer {
    outputs.with { $0.popLast() } ?? Buffer(count: WorkContext.outputCount)
  }

  /// Takes a job's output back, once it is written.
  func recycleOutput(of job: SegmentJob) {
    guard let output = job.output else { return }
    job.output = nil
    outputs.with { $0.append(output) }
  }

  /// Runs `body` with a worker's tools that no other thread uses meanwhile.
  func withWorker<Result>(_ body: (SegmentWorker) throws -> Result) rethrows -> Result {
    let worker = idle.with { $0.popLast() } ?? SegmentWorker(self)
    defer { idle.with { $0.append(worker) } }
    return try body(worker)
  }
}

/// A reference to a chunk that the index did not have when it was met: it may be one that this
/// very stream brought.
struct Reference: Sendable {
  let id: Digest
  let count: Int
  let place: UInt64
}
