public import Blocks
internal import Bytes
internal import Codecs
public import Platform

/// Writes volumes as a sealed stream.
///
/// Small frames are gathered; a large payload goes out straight from where it lies. Nothing is
/// whole before `seal`, and only the caller knows when that may be written.
public final class StreamWriter {
  private static let gatherLimit = 128 << 10
  private static let directPayload = 16 << 10

  private let output: FileDescriptor
  private let prelude: Prelude
  private let gathered = Buffer(
    count: StreamWriter.gatherLimit + StreamWriter.directPayload + Frame.byteCount)
  private var gatheredCount = 0
  private var sequence: UInt64 = 0
  private var digest: UInt64
  private var volumes: UInt32 = 0
  private var volumeBytes: UInt64 = 0
  private static let noPayload: [UInt8] = []

  /// How many bytes have been handed over.
  public private(set) var byteCount: UInt64 = 0

  /// - Parameters:
  ///   - output: Where the stream goes; a pipe is widened.
  ///   - id: The stream's id, 16 bytes; random unless a test gives it.
  public init(_ output: FileDescriptor, id: [UInt8]? = nil) throws(SystemError) {
    self.output = output
    output.widenPipe()
    if let id { prelude = Prelude(id: id) } else { prelude = Prelude(id: try Random.bytes(16)) }
    digest = prelude.check
    let bytes = prelude.bytes
    gather(bytes.span)
    byteCount = UInt64(bytes.count)
  }

  public func volume(_ header: VolumeHeader) throws(SystemError) {
    let payload = header.fieldBytes
    try frame(
      Frame(.volume, volume: header.number, length: header.size, payloadCount: payload.count),
      payload.span)
    volumes += 1
    volumeBytes += header.size
  }

  /// Writes a loaded segment's runs, and its fingerprint if it has one.
  public func segment(_ segment: Segment) throws(SystemError) {
    for run in segment.runs { try self.run(run, of: segment) }
    // A segment that is one hole arrives as a span, which has no place for a fingerprint.
    if let fingerprint = segment.fingerprint, segment.solidHole == nil {
      try write(fingerprint, of: segment)
    }
  }

  public func span(_ span: HoleSpan) throws(SystemError) {
    try frame(
      Frame(
        .hole, volume: span.volume, offset: span.range.lowerBound,
        length: span.range.upperBound - span.range.lowerBound,
        detail: UInt32(span.kind.rawValue)), StreamWriter.noPayload.span)
  }

  public func attachment(_ attachment: Attachment) throws(SystemError) {
    let name = Array(attachment.name.utf8)
    var builder = ByteBuilder(.little)
    builder.u16(UInt16(name.count))
    builder.raw(name)
    builder.raw(attachment.bytes)
    try frame(
      Frame(
        .attachment, length: UInt64(attachment.bytes.count), payloadCount: builder.bytes.count),
      builder.bytes.span)
  }

  public func warning(_ text: String) throws(SystemError) {
    try message(.warning, text)
  }

  /// Tells the next stage that this one failed; the stream can never be sealed after it.
  public func abort(_ reason: String) throws(SystemError) {
    try message(.abort, reason)
    try flush()
  }

  /// Ends the stream.
  ///
  /// Call it only when everything before went well, the seal of the own input included.
  ///
  /// - Parameter missing: What could not be read of the source; empty means complete.
  public func seal(missing: [String]) throws(SystemError) {
    var texts: [UInt8] = []
    for text in missing {
      let bytes = Array(text.utf8.prefix(StreamLimits.text)) + [0]
      if texts.count + bytes.count > StreamLimits.missing { break }
      texts += bytes
    }
    var builder = ByteBuilder(.little)
    builder.u64(sequence)
    builder.u64(volumeBytes)
    builder.u64(digest)
    builder.u32(volumes)
    builder.u32(missing.isEmpty ? 0 : 1)
    builder.raw(texts)
    try frame(Frame(.seal, payloadCount: builder.bytes.count), builder.bytes.span)
    try flush()
  }

  /// Hands over what has been gathered.
  public func flush() throws(SystemError) {
    guard gatheredCount > 0 else { return }
    let buffer = gathered
    try output.write(buffer.span(0..<gatheredCount))
    gatheredCount = 0
  }

  /// Passes on one thing that a feed delivered; segments must be loaded.
  public func item(_ item: FeedItem) throws(SystemError) {
    switch item {
    case .volume(let header): try volume(header)
    case .segment(let segment): try self.segment(segment)
    case .span(let span): try self.span(span)
    case .attachment(let attachment): try self.attachment(attachment)
    case .warning(let text): try warning(text)
    case .foreign(let frame): try self.frame(Frame(frame), frame.payload.span)
    }
  }

  private func message(_ kind: Frame.Kind, _ text: String) throws(SystemError) {
    let bytes = Array(text.utf8.prefix(StreamLimits.text))
    try frame(Frame(kind, payloadCount: bytes.count), bytes.span)
  }

  private func run(_ run: Segment.Run, of segment: Segment) throws(SystemError) {
    let place = segment.offset + UInt64(run.range.lowerBound)
    let length = UInt64(run.range.count)
    let buffer = segment.buffer
    switch run.content {
    case .hole(let kind):
      try frame(
        Frame(
          .hole, volume: segment.volume, offset: place, length: length,
          detail: UInt32(kind.rawValue)), StreamWriter.noPayload.span)
    case .data:
      try frame(
        Frame(
          .data, volume: segment.volume, offset: place, length: length,
          payloadCount: run.range.count), buffer.span(run.range))
    case .chunk(let id, let codec, let storedCount):
      let start = run.range.lowerBound
      try chunk(
        Frame(
          id != nil && storedCount == 0 ? .reference : .chunk, volume: segment.volume,
          offset: place, length: length,
          payloadCount: storedCount + (id == nil ? 0 : Digest.byteCount),
          detail: UInt32(codec.rawValue), hasID: id != nil && storedCount > 0),
        id, buffer.span(start..<start + storedCount))
    }
  }

  /// A chunk with an id has a payload in two pieces; it is made one, as the check wants it.
  private func chunk(_ frame: Frame, _ id: Digest?, _ stored: Span<UInt8>) throws(SystemError) {
    guard let id else { return try self.frame(frame, stored) }
    var payload = id.bytes
    payload.append(stored)
    try self.frame(frame, payload.span)
  }

  private func write(_ fingerprint: Fingerprint, of segment: Segment) throws(SystemError) {
    var builder = ByteBuilder(.little, capacity: 24)
    builder.u64(fingerprint.keyTag)
    builder.u64(UInt64(truncatingIfNeeded: fingerprint.value))
    builder.u64(UInt64(truncatingIfNeeded: fingerprint.value >> 64))
    try frame(
      Frame(
        .fingerprint, volume: segment.volume, offset: segment.offset,
        length: UInt64(segment.count), payloadCount: builder.bytes.count), builder.bytes.span)
  }

  private func frame(_ frame: Frame, _ payload: Span<UInt8>) throws(SystemError) {
    var frame = frame
    frame.sequence = sequence
    frame.check = frame.expectedCheck(payload, seed: prelude.check)
    sequence += 1
    digest = StreamWriter.advance(digest, with: frame.check)
    var builder = ByteBuilder(.little, capacity: Frame.byteCount)
    builder.raw(frame.unchecked())
    builder.u64(frame.check)
    let header = builder.bytes
    gather(header.span)
    byteCount += UInt64(header.count + payload.count)
    if payload.count >= StreamWriter.directPayload {
      let buffer = gathered
      try output.write(buffer.span(0..<gatheredCount), payload)
      gatheredCount = 0
      return
    }
    gather(payload)
    if gatheredCount >= StreamWriter.gatherLimit { try flush() }
  }

  private func gather(_ bytes: Span<UInt8>) {
    gathered.copy(bytes, to: gatheredCount)
    gatheredCount += bytes.count
  }

  /// The running digest after a frame with `check`.
  static func advance(_ digest: UInt64, with check: UInt64) -> UInt64 {
    var builder = ByteBuilder(.little, capacity: 8)
    builder.u64(check)
    return Checksum.of(builder.bytes, seed: digest)
  }
}

extension VolumeHeader {
  /// The fields as a volume frame carries them: `key=value`, each ended by a NUL.
  var fieldBytes: [UInt8] {
    fields.flatMap { Array("\($0.key)=\($0.value)".utf8.filter { $0 != 0 }) + [0] }
  }

  /// Parses what `fieldBytes` made.
  static func parseFields(_ bytes: [UInt8]) -> [Field]? {
    if bytes.isEmpty { return [] }
    guard bytes.last == 0 else { return nil }
    var fields: [Field] = []
    for part in bytes.dropLast().split(separator: 0, omittingEmptySubsequences: false) {
      guard let equals = part.firstIndex(of: UInt8(ascii: "=")),
        let key = String(validating: part[..<equals], as: UTF8.self),
        let value = String(validating: part[(equals + 1)...], as: UTF8.self)
      else { return nil }
      fields.append(Field(key, value))
    }
    return fields
  }
}
