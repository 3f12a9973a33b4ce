public import Blocks
internal import Bytes
internal import Codecs
public import Platform

/// A stream on a descriptor as a feed of segments.
public final class StreamFeed: VolumeFeed {
  /// A volume whose frames are arriving.
  private struct Arrival {
    let header: VolumeHeader
    /// How far it is covered.
    var position: UInt64 = 0
    /// The segment that `position` lies in or has just filled.
    var segment: Segment?
    /// Frames of unknown types that came while the segment was open; they follow it.
    var foreign: [ForeignFrame] = []
  }

  private let reader: StreamReader
  private let pool = SegmentPool()
  private var volumes: [Arrival] = []
  private var ready: [FeedItem] = []
  private var nextReady = 0
  private var openSegments = 0
  private var heldForeign = 0
  private var finished = false
  public private(set) var missing: [String] = []

  /// - Throws: `StreamError` when the input is no stream.
  public init(_ input: FileDescriptor) throws { reader = try StreamReader(input) }

  public func recycle(_ segment: Segment) { pool.give(segment) }

  public func next() throws -> FeedItem? {
    while nextReady == ready.count {
      if finished { return nil }
      ready.removeAll(keepingCapacity: true)
      nextReady = 0
      try step()
    }
    nextReady += 1
    return ready[nextReady - 1]
  }

  /// Takes one frame.
  private func step() throws {
    let frame = try reader.next()
    guard let kind = frame.kind else {
      return try foreign(frame)
    }
    switch kind {
    case .volume: try beginVolume(frame)
    case .data, .chunk, .reference: try content(frame, kind)
    case .hole: try hole(frame)
    case .fingerprint: try fingerprint(frame)
    case .attachment: try attachment(frame)
    case .warning:
      let text = try text(frame)
      // Detail 1, a missing part, is told again by the seal.
      if frame.detail == 0 { ready.append(.warning(text)) }
    case .abort: throw StreamError.aborted(try text(frame))
    case .seal: try seal(frame)
    }
  }

  /// Keeps a frame of unknown type for whoever comes later in the pipe.
  private func foreign(_ frame: Frame) throws {
    if frame.isCritical {
      throw reader.refusal(.unsupported("critical frame type \(frame.type)"))
    }
    guard Int(frame.payloadCount) <= StreamLimits.foreignPayload else {
      throw reader.refusal(.impossible("an unknown frame over the limit"))
    }
    let kept = ForeignFrame(
      type: frame.type, flags: frame.flags, volume: frame.volume, offset: frame.offset,
      length: frame.length, detail: frame.detail, payload: try reader.payload())
    let number = Int(frame.volume)
    guard number < volumes.count, volumes[number].segment != nil else {
      ready.append(.foreign(kept))
      return
    }
    heldForeign += 1
    guard heldForeign <= StreamLimits.foreignFrames else {
      throw reader.refusal(.impossible("too many unknown frames in one place"))
    }
    volumes[number].foreign.append(kept)
  }

  private func beginVolume(_ frame: Frame) throws {
    guard Int(frame.volume) == volumes.count else {
      throw reader.refusal(.impossible("volume \(frame.volume) comes out of order"))
    }
    guard volumes.count < StreamLimits.volumes else {
      throw reader.refusal(.impossible("more than \(StreamLimits.volumes) volumes"))
    }
    guard frame.length <= VolumeHeader.sizeLimit,
      Int(frame.payloadCount) <= VolumeHeader.fieldByteLimit
    else { throw reader.refusal(.impossible("a volume beyond the limits")) }
    guard let fields = VolumeHeader.parseFields(try reader.payload()) else {
      throw reader.refusal(.impossible("malformed fields of a volume"))
    }
    let header = VolumeHeader(number: frame.volume, size: frame.length, fields: fields)
    volumes.append(Arrival(header: header))
    ready.append(.volume(header))
  }

  /// Checks that a frame goes on where its volume stands.
  private func place(_ frame: Frame) throws -> Int {
    let number = Int(frame.volume)
    guard number < volumes.count else {
      throw reader.refusal(.impossible("volume \(frame.volume) was not announced"))
    }
    let volume = volumes[number]
    guard frame.offset == volume.position else {
      throw reader.refusal(
        .impossible("offset \(frame.offset) where \(volume.position) should be"))
    }
    guard frame.length > 0, frame.length <= volume.header.size - volume.position else {
      throw reader.refusal(.impossible("length \(frame.length) does not fit the volume"))
    }
    return number
  }

  private func content(_ frame: Frame, _ kind: Frame.Kind) throws {
    let number = try place(frame)
    let segment = try openSegment(number)
    let start = Int(frame.offset - segment.offset)
    guard frame.length <= UInt64(segment.count - start) else {
      throw reader.refusal(.impossible("a frame crosses a segment's end"))
    }
    let range = start..<start + Int(frame.length)
    switch kind {
    case .data:
      guard UInt64(frame.payloadCount) == frame.length else {
        throw reader.refusal(.impossible("length and payload of data differ"))
      }
      try fill(segment, range)
      segment.append(range, .data)
    case .reference:
      let payload = try idPayload(frame)
      segment.append(range, .chunk(id: payload, codec: .plain, storedCount: 0))
    default: try chunk(frame, segment, range)
    }
    try advance(number, to: frame.offset + frame.length)
  }

  private func idPayload(_ frame: Frame) throws -> Digest {
    guard frame.payloadCount == UInt32(Digest.byteCount),
      let id = Digest(try reader.payload())
    else { throw reader.refusal(.impossible("a reference without an id")) }
    return id
  }

  private func chunk(_ frame: Frame, _ segment: Segment, _ range: Range<Int>) throws {
    guard let codec = UInt8(exactly: frame.detail).flatMap({ Codec(rawValue: $0) }) else {
      throw reader.refusal(.unsupported("codec \(frame.detail)"))
    }
    let idCount = frame.hasID ? Digest.byteCount : 0
    let stored = Int(frame.payloadCount) - idCount
    guard stored > 0, stored <= range.count, codec != .plain || stored == range.count else {
      throw reader.refusal(.impossible("a chunk's stored bytes do not fit its length"))
    }
    if !frame.hasID {
      try fill(segment, range.lowerBound..<range.lowerBound + stored)
      segment.append(range, .chunk(id: nil, codec: codec, storedCount: stored))
      return
    }
    let payload = try reader.payload()
    guard let id = Digest(payload) else {
      throw reader.refusal(.impossible("a chunk without its id"))
    }
    segment.buffer.copy(payload.span.extracting(idCount..<payload.count), to: range.lowerBound)
    segment.append(range, .chunk(id: id, codec: codec, storedCount: stored))
  }

  private func fill(_ segment: Segment, _ range: Range<Int>) throws {
    let buffer = segment.buffer
    var target = buffer.mutableSpan(range)
    try reader.payload(into: &target)
  }

  private func hole(_ frame: Frame) throws {
    let number = try place(frame)
    guard let kind = UInt8(exactly: frame.detail).flatMap({ HoleKind(rawValue: $0) }) else {
      throw reader.refusal(.unsupported("hole kind \(frame.detail)"))
    }
    guard try reader.payload().isEmpty else {
      throw reader.refusal(.impossible("a hole with a payload"))
    }
    let end = frame.offset + frame.length
    let size = volumes[number].header.size
    let step = UInt64(Segment.byteCount)
    var position = frame.offset
    while position < end {
      if position % step == 0 {
        let whole = end == size ? end : end / step * step
        if whole > position {
          release(number)
          let range = position..<whole
          ready.append(.span(HoleSpan(volume: frame.volume, range: range, kind: kind)))
          position = whole
          try advance(number, to: position)
          continue
        }
      }
      let segment = try openSegment(number)
      let start = Int(position - segment.offset)
      let count = Int(min(UInt64(segment.count - start), end - position))
      segment.append(start..<start + count, .hole(kind))
      position += UInt64(count)
      try advance(number, to: position)
    }
  }

  /// The segment that the volume's position lies in; hands on the one before it.
  private func openSegment(_ number: Int) throws -> Segment {
    let volume = volumes[number]
    let start = volume.position / UInt64(Segment.byteCount) * UInt64(Segment.byteCount)
    if let segment = volume.segment, segment.offset == start { return segment }
    release(number)
    openSegments += 1
    guard openSegments <= StreamLimits.openSegments else {
      throw reader.refusal(.impossible("too many segments are begun at once"))
    }
    let segment = pool.take()
    segment.reset(
      volume: UInt32(number), offset: start,
      count: Int(min(UInt64(Segment.byteCount), volume.header.size - start)))
    volumes[number].segment = segment
    return segment
  }

  private func advance(_ number: Int, to position: UInt64) throws {
    volumes[number].position = position
    guard volumes[number].segment?.runs.count ?? 0 <= StreamLimits.runs else {
      throw reader.refusal(.impossible("a segment in too many pieces"))
    }
  }

  /// Hands on a volume's finished segment.
  private func release(_ number: Int) {
    guard let segment = volumes[number].segment else { return }
    volumes[number].segment = nil
    openSegments -= 1
    ready.append(.segment(segment))
    ready += volumes[number].foreign.map { .foreign($0) }
    heldForeign -= volumes[number].foreign.count
    volumes[number].foreign = []
  }

  private func fingerprint(_ frame: Frame) throws {
    let payload = try reader.payload()
    guard Int(frame.volume) < volumes.count, let segment = volumes[Int(frame.volume)].segment,
      segment.offset == frame.offset, UInt64(segment.count) == frame.length,
      volumes[Int(frame.volume)].position == frame.offset + frame.length, payload.count == 24
    else { throw reader.refusal(.impossible("a fingerprint of no segment")) }
    do {
      var cursor = ByteCursor(payload.span, of: "fingerprint", .little)
      let tag = try cursor.u64()
      let low = try cursor.u64()
      let high = try cursor.u64()
      segment.fingerprint = Fingerprint(value: UInt128(high) << 64 | UInt128(low), keyTag: tag)
    } catch {
      throw StreamError.damaged(error)
    }
  }

  private func attachment(_ frame: Frame) throws {
    guard Int(frame.payloadCount) <= Attachment.byteLimit + Attachment.nameLimit + 2 else {
      throw reader.refusal(.impossible("an attachment over the limit"))
    }
    let payload = try reader.payload()
    do {
      var cursor = ByteCursor(payload.span, of: "attachment", at: reader.frameStart + 48, .little)
      let count = Int(try cursor.u16())
      let nameBytes = try cursor.array(count)
      guard count <= Attachment.nameLimit, cursor.remaining <= Attachment.byteLimit,
        let name = String(validating: nameBytes, as: UTF8.self)
      else { throw reader.refusal(.impossible("an attachment beyond the limits")) }
      let bytes = try cursor.array(cursor.remaining)
      ready.append(.attachment(Attachment(name: name, bytes: bytes)))
    } catch let error as FormatError {
      throw StreamError.damaged(error)
    }
  }

  private func text(_ frame: Frame) throws -> String {
    guard Int(frame.payloadCount) <= StreamLimits.text else {
      throw reader.refusal(.impossible("a text over the limit"))
    }
    return String(decoding: try reader.payload(), as: UTF8.self)
  }

  private func seal(_ frame: Frame) throws {
    guard Int(frame.payloadCount) <= StreamLimits.missing + 32 else {
      throw reader.refusal(.impossible("a seal over the limit"))
    }
    let payload = try reader.payload()
    for volume in volumes where volume.position != volume.header.size {
      throw StreamError.badSeal(
        "volume \(volume.header.number) is covered to byte \(volume.position) of "
          + "\(volume.header.size)")
    }
    missing = try reader.finish(
      payload, volumes: volumes.count,
      byteCount: volumes.reduce(0) { $0 + $1.header.size })
    for number in volumes.indices { release(number) }
    finished = true
  }
}
