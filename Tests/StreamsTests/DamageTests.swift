import Blocks
import Bytes
import TestSupport
import Testing

@testable import Streams

/// Accidents: a damaged stream is never taken for a whole one.
struct DamageTests {
  static let whole = try? Streams.written(Everything.feed())

  @Test func `every truncation is an error`() throws {
    let whole = try #require(Self.whole)
    for count in 0..<whole.count {
      let refusal = try #require(
        Streams.refusal(Array(whole[..<count])), "the first \(count) bytes were taken")
      guard case .notSealed = refusal else {
        // An empty input is no stream that somebody began.
        #expect(count == 0, "\(count) bytes: \(refusal)")
        continue
      }
    }
  }

  @Test func `every flipped byte is an error`() throws {
    let whole = try #require(Self.whole)
    for place in whole.indices {
      var damaged = whole
      damaged[place] ^= place % 3 == 0 ? 0x01 : place % 3 == 1 ? 0x80 : 0xff
      #expect(Streams.refusal(damaged) != nil, "byte \(place) of \(whole.count)")
    }
  }

  @Test func `bytes after the seal are an error`() throws {
    let whole = try #require(Self.whole)
    #expect(complaint(whole + [0]) == "the stream's seal is wrong: bytes follow it")
    #expect(complaint(whole + whole) == "the stream's seal is wrong: bytes follow it")
  }

  @Test func `text-mode copying shows`() throws {
    let whole = try #require(Self.whole)
    #expect(complaint(whole.flatMap { $0 == 10 ? [13, 10] : [$0] }).contains("copied as text"))
    #expect(complaint(whole.filter { $0 != 13 }).contains("copied as text"))
    #expect(complaint(whole.map { $0 & 0x7f }).contains("copied as text"))
    #expect(complaint([UInt8](repeating: 1, count: 100)).contains("not the expected signature"))
  }

  @Test func `lost, repeated and moved frames show`() throws {
    let frames = sample().frames
    let prelude = sample().prelude.bytes
    for place in frames.indices {
      var lost = frames
      lost.remove(at: place)
      #expect(Streams.refusal(prelude + lost.joined()) != nil, "frame \(place) lost")
      var repeated = frames
      repeated.insert(frames[place], at: place)
      #expect(Streams.refusal(prelude + repeated.joined()) != nil, "frame \(place) repeated")
      for other in frames.indices where other != place {
        var moved = frames
        moved.swapAt(place, other)
        #expect(Streams.refusal(prelude + moved.joined()) != nil, "\(place) and \(other) swapped")
      }
    }
  }

  /// A frame with the right number of another stream is foreign all the same.
  @Test func `frames of another stream show`() throws {
    let own = sample()
    let other = sample(id: 8)
    #expect(own.frames != other.frames)
    for place in own.frames.indices {
      var frames = own.frames
      frames[place] = other.frames[place]
      #expect(Streams.refusal(own.prelude.bytes + frames.joined()) != nil, "frame \(place)")
    }
    #expect(Streams.refusal(own.prelude.bytes + other.frames.joined()) != nil)
  }

  @Test func `an abort frame tells who failed`() throws {
    let bytes = try Streams.written { writer in
      try writer.volume(VolumeHeader(number: 0, size: 512))
      try writer.abort("vread: disk.raw: gone")
    }
    #expect(complaint(bytes) == "the stage before this one failed: vread: disk.raw: gone")
  }

  @Test func `other versions are refused`() throws {
    var stream = sample().bytes
    stream[16] = 2
    #expect(complaint(stream).contains("stream version 2 is not supported"))
  }

  private func sample(id: UInt8 = 7) -> HandStream {
    var stream = HandStream(id: id)
    stream.volume(1000)
    stream.data(0, at: 0, Noise.bytes(500, seed: 1))
    stream.data(0, at: 500, Noise.bytes(500, seed: 2))
    return stream.sealed()
  }

  private func complaint(_ bytes: [UInt8]) -> String {
    Streams.refusal(bytes).map { "\($0)" } ?? ""
  }
}
