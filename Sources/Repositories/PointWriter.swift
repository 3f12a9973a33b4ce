public import Blocks
internal import Bytes
internal import Chunking
internal import Codecs
internal import ObjectStores
internal import Platform
internal import Streams

/// How a point is to be made.
public struct PutOptions: Sendable {
  /// The machine's name.
  public var name: String
  /// Whether the newest point of the name serves to find unchanged segments.
  public var usesBase = true
  /// Whether what is compressed is decompressed and compared before it is written.
  public var verifies = true
  public var tool = "vpipe"
  /// Entries after which an index file is written, so that memory stays bounded.
  var indexStep = 256 << 10

  public init(name: String) { self.name = name }
}

/// What a put did.
public struct PutResult: Sendable {
  public let name: PointName
  public let point: RecoveryPoint
  /// Segments that the base's fingerprints showed to be unchanged.
  public let unchangedSegments: UInt64
}

/// Takes volumes from a feed into a repository and commits a point: docs/repository-format.md,
/// "How a point comes about".
public final class PointWriter {
  /// Work in the order in which it came: the map is built in that order.
  private final class Item: @unchecked Sendable {
    enum Work {
      case segment(SegmentJob)
      case hole(HoleKind, segments: UInt64, bytes: UInt64)
    }
    let volume: Int
    let work: Work
    /// Whether the segment goes back to the feed.
    let isFromFeed: Bool
    init(volume: Int, work: Work, isFromFeed: Bool) {
      self.volume = volume
      self.work = work
      self.isFromFeed = isFromFeed
    }
  }

  private let repository: Repository
  private let options: PutOptions
  private let session: any WritingSession
  private let context: WorkContext
  private let packs: PackWriter
  private let workers: Workers<Item>
  private let pool = SegmentPool()
  private var volumes: [ArrivingVolume] = []
  private var attachments: [RecoveryPoint.StoredAttachment] = []
  private var warnings: [String] = []
  private var usedPacks: Set<Digest> = []
  private var addedChunks: UInt64 = 0
  private var unindexed = 0
  private var unchangedSegments: UInt64 = 0
  private let bases: BasePoints
  private let previous: [PointName]

  private var warningBytes = 0
  /// Bytes of warnings that a point keeps.
  private static let warningLimit = 256 << 10
  private static let attachmentLimit = 4096
  /// So many packs without an index are indexed before anything else is done.
  private static let manyPacks = 64

  /// Puts all of `feed` into `repository`.
  ///
  /// - Parameters:
  ///   - progress: Told how many bytes of volumes are done.
  ///   - warn: Told what the user should know.
  /// - Returns: The committed, durable point.
  public static func put(
    _ feed: any VolumeFeed, into repository: Repository, _ options: PutOptions,
    progress: (UInt64) -> Void, warn: (String) -> Void
  ) throws -> PutResult {
    try repository.store.writing { session in
      let writer = try PointWriter(repository, options, session, warn: warn)
      defer { writer.stop() }
      return try writer.run(feed, progress, warn)
    }
  }

  private init(
    _ repository: Repository, _ options: PutOptions, _ session: any WritingSession,
    warn: (String) -> Void
  ) throws {
    self.repository = repository
    self.options = options
    let (points, unreadable) = try repository.points()
    for point in unreadable { warn(point.trouble) }
    previous = PointWriter.heads(points)
    self.session = session
    try repository.completeCopies(session)
    // A lost index is written anew in pieces, as all of it might not fit into memory.
    _ = try repository.coverPacks(session, ifAtLeast: PointWriter.manyPacks)
    let index = try repository.openIndexForWriting()
    for trouble in index.troubles { warn(trouble) }
    let files = PackFiles(repository.store)
    guard let parameters = repository.config.chunkingParameters else {
      throw RepositoryError.damaged("config: parameters out of bounds")
    }
    let context = WorkContext(
      index: index, files: files, chunker: Chunker(parameters),
      fingerprintKey: repository.config.fingerprinting, level: repository.config.zstdLevel,
      frameLimit: repository.config.compression.frame, verifies: options.verifies)
    self.context = context
    bases = BasePoints(points, name: options.usesBase ? options.name : nil, index, files)
    packs = PackWriter(session)
    workers = Workers(count: workerCount(), window: workerCount() + 4) { item in
      guard case .segment(let job) = item.work else { return }
      try context.withWorker { try $0.perform(job) }
    }
  }

  private func stop() {
    workers.close()
    packs.stop()
  }

  /// Points that no other point names as previous: usually the newest one.
  private static func heads(_ points: [Repository.StoredPoint]) -> [PointName] {
    let known = Set(points.flatMap(\.point.previous))
    return points.map(\.name).filter { !known.contains("\($0)") }
  }

  private func run(
    _ feed: any VolumeFeed, _ progress: (UInt64) -> Void, _ warn: (String) -> Void
  ) throws -> PutResult {
    while let item = try feed.next() {
      switch item {
      case .volume(let header): try begin(header, warn)
      case .segment(let segment):
        let volume = Int(segment.volume)
        let index = segment.offset / UInt64(Segment.byteCount)
        let base = try base(of: volume, index, segment.count, warn)
        try give(
          Item(volume: volume, work: .segment(SegmentJob(segment, base: base)), isFromFeed: true),
          feed, progress)
      case .span(let span): try take(span, feed, progress)
      case .attachment(let attachment): try keep(attachment)
      case .warning(let text): note(text, warn)
      case .foreign: break
      }
    }
    while !workers.isEmpty { try consume(feed, progress) }
    for text in try feed.lateWarnings() { note(text, warn) }
    return try commit(missing: feed.missing)
  }

  private func begin(_ header: VolumeHeader, _ warn: (String) -> Void) throws {
    guard Int(header.number) == volumes.count else {
      throw RepositoryError.badInput("volume \(header.number) out of order")
    }
    guard volumes.count < StreamLimits.volumes, header.size <= VolumeHeader.sizeLimit else {
      throw RepositoryError.badInput("\(header.name): beyond the limits of a point")
    }
    if volumes.contains(where: { $0.header.name == header.name }) {
      throw RepositoryError.badInput("two volumes are named \(header.name)")
    }
    let field = context.chunker.parameters.field
    if let cut = header["cut"], cut != field {
      warn("\(header.name): cut as \(cut), but the repository cuts \(field): deduplication suffers")
    }
    let builder = MapBuilder(size: header.size) { [unowned self] bytes in
      try self.store(bytes, .node)
    }
    volumes.append(
      ArrivingVolume(header: header, builder: builder, base: try bases.volume(for: header)))
  }

  /// What the base has at a segment.
  ///
  /// A base that is damaged is done without, unless the stream was made against it.
  private func base(
    of volume: Int, _ index: UInt64, _ count: Int, _ warn: (String) -> Void
  ) throws -> MapTarget? {
    guard let base = volumes[volume].base else { return nil }
    do {
      return try base.target(index, count: count)
    } catch let error as RepositoryError {
      if volumes[volume].header.base != nil { throw error }
      warn("the last point cannot serve as base: \(error)")
      volumes[volume].base = nil
      return nil
    }
  }

  /// Takes whole segments of one kind of hole.
  private func take(
    _ span: HoleSpan, _ feed: any VolumeFeed, _ progress: (UInt64) -> Void
  ) throws {
    let volume = Int(span.volume)
    let step = UInt64(Segment.byteCount)
    var index = span.range.lowerBound / step
    let end = (span.range.upperBound + step - 1) / step
    func hole(_ kind: HoleKind, _ count: UInt64) throws {
      let bytes = min((index + count) * step, span.range.upperBound) - index * step
      try give(
        Item(
          volume: volume, work: .hole(kind, segments: count, bytes: bytes), isFromFeed: false),
        feed, progress)
      index += count
    }
    if span.kind != .unchanged { return try hole(span.kind, end - index) }
    guard let base = volumes[volume].base else {
      throw RepositoryError.badInput("unchanged bytes, but no base point")
    }
    while index < end {
      let part = try base.part(at: index)
      if case .hole(let kind) = part.target {
        try hole(kind, min(part.count, end - index))
        continue
      }
      let segment = pool.take()
      let count = MapShape.segmentBytes(index, of: volumes[volume].header.size)
      segment.reset(volume: span.volume, offset: index * step, count: count)
      segment.append(0..<count, .hole(.unchanged))
      let job = SegmentJob(segment, base: try base.target(index, count: count))
      try give(
        Item(volume: volume, work: .segment(job), isFromFeed: false), feed, progress)
      index += 1
    }
  }

  private func give(
    _ item: Item, _ feed: any VolumeFeed, _ progress: (UInt64) -> Void
  ) throws {
    while !workers.hasRoom { try consume(feed, progress) }
    workers.give(item)
  }

  /// Takes the oldest work's result: into the packs, and into the map.
  private func consume(_ feed: any VolumeFeed, _ progress: (UInt64) -> Void) throws {
    guard let item = try workers.take() else { return }
    switch item.work {
    case .hole(let kind, let count, let bytes):
      try volumes[item.volume].builder.append(kind, count: count)
      volumes[item.volume].kinds[Int(kind.rawValue)] += bytes
      progress(bytes)
    case .segment(let job):
      try keep(job)
      let target: MapTarget
      switch job.outcome {
      case .target(let new): target = new
      case .unchanged(let old):
        target = old
        unchangedSegments += 1
      }
      try volumes[item.volume].builder.append(target)
      for kind in job.kinds.indices { volumes[item.volume].kinds[kind] += job.kinds[kind] }
      progress(UInt64(job.segment.count))
      if item.isFromFeed { feed.recycle(job.segment) } else { pool.give(job.segment) }
    }
  }

  /// Writes a job's new chunks, and checks what it refers to.
  private func keep(_ job: SegmentJob) throws {
    try write(job)
    for reference in job.references {
      // Chunks of this stream come before what refers to them.
      let found =
        context.claims.count(reference.id)
        ?? context.index.find(reference.id).map { Int($0.entry.plainCount) }
      guard found == reference.count else {
        throw RepositoryError.missingChunk(
          "reference at byte \(reference.place): chunk \(reference.id) is not in the repository")
      }
    }
    if unindexed >= options.indexStep { try writeIndex() }
  }

  /// Stores bytes that are no segment.
  private func store(_ bytes: [UInt8], _ type: ChunkType) throws -> Digest {
    let job = SegmentJob(pool.take(), base: nil)
    defer { pool.give(job.segment) }
    let id = try context.withWorker { try $0.keepOnly(bytes, type, job) }
    try write(job)
    return id
  }

  private func write(_ job: SegmentJob) throws {
    if let output = job.output {
      try packs.append(job.chunks, output.span(0..<job.outputCount))
      context.recycleOutput(of: job)
    }
    addedChunks += UInt64(job.chunks.count)
    unindexed += job.chunks.count
    usedPacks.formUnion(job.packs)
  }

  private func keep(_ attachment: Attachment) throws {
    guard attachment.name.utf8.count <= Attachment.nameLimit,
      attachment.bytes.count <= Attachment.byteLimit,
      attachments.count < PointWriter.attachmentLimit
    else { throw RepositoryError.badInput("attachment \(attachment.name): beyond the limits") }
    var ids: [String] = []
    var start = 0
    while start < attachment.bytes.count {
      let end = min(
        start + RecoveryPoint.StoredAttachment.chunkCount, attachment.bytes.count)
      ids.append("\(try store(Array(attachment.bytes[start..<end]), .attachment))")
      start = end
    }
    attachments.append(
      RecoveryPoint.StoredAttachment(
        name: attachment.name, size: attachment.bytes.count, chunks: ids))
  }

  /// Publishes the packs so far, durably, and an index file of them and of packs that none covers.
  private func writeIndex() throws {
    try packs.finish()
    let new = packs.takeAll()
    unindexed = 0
    let orphans = context.index.orphans()
    guard !new.isEmpty || orphans.contains(where: { usedPacks.contains($0.info.id) }) else {
      return
    }
    // Whoever left them may not have made their names durable.
    for orphan in orphans { session.willRelyOn(Layout.pack(orphan.info.id)) }
    try session.flush()
    let old = context.index.mergeable()
    let bytes = IndexTable.build(
      new.map { (PackInfo(id: $0.id, size: $0.size), $0.entries) } + orphans + old.packs,
      superseded: old.names)
    let name = Layout.index(SHA256.digest(of: bytes))
    try session.put(bytes, as: name)
    // The table is mapped from the file: what has been stored takes no memory.
    context.index.add(
      try IndexTable(try repository.store.open(name), name: name))
    // Workers may hold claimed chunks that no pack has yet; those stay claimed.
    for pack in new { context.claims.forget(pack.entries) }
    usedPacks.formUnion(new.map(\.id))
  }

  private func note(_ text: String, _ warn: (String) -> Void) {
    warn(text)
    guard warningBytes < PointWriter.warningLimit else { return }
    warnings.append(text)
    warningBytes += text.utf8.count + 1
  }

  /// Names the volumes with bytes that could not be read, in case upstream did not.
  private func unreadParts() -> [String] {
    volumes.compactMap { volume in
      let count = volume.kinds[Int(HoleKind.bad.rawValue)]
      return count == 0 ? nil : "\(volume.header.name): \(count) bytes could not be read"
    }
  }

  private func commit(missing: [String]) throws -> PutResult {
    var finished: [RecoveryPoint.Volume] = []
    for number in volumes.indices {
      let root = try volumes[number].builder.finish()
      finished.append(volumes[number].record(root))
    }
    try writeIndex()
    try Commitment.confirm(usedPacks, repository.store)
    let sequence = (try repository.pointNames().last?.sequence ?? 0) + 1
    guard sequence <= PointName.sequenceLimit else {
      throw RepositoryError.damaged("points: the last number that can be has been given away")
    }
    let missing = missing.isEmpty ? unreadParts() : missing
    let point = RecoveryPoint(
      name: options.name, time: Clock.text(Clock.now()), host: Host.name, tool: options.tool,
      sequence: sequence, previous: previous.map { "\($0)" }, volumes: finished,
      attachments: attachments, missing: missing, warnings: warnings,
      addedBytes: packs.byteCount, addedChunks: addedChunks)
    let name = try Commitment.publish(point, session)
    return PutResult(name: name, point: point, unchangedSegments: unchangedSegments)
  }
}
