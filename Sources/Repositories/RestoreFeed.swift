public import Blocks
internal import Bytes
internal import Platform

/// A point as a feed of volumes; every chunk is proven by its id before it is handed out.
public final class RestoreFeed: VolumeFeed {
  /// Which bytes of a volume are wanted.
  public struct Selection: Sendable {
    /// The volume's number in the point.
    public let volume: Int
    /// A range that lies inside the volume; nil for all.
    ///
    /// The rest reads as zero.
    public let range: Range<UInt64>?

    public init(volume: Int, range: Range<UInt64>? = nil) {
      self.volume = volume
      self.range = range
    }
  }

  private let context: RestoreContext
  private let point: RecoveryPoint
  private let selections: [Selection]
  private let pool = SegmentPool()
  private var announced = 0
  private var current = 0
  private var attachment = 0
  private var map: MapReader?
  private var position: UInt64 = 0
  public var missing: [String] { point.missing }

  /// - Parameter selections: The volumes wanted, in order; nil for all with the attachments.
  public init(
    _ repository: Repository, _ stored: Repository.StoredPoint, selections: [Selection]? = nil
  ) throws {
    let index = try repository.openIndex()
    context = RestoreContext(index, PackFiles(repository.store))
    point = stored.point
    self.selections = selections ?? point.volumes.indices.map { Selection(volume: $0) }
    attachment = selections == nil ? 0 : point.attachments.count
  }

  public func recycle(_ segment: Segment) { pool.give(segment) }

  public func next() throws -> FeedItem? {
    if announced < selections.count {
      announced += 1
      return .volume(header(announced - 1))
    }
    if attachment < point.attachments.count {
      attachment += 1
      return .attachment(try RestoreFeed.load(point.attachments[attachment - 1], context))
    }
    while current < selections.count {
      if let item = try nextPart() { return item }
      current += 1
      map = nil
      position = 0
    }
    return nil
  }

  /// The header of a selected volume.
  public func header(_ number: Int) -> VolumeHeader {
    let volume = point.volumes[selections[number].volume]
    let fields = volume.fields.sorted { $0.key < $1.key }
      .filter { !["base", "cut"].contains($0.key) }
    var header = VolumeHeader(
      number: UInt32(number), size: volume.size,
      fields: fields.map { VolumeHeader.Field($0.key, $0.value) })
    header.name = volume.name
    return header
  }

  static func load(
    _ stored: RecoveryPoint.StoredAttachment, _ context: RestoreContext
  ) throws -> Attachment {
    guard stored.size <= Attachment.byteLimit else {
      throw RepositoryError.damaged("attachment \(stored.name): \(stored.size) bytes")
    }
    var bytes: [UInt8] = []
    for text in stored.chunks {
      guard let id = Digest(hex: text) else {
        throw RepositoryError.damaged("attachment \(stored.name): \(text) is no chunk id")
      }
      bytes += try context.withReader { try $0.bytes(id) }
    }
    guard bytes.count == stored.size else {
      throw RepositoryError.damaged("attachment \(stored.name): \(bytes.count) bytes")
    }
    return Attachment(name: stored.name, bytes: bytes)
  }

  /// The next segment or span of the current volume; nil at its end.
  private func nextPart() throws -> FeedItem? {
    let volume = point.volumes[selections[current].volume]
    let step = UInt64(Segment.byteCount)
    guard position < volume.size else { return nil }
    if map == nil {
      guard let target = volume.target else {
        throw RepositoryError.damaged("volume \(volume.name): its map has no root")
      }
      map = MapReader(context.makeReader(), root: target, size: volume.size)
    }
    guard let map else { return nil }
    let wanted = selections[current].range ?? 0..<volume.size
    if let hole = unwanted(wanted, volume.size) { return hole }
    let part = try map.part(at: position / step)
    switch part.target {
    case .hole(let kind):
      let limit = wanted.upperBound.roundedUp(to: step)
      let end = min((part.first + part.count) * step, volume.size, max(limit, position + step))
      defer { position = end }
      return .span(HoleSpan(volume: UInt32(current), range: position..<end, kind: kind))
    case .node(let leaf, _):
      let segment = pool.take()
      let count = MapShape.segmentBytes(position / step, of: volume.size)
      segment.reset(volume: UInt32(current), offset: position, count: count)
      let context = context
      let name = volume.name
      segment.loader = { segment in
        try context.withReader { try $0.load(segment, leaf: leaf, of: name) }
      }
      position += UInt64(count)
      return .segment(segment)
    }
  }

  /// Whole segments outside the wanted range, as holes.
  private func unwanted(_ wanted: Range<UInt64>, _ size: UInt64) -> FeedItem? {
    let step = UInt64(Segment.byteCount)
    let end: UInt64
    if position >= wanted.upperBound {
      end = size
    } else if position + step <= wanted.lowerBound {
      end = wanted.lowerBound / step * step
    } else {
      return nil
    }
    defer { position = end }
    return .span(HoleSpan(volume: UInt32(current), range: position..<end, kind: .zero))
  }
}

extension UInt64 {
  fileprivate func roundedUp(to step: UInt64) -> UInt64 {
    self / step * step + (self % step == 0 ? 0 : step)
  }
}

/// What all threads of a restore share.
final class RestoreContext: Sendable {
  private let index: ChunkIndex
  private let files: PackFiles
  private let readers: Pool<ChunkReader>

  init(_ index: ChunkIndex, _ files: PackFiles) {
    self.index = index
    self.files = files
    readers = Pool { ChunkReader(index, files) }
  }

  func makeReader() -> ChunkReader { ChunkReader(index, files) }

  /// Runs `body` with a reader that no other thread uses meanwhile.
  func withReader<Result>(_ body: (ChunkReader) throws -> Result) rethrows -> Result {
    try readers.with(body)
  }
}

extension ChunkReader {
  /// Fills a segment with what its leaf says.
  ///
  /// - Parameter name: The volume's name, for errors.
  func load(_ segment: Segment, leaf id: Digest, of name: String) throws {
    let leaf: MapLeaf
    do {
      leaf = try self.leaf(id, count: segment.count)
    } catch let error as RepositoryError {
      throw error.at(name, segment.offset..<segment.offset + UInt64(segment.count))
    }
    var position = 0
    let locations = try leaf.runs.map { run -> ChunkLocation? in
      let start = segment.offset + UInt64(position)
      position += run.count
      guard case .chunk(let chunk) = run.content else { return nil }
      do {
        return try locate(chunk)
      } catch let error as RepositoryError {
        throw error.at(name, start..<start + UInt64(run.count))
      }
    }
    position = 0
    /// Runs before this one came with an earlier one's frame.
    var next = 0
    for (index, run) in leaf.runs.enumerated() {
      let range = position..<position + run.count
      position = range.upperBound
      if case .hole(let kind) = run.content {
        segment.append(range, .hole(kind))
        continue
      }
      do {
        if index >= next { next = try read(leaf, locations, index, into: segment, range) }
        let buffer = segment.buffer
        if let location = locations[index] { try prove(location, buffer.span(range)) }
      } catch let error as RepositoryError {
        let start = segment.offset + UInt64(range.lowerBound)
        throw error.at(name, start..<start + UInt64(range.count))
      }
      segment.append(range, .data)
    }
  }

  /// Reads one chunk of a segment, or all chunks of its frame if they follow in the frame's order;
  /// what lies behind it in the same pack comes in the same call.
  ///
  /// - Returns: The index after the last run that was read; none of them is proven.
  private func read(
    _ leaf: MapLeaf, _ locations: [ChunkLocation?], _ index: Int, into segment: Segment,
    _ range: Range<Int>
  ) throws -> Int {
    guard let location = locations[index] else { return index + 1 }
    var end = UInt64(location.entry.offset) + UInt64(location.entry.storedCount)
    for next in locations[(index + 1)...] {
      guard let next else { continue }
      guard next.pack == location.pack, UInt64(next.entry.offset) == end else { break }
      end += UInt64(next.entry.storedCount)
    }
    let buffer = segment.buffer
    if let after = afterFrame(leaf, locations, index) {
      let first = range.lowerBound
      var target = buffer.mutableSpan(first..<first + Int(location.entry.framePlainCount))
      try decode(location, into: &target, ahead: end)
      return after
    }
    var target = buffer.mutableSpan(range)
    try readUnproven(location, into: &target, ahead: end)
    return index + 1
  }

  /// Where the runs end that are together the frame that begins at `index`; nil when they are not
  /// all of it, side by side, in its order.
  private func afterFrame(
    _ leaf: MapLeaf, _ locations: [ChunkLocation?], _ index: Int
  ) -> Int? {
    guard let first = locations[index], !first.entry.isAlone else { return nil }
    let whole = Int(first.entry.framePlainCount)
    var count = 0
    for place in index..<locations.count {
      guard let location = locations[place], location.pack == first.pack,
        location.entry.offset == first.entry.offset,
        Int(location.entry.offsetInFrame) == count,
        Int(location.entry.plainCount) == leaf.runs[place].count
      else { return nil }
      count += leaf.runs[place].count
      if count >= whole { return count == whole ? place + 1 : nil }
    }
    return nil
  }
}

extension RepositoryError {
  /// The same error, with the place in the volume that it spoils.
  func at(_ volume: String, _ range: Range<UInt64>) -> RepositoryError {
    .damaged("\(volume): bytes \(range.lowerBound) to \(range.upperBound): \(self)")
  }
}
