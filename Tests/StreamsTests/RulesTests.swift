import Blocks
import Bytes
import TestSupport
import Testing

@testable import Streams

/// Streams with right checks that break a rule of docs/stream-format.md.
struct RulesTests {
  private static let step = UInt64(Segment.byteCount)
  private static let block = [UInt8](repeating: 1, count: 512)

  /// What reading says of a stream that `body` makes, sealed.
  private func complaint(_ body: (inout HandStream) -> Void) -> String {
    var stream = HandStream()
    body(&stream)
    stream.seal()
    return Streams.complaint(stream)
  }

  /// The same, after a volume of `size` bytes.
  private func inVolume(_ size: UInt64, _ body: (inout HandStream) -> Void) -> String {
    complaint {
      $0.volume(size)
      body(&$0)
    }
  }

  @Test func `an unknown critical frame is refused, another is passed on`() {
    var unknown = Frame(.hole)
    unknown.type = 77
    #expect(
      inVolume(0) { $0.add(unknown, Self.block) }.contains(
        "critical frame type 77 is not supported"))
    unknown.flags = 0
    #expect(inVolume(0) { $0.add(unknown, Self.block) } == "")
  }

  @Test func `unknown frames follow the segment that they came in`() throws {
    func unknown(_ detail: UInt32) -> Frame {
      var frame = Frame(.hole, volume: 0, offset: 5, length: 6, detail: detail)
      frame.type = 77
      frame.flags = 2
      return frame
    }
    var stream = HandStream()
    stream.add(unknown(0), Self.block)
    stream.volume(2 * Self.step)
    stream.data(0, at: 0, Self.block)
    stream.add(unknown(1), Self.block)
    stream.hole(0, at: 512, Self.step - 512)
    stream.add(unknown(2))
    stream.add(Frame(.fingerprint, length: Self.step), [UInt8](repeating: 3, count: 24))
    stream.hole(0, at: Self.step, Self.step)
    stream.add(unknown(3))
    stream.seal()
    let scratch = try Scratch()
    let feed = try StreamFeed(try scratch.file("stream", stream.bytes))
    var order: [String] = []
    let copy = try Streams.written { writer in
      while let item = try feed.next() {
        switch item {
        case .foreign(let frame): order.append("\(frame.detail)")
        case .segment: order.append("segment")
        case .span: order.append("span")
        default: order.append("volume")
        }
        try writer.item(item)
      }
      try writer.seal(missing: [])
    }
    #expect(order == ["0", "volume", "segment", "1", "2", "span", "3"])
    let got = try Streams.read(copy).foreign
    #expect(
      got
        == (0..<4).map {
          ForeignFrame(
            type: 77, flags: 2, volume: 0, offset: 5, length: 6, detail: $0,
            payload: $0 < 2 ? Self.block : [])
        })
  }

  @Test func `unknown frames have limits`() {
    var unknown = Frame(.hole)
    unknown.type = 77
    unknown.flags = 0
    let large = [UInt8](repeating: 1, count: StreamLimits.foreignPayload + 1)
    #expect(inVolume(0) { $0.add(unknown, large) }.contains("unknown frame over the limit"))
    func several(_ count: Int) -> String {
      inVolume(1024) {
        $0.data(0, at: 0, Self.block)
        for _ in 0..<count { $0.add(unknown, Self.block) }
        $0.data(0, at: 512, Self.block)
      }
    }
    #expect(several(256) == "")
    #expect(several(257).contains("too many unknown frames"))
  }

  @Test func `offsets leave no gap and no overlap`() {
    let expected = "offset 1024 where 512 should be"
    #expect(
      inVolume(2048) {
        $0.data(0, at: 0, Self.block)
        $0.data(0, at: 1024, Self.block)
      }.contains(expected))
    #expect(
      inVolume(2048) {
        $0.data(0, at: 0, Self.block)
        $0.data(0, at: 0, Self.block)
      }.contains("offset 0 where 512 should be"))
    #expect(inVolume(2048) { $0.hole(0, at: .max, 1) }.contains("should be"))
  }

  @Test func `lengths fit the volume`() {
    #expect(inVolume(100) { $0.data(0, at: 0, Self.block) }.contains("does not fit the volume"))
    #expect(inVolume(100) { $0.hole(0, at: 0, .max) }.contains("does not fit the volume"))
    #expect(inVolume(100) { $0.hole(0, at: 0, 0) }.contains("does not fit the volume"))
    #expect(inVolume(100) { $0.data(0, at: 0, []) }.contains("does not fit the volume"))
    #expect(inVolume(0) { $0.hole(0, at: 0, 1) }.contains("does not fit the volume"))
  }

  @Test func `length and payload of data are the same`() {
    var frame = Frame(.data, length: 600)
    #expect(inVolume(1024) { $0.add(frame, Self.block) }.contains("differ"))
    frame = Frame(.data, length: 400)
    #expect(inVolume(1024) { $0.add(frame, Self.block) }.contains("differ"))
  }

  @Test func `a frame of data stays within its segment`() {
    let text = inVolume(2 * Self.step) {
      $0.hole(0, at: 0, Self.step - 100)
      $0.data(0, at: Self.step - 100, Self.block)
    }
    #expect(text.contains("crosses a segment's end"))
  }

  @Test func `payloads have a limit`() {
    var frame = Frame(.data, length: 512)
    frame.payloadCount = StreamLimits.payload + 1
    var stream = HandStream()
    stream.volume(512)
    frame.sequence = 1
    stream.frames.append(HandStream.bytes(frame, []))
    #expect(Streams.complaint(stream).contains("is over the limit"))
    frame.payloadCount = .max
    stream.frames[1] = HandStream.bytes(frame, [])
    #expect(Streams.complaint(stream).contains("is over the limit"))
  }

  @Test func `volumes come in order, are announced and are not too many`() {
    #expect(complaint { $0.hole(0, at: 0, 1) }.contains("volume 0 was not announced"))
    #expect(
      complaint { $0.add(Frame(.volume, volume: 1, length: 0)) }.contains("out of order"))
    #expect(
      inVolume(0) { $0.add(Frame(.volume, volume: 0, length: 0)) }.contains("out of order"))
    #expect(complaint { for _ in 0..<64 { $0.volume(0) } } == "")
    #expect(complaint { for _ in 0..<65 { $0.volume(0) } }.contains("more than 64 volumes"))
  }

  @Test func `volumes have limits`() {
    #expect(complaint { $0.volume(VolumeHeader.sizeLimit + 1) }.contains("beyond the limits"))
    #expect(complaint { $0.volume(.max) }.contains("beyond the limits"))
    let long = Array("a=".utf8) + [UInt8](repeating: 0x61, count: 65536) + [0]
    #expect(complaint { $0.volume(0, fields: long) }.contains("beyond the limits"))
  }

  @Test(arguments: ["name", "name=x", "\0", "a=b\0c\0", "a=b\0c"])
  func `malformed fields are refused`(text: String) {
    #expect(complaint { $0.volume(0, fields: Array(text.utf8)) }.contains("malformed fields"))
  }

  @Test func `fields that are no UTF-8 are refused`() {
    let bytes: [UInt8] = Array("a=".utf8) + [0xff, 0]
    #expect(complaint { $0.volume(0, fields: bytes) }.contains("malformed fields"))
  }

  @Test func `no more than 32 volumes have a segment begun`() {
    let texts = [32, 33].map { count in
      complaint { stream in
        for _ in 0..<count { stream.volume(1024) }
        for volume in 0..<UInt32(count) { stream.data(volume, at: 0, Self.block) }
        for volume in 0..<UInt32(count) { stream.data(volume, at: 512, Self.block) }
      }
    }
    #expect(texts[0] == "")
    #expect(texts[1].contains("too many segments are begun at once"))
  }

  @Test func `hole kinds and codecs are those that are known`() {
    for kind: UInt32 in [0, 7, 257, .max] {
      #expect(
        inVolume(512) { $0.hole(0, at: 0, 512, kind) }.contains("hole kind \(kind) is not"))
    }
    #expect(
      inVolume(512) { $0.add(Frame(.hole, length: 512, detail: 1), [0]) }
        .contains("a hole with a payload"))
    for codec: UInt32 in [2, 256, .max] {
      #expect(
        inVolume(512) { $0.add(Frame(.chunk, length: 512, detail: codec), Self.block) }
          .contains("codec \(codec) is not supported"))
    }
  }

  @Test func `a chunk's stored bytes fit its length`() {
    let wrong = "stored bytes do not fit its length"
    func chunk(_ length: UInt64, _ stored: Int, _ codec: UInt32, hasID: Bool) -> String {
      inVolume(1024) {
        $0.add(
          Frame(.chunk, length: length, detail: codec, hasID: hasID),
          [UInt8](repeating: 1, count: stored))
        $0.hole(0, at: length, 1024 - length)
      }
    }
    #expect(chunk(512, 511, 0, hasID: false).contains(wrong))
    #expect(chunk(512, 513, 0, hasID: false).contains(wrong))
    #expect(chunk(512, 513, 1, hasID: false).contains(wrong))
    #expect(chunk(512, 0, 1, hasID: false).contains(wrong))
    #expect(chunk(512, 32, 1, hasID: true).contains(wrong))
    #expect(chunk(512, 31, 1, hasID: true).contains(wrong))
    #expect(chunk(512, 0, 1, hasID: true).contains(wrong))
    #expect(chunk(512, 512 + 33, 0, hasID: true).contains(wrong))
    #expect(chunk(512, 512 + 32, 0, hasID: true) == "")
    #expect(chunk(512, 40, 1, hasID: false) == "")
  }

  @Test(arguments: [0, 31, 33, 64])
  func `a reference is an id and nothing else`(count: Int) {
    let text = inVolume(512) {
      $0.add(Frame(.reference, length: 512), [UInt8](repeating: 1, count: count))
    }
    #expect(text.contains("a reference without an id"))
  }

  @Test func `a fingerprint belongs to the segment before it`() {
    let right = [UInt8](repeating: 3, count: 24)
    func text(_ offset: UInt64, _ length: UInt64, _ payload: [UInt8]) -> String {
      inVolume(512) {
        $0.data(0, at: 0, Self.block)
        $0.add(Frame(.fingerprint, offset: offset, length: length), payload)
      }
    }
    #expect(text(0, 512, right) == "")
    #expect(text(0, 511, right).contains("a fingerprint of no segment"))
    #expect(text(Self.step, 512, right).contains("a fingerprint of no segment"))
    #expect(text(0, 512, right + [0]).contains("a fingerprint of no segment"))
    #expect(
      complaint { $0.add(Frame(.fingerprint), right) }.contains("a fingerprint of no segment"))
  }

  @Test func `attachments and texts have limits`() {
    func attachment(_ count: UInt16, _ rest: [UInt8]) -> String {
      complaint {
        $0.add(Frame(.attachment), [UInt8(count & 255), UInt8(count >> 8)] + rest)
      }
    }
    #expect(attachment(1, [0x61]) == "")
    #expect(attachment(2, [0x61]).contains("truncated"))
    #expect(attachment(1, [0xff]).contains("beyond the limits"))
    let name = [UInt8](repeating: 0x61, count: 1025)
    #expect(attachment(1025, name).contains("beyond the limits"))
    #expect(complaint { $0.add(Frame(.attachment)) }.contains("truncated"))
    let text = [UInt8](repeating: 0x61, count: StreamLimits.text + 1)
    #expect(complaint { $0.add(Frame(.warning), text) }.contains("over the limit"))
    #expect(complaint { $0.add(Frame(.abort), text) }.contains("over the limit"))
  }

  @Test func `the seal fits what came before it`() {
    func text(_ change: @escaping (inout HandStream.Seal) -> Void) -> String {
      var stream = HandStream()
      stream.volume(512)
      stream.data(0, at: 0, Self.block)
      stream.seal(change)
      return Streams.complaint(stream)
    }
    #expect(text { _ in } == "")
    #expect(text { $0.frames += 1 }.contains("3 frames, counted 2"))
    #expect(text { $0.bytes -= 1 }.contains("511 bytes, counted 512"))
    #expect(text { $0.digest ^= 1 }.contains("wrong digest"))
    #expect(text { $0.volumes = 2 }.contains("2 volumes, counted 1"))
    #expect(text { $0.verdict = 1 }.contains("verdict 1"))
    #expect(text { $0.verdict = 2 }.contains("verdict 2"))
    #expect(text { $0.missing = Array("x\0".utf8) }.contains("verdict 0"))
    #expect(
      text {
        $0.verdict = 1
        $0.missing = Array("x".utf8)
      }.contains("verdict 1"))
    // What is incomplete must say what is missing, or it would be taken for complete.
    #expect(
      text {
        $0.verdict = 1
        $0.missing = [0]
      }.contains("verdict 1"))
  }

  @Test func `a volume that is not covered to its end has no valid seal`() {
    #expect(
      inVolume(1024) { $0.data(0, at: 0, Self.block) }
        .contains("volume 0 is covered to byte 512 of 1024"))
  }

  @Test func `a segment has no more runs than its map can hold`() {
    let text = inVolume(Self.step) {
      for place in 0..<9000 { $0.data(0, at: UInt64(place), [1]) }
      $0.hole(0, at: 9000, Self.step - 9000)
    }
    // Plain bytes join; chunks do not.
    #expect(text == "")
    let chunks = inVolume(Self.step) {
      for place in 0..<9000 { $0.add(Frame(.chunk, offset: UInt64(place), length: 1), [1]) }
      $0.hole(0, at: 9000, Self.step - 9000)
    }
    #expect(chunks.contains("in too many pieces"))
  }

  /// Small input, large claims: memory follows what arrives.
  @Test func `noise after the prelude is refused`() {
    let seed = freshSeed()
    var noise = Noise(seed)
    for turn in 0..<300 {
      let stream = HandStream().bytes + noise.bytes(noise.below(400))
      #expect(Streams.refusal(stream) != nil, "seed \(seed), turn \(turn)")
    }
  }
}
