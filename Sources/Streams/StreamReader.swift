internal import Bytes
internal import Codecs
internal import Platform

/// Reads frames and proves, frame by frame and at the seal, that the stream is whole.
///
/// Takes nothing on trust: lengths are compared with their limits before anything is allocated,
/// and a payload is handed out only after its check.
final class StreamReader {
  private let input: FileDescriptor
  private let prelude: Prelude
  private let ahead = Buffer(count: 256 << 10)
  private var aheadRange = 0..<0
  private var sequence: UInt64 = 0
  private var digest: UInt64
  private var place: UInt64 = 0
  private var current: Frame?

  /// Where the current frame's header starts in the stream, in bytes.
  private(set) var frameStart: UInt64 = 0

  /// Reads and checks the prelude.
  init(_ input: FileDescriptor) throws {
    self.input = input
    input.widenPipe()
    var bytes = [UInt8](repeating: 0, count: Prelude.byteCount)
    var span = bytes.mutableSpan
    let got = try input.readFully(into: &span)
    if got < Prelude.byteCount, Prelude.magic.starts(with: bytes[0..<min(got, 16)]) {
      throw StreamError.notSealed(at: UInt64(got))
    }
    do {
      prelude = try Prelude(parsing: bytes.span)
    } catch {
      throw StreamError.damaged(error)
    }
    digest = prelude.check
    place = UInt64(Prelude.byteCount)
  }

  /// The next frame's header; its payload must be read before the next call.
  func next() throws -> Frame {
    precondition(current == nil)
    frameStart = place
    var header = [UInt8](repeating: 0, count: Frame.byteCount)
    var span = header.mutableSpan
    let got = try read(into: &span)
    guard got == Frame.byteCount else { throw StreamError.notSealed(at: place) }
    let frame: Frame
    do {
      frame = try Frame(parsing: header.span, at: frameStart)
    } catch {
      throw StreamError.damaged(error)
    }
    if frame.payloadCount > StreamLimits.payload {
      throw refusal(.impossible("a payload of \(frame.payloadCount) bytes is over the limit"))
    }
    if frame.sequence != sequence {
      throw refusal(
        .impossible("frame \(frame.sequence) where frame \(sequence) should be"))
    }
    current = frame
    return frame
  }

  /// Reads the current frame's payload, whose size `target` has, and checks the frame.
  func payload(into target: inout MutableSpan<UInt8>) throws {
    guard let frame = current else { preconditionFailure("no frame") }
    precondition(target.count == Int(frame.payloadCount))
    let got = try read(into: &target)
    guard got == target.count else { throw StreamError.notSealed(at: place) }
    let computed = frame.expectedCheck(target.span, seed: prelude.check)
    guard computed == frame.check else {
      throw refusal(.badChecksum(stored: frame.check, computed: computed))
    }
    // The seal carries the digest of what is before it.
    if frame.kind != .seal { digest = StreamWriter.advance(digest, with: frame.check) }
    sequence += 1
    current = nil
  }

  /// The current frame's payload as an array.
  func payload() throws -> [UInt8] {
    guard let frame = current else { preconditionFailure("no frame") }
    var bytes = [UInt8](repeating: 0, count: Int(frame.payloadCount))
    var span = bytes.mutableSpan
    try payload(into: &span)
    return bytes
  }

  /// Checks a seal's payload, and that nothing follows it.
  ///
  /// - Returns: What is missing of the source.
  func finish(_ seal: [UInt8], volumes: Int, byteCount: UInt64) throws -> [String] {
    let missing: [String]
    do {
      var cursor = ByteCursor(seal.span, of: "stream seal", at: frameStart + 48, .little)
      try check(cursor.u64(), sequence - 1, "frames")
      try check(cursor.u64(), byteCount, "bytes")
      guard try cursor.u64() == digest else { throw StreamError.badSeal("wrong digest") }
      try check(UInt64(cursor.u32()), UInt64(volumes), "volumes")
      let verdict = try cursor.u32()
      let texts = try cursor.array(cursor.remaining)
      missing = texts.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
      guard verdict <= 1, (verdict == 1) == !texts.isEmpty, missing.isEmpty == texts.isEmpty,
        texts.last ?? 0 == 0
      else {
        throw StreamError.badSeal("verdict \(verdict)")
      }
    } catch let error as FormatError {
      throw StreamError.damaged(error)
    }
    var extra: [UInt8] = [0]
    var span = extra.mutableSpan
    if try read(into: &span) > 0 { throw StreamError.badSeal("bytes follow it") }
    return missing
  }

  private func check(_ stored: UInt64, _ counted: UInt64, _ what: String) throws {
    if stored != counted { throw StreamError.badSeal("\(stored) \(what), counted \(counted)") }
  }

  /// An error at the current frame.
  func refusal(_ reason: FormatError.Reason) -> StreamError {
    .damaged(FormatError("stream frame", at: frameStart, reason))
  }

  /// Fills `target`, from what was read ahead first; large requests bypass the buffer.
  private func read(into target: inout MutableSpan<UInt8>) throws -> Int {
    let ahead = ahead
    var done = 0
    while done < target.count {
      if aheadRange.isEmpty {
        if target.count - done >= ahead.count {
          done += try input.readFully(into: &target, from: done)
          break
        }
        var space = ahead.mutableSpan(0..<ahead.count)
        let got = try input.read(into: &space)
        if got == 0 { break }
        aheadRange = 0..<got
      }
      let count = min(aheadRange.count, target.count - done)
      target.copy(ahead.span(aheadRange.lowerBound..<aheadRange.lowerBound + count), to: done)
      aheadRange = aheadRange.lowerBound + count..<aheadRange.upperBound
      done += count
    }
    place += UInt64(done)
    return done
  }
}
