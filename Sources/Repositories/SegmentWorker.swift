internal import Blocks
internal import Bytes
internal import Chunking
internal import Codecs
internal import Platform

/// Turns segments into chunks and leaves; one object a thread.
final class SegmentWorker: @unchecked Sendable {
  // Unowned because the context keeps its workers.
  unowned let context: WorkContext
  private let hash = SHA256()
  private let fingerprinter: Fingerprinter
  let compressor: ZstdCompressor?
  let decompressor = ZstdDecompressor()
  private let reader: ChunkReader
  /// New chunks that wait for their frame.
  var pending: [(id: Digest, range: Range<Int>)] = []
  let scratch = Buffer(count: Segment.byteCount)

  init(_ context: WorkContext) {
    self.context = context
    fingerprinter = Fingerprinter(context.fingerprintKey)
    compressor = context.level.map { ZstdCompressor(level: $0) }
    reader = ChunkReader(context.index, context.files)
  }

  func perform(_ job: SegmentJob) throws {
    let segment = job.segment
    pending.removeAll(keepingCapacity: true)
    try segment.load()
    if segment.solidHole == .unchanged {
      try takeBase(job)
      return
    }
    if segment.runs.contains(where: { $0.content == .hole(.unchanged) }) {
      try fillFromBase(job)
    }
    let fingerprint = fingerprint(of: segment)
    if let fingerprint, case .node(_, let known?)? = job.base, known == fingerprint,
      try isWhole(job, holes: segment.oddHoles)
    {
      return
    }
    context.chunker.cut(segment)
    try store(job, fingerprint)
  }

  /// The segment's fingerprint, from its plain bytes or else as upstream told it.
  private func fingerprint(of segment: Segment) -> UInt128? {
    if let own = fingerprinter.fingerprint(of: segment) { return own }
    guard let told = segment.fingerprint, told.keyTag == context.fingerprintKey.tag,
      !segment.runs.contains(where: { $0.content == .hole(.bad) })
    else { return nil }
    return told.value
  }

  /// Takes the base's word for an unchanged segment, once all it needs is found to be there.
  private func takeBase(_ job: SegmentJob) throws {
    guard try isWhole(job) else {
      throw RepositoryError.missingChunk(
        "the base point's segment at byte \(job.segment.offset) needs chunks that are gone")
    }
  }

  /// Whether the base's segment can be had; then the job's outcome is to be the same.
  ///
  /// - Parameter holes: What must be there that is more than zeros; nil when upstream has looked.
  private func isWhole(_ job: SegmentJob, holes: OddHoles? = nil) throws -> Bool {
    switch job.base {
    case nil: return false
    case .hole(let kind)?:
      job.kinds[Int(kind.rawValue)] += UInt64(job.segment.count)
    case .node(let id, _)?:
      guard let node = context.index.find(id) else { return false }
      let leaf: MapLeaf
      do {
        leaf = try reader.leaf(id, count: job.segment.count)
      } catch is RepositoryError {
        // A damaged leaf is written anew.
        return false
      }
      // Once fingerprints were of the bytes alone.
      if let holes, holes != leaf.oddHoles { return false }
      var packs: Set<Digest> = [node.pack.id]
      for run in leaf.runs {
        guard case .chunk(let chunk) = run.content else { continue }
        guard let location = context.index.find(chunk) else { return false }
        packs.insert(location.pack.id)
      }
      job.packs = packs
      count(leaf, job)
    }
    job.outcome = .unchanged(job.base ?? .hole(.zero))
    return true
  }

  private func count(_ leaf: MapLeaf, _ job: SegmentJob) {
    for run in leaf.runs {
      switch run.content {
      case .chunk: job.kinds[0] += UInt64(run.count)
      case .hole(let kind): job.kinds[Int(kind.rawValue)] += UInt64(run.count)
      }
    }
  }

  /// Replaces unchanged holes inside a segment by what the base has there.
  private func fillFromBase(_ job: SegmentJob) throws {
    let segment = job.segment
    let runs = segment.runs
    segment.runs = []
    let old = try baseLeaf(job)
    for run in runs {
      guard run.content == .hole(.unchanged) else {
        segment.append(run.range, run.content)
        continue
      }
      try copy(old, run.range, into: segment)
    }
    // What upstream computed was of its own bytes.
    segment.fingerprint = nil
  }

  private func baseLeaf(_ job: SegmentJob) throws -> MapLeaf {
    switch job.base {
    case .node(let id, _)?: return try reader.leaf(id, count: job.segment.count)
    case .hole(let kind)?:
      return MapLeaf(runs: [.init(count: job.segment.count, content: .hole(kind))])
    case nil: throw RepositoryError.badInput("unchanged bytes, but no base point")
    }
  }

  /// Brings the bytes of `range` that `leaf` describes into the segment.
  private func copy(_ leaf: MapLeaf, _ range: Range<Int>, into segment: Segment) throws {
    var position = 0
    for run in leaf.runs {
      let whole = position..<position + run.count
      position = whole.upperBound
      let part = whole.clamped(to: range)
      guard !part.isEmpty else { continue }
      switch run.content {
      case .hole(let kind): segment.append(part, .hole(kind))
      case .chunk(let id):
        let buffer = scratch
        var target = buffer.mutableSpan(0..<run.count)
        try reader.read(try reader.locate(id), into: &target)
        let first = part.lowerBound - whole.lowerBound
        segment.buffer.copy(buffer.span(first..<first + part.count), to: part.lowerBound)
        segment.append(part, .data)
      }
    }
  }

  /// Stores what is new of the segment and makes its leaf.
  private func store(_ job: SegmentJob, _ fingerprint: UInt128?) throws {
    if let kind = job.segment.solidHole {
      job.kinds[Int(kind.rawValue)] += UInt64(job.segment.count)
      job.outcome = .target(.hole(kind))
      return
    }
    guard job.segment.runs.count <= Int(MapLeaf.runLimit) else {
      throw RepositoryError.badInput(
        "the segment at byte \(job.segment.offset) is in too many pieces")
    }
    var leaf = MapLeaf(runs: [])
    leaf.runs.reserveCapacity(job.segment.runs.count)
    for run in job.segment.runs {
      switch run.content {
      case .hole(let kind):
        leaf.runs.append(.init(count: run.range.count, content: .hole(kind)))
      case .chunk(let id, let codec, let stored):
        let id = try chunk(job, run.range, id, codec, stored)
        leaf.runs.append(.init(count: run.range.count, content: .chunk(id)))
      case .data: preconditionFailure("data that was not cut")
      }
    }
    try flushFrame(job)
    count(leaf, job)
    let bytes = leaf.bytes
    let id = hash.digest(of: bytes.span)
    try keep(job, id, bytes.span, .node)
    job.outcome = .target(.node(id, fingerprint: fingerprint))
  }

  /// Finds or stores one chunk; its id is always computed from the bytes that came.
  private func chunk(
    _ job: SegmentJob, _ range: Range<Int>, _ claimed: Digest?, _ codec: Codec, _ stored: Int
  ) throws -> Digest {
    let segment = job.segment
    let place = segment.offset + UInt64(range.lowerBound)
    if let claimed, stored == 0 {
      try refer(job, claimed, range.count, place)
      return claimed
    }
    let buffer = segment.buffer
    let storedBytes = buffer.span(range.lowerBound..<range.lowerBound + stored)
    if codec == .plain {
      let id = hash.digest(of: storedBytes)
      try check(id, claimed, place)
      if isNew(job, id, range.count) { try addToFrame(job, id, range) }
      return id
    }
    let plainBuffer = scratch
    var plain = plainBuffer.mutableSpan(0..<range.count)
    do {
      try decompressor.decompress(storedBytes, into: &plain)
    } catch {
      throw RepositoryError.badInput("volume \(segment.volume): chunk at byte \(place): \(error)")
    }
    let id = hash.digest(of: plain.span)
    try check(id, claimed, place)
    // What came compressed has just been verified; it is kept as it is.
    if isNew(job, id, range.count) {
      emit(job, [(id, range)], storedBytes, codec, .data)
    }
    return id
  }

  private func check(_ id: Digest, _ claimed: Digest?, _ place: UInt64) throws {
    if let claimed, claimed != id {
      throw RepositoryError.badInput(
        "chunk at byte \(place): its content does not fit the id it came with")
    }
  }

  /// A reference must lead to a chunk that is there, of the right length.
  private func refer(_ job: SegmentJob, _ id: Digest, _ count: Int, _ place: UInt64) throws {
    if let location = context.index.find(id) {
      guard Int(location.entry.plainCount) == count else {
        throw RepositoryError.badInput("reference at byte \(place): wrong length")
      }
      job.packs.insert(location.pack.id)
      return
    }
    job.references.append(Reference(id: id, count: count, place: place))
  }

  func isNew(_ job: SegmentJob, _ id: Digest, _ count: Int) -> Bool {
    if let location = context.index.find(id) {
      job.packs.insert(location.pack.id)
      return false
    }
    return context.claims.claim(id, count: count)
  }

  /// Stores bytes that are no segment: nodes of maps and attachments.
  func keepOnly(_ bytes: [UInt8], _ type: ChunkType, _ job: SegmentJob) throws -> Digest {
    let id = hash.digest(of: bytes.span)
    try keep(job, id, bytes.span, type)
    return id
  }
}
