import Bytes
import TestSupport
import Testing

/// Finding zeros and comparing, with all the odd edges of wide loads.
struct ZerosTests {
  @Test func `one byte anywhere is seen, whatever the place and length`() {
    let buffer = Buffer(count: 400)
    buffer.clear(0..<400)
    for start in [0, 1, 7, 8, 63] {
      for count in 0..<200 {
        let range = start..<start + count
        #expect(isZero(buffer, range))
        // Bytes just outside do not matter.
        poke(buffer, range.upperBound, 1)
        if start > 0 { poke(buffer, start - 1, 1) }
        #expect(isZero(buffer, range))
        poke(buffer, range.upperBound, 0)
        if start > 0 { poke(buffer, start - 1, 0) }
        for place in range {
          poke(buffer, place, 0x80)
          if isZero(buffer, range) { Issue.record("\(range), byte \(place)") }
          poke(buffer, place, 0)
        }
      }
    }
  }

  private func isZero(_ buffer: Buffer, _ range: Range<Int>) -> Bool {
    Zeros.isZero(buffer.span(range))
  }

  private func poke(_ buffer: Buffer, _ place: Int, _ value: UInt8) {
    var span = buffer.mutableSpan(place..<place + 1)
    span[0] = value
  }

  @Test(arguments: [0, 1, 7, 8, 63, 64, 65, 127, 128, 200])
  func `one differing byte anywhere is seen`(count: Int) {
    let left = Noise.bytes(count, seed: 1)
    #expect(same(left, left))
    #expect(!same(left, left + [0]))
    for place in 0..<count {
      var right = left
      right[place] ^= 1
      #expect(!same(left, right), "byte \(place)")
    }
  }

  private func same(_ left: [UInt8], _ right: [UInt8]) -> Bool { areEqual(left.span, right.span) }

  /// Runs as a naive walk over grains finds them.
  private func naive(_ bytes: [UInt8]) -> [(Range<Int>, Bool)] {
    var result: [(Range<Int>, Bool)] = []
    for start in stride(from: 0, to: bytes.count, by: Zeros.grain) {
      let end = min(start + Zeros.grain, bytes.count)
      let isZero = bytes[start..<end].allSatisfy { $0 == 0 }
      if let last = result.last, last.1 == isZero {
        result[result.count - 1].0 = last.0.lowerBound..<end
      } else {
        result.append((start..<end, isZero))
      }
    }
    return result
  }

  @Test func `runs of zero grains are found`() {
    let seed = freshSeed()
    var noise = Noise(seed)
    for turn in 0..<100 {
      var bytes = [UInt8](repeating: 0, count: noise.below(12 * Zeros.grain))
      for _ in 0..<noise.below(6) where !bytes.isEmpty { bytes[noise.below(bytes.count)] = 1 }
      var runs: [(Range<Int>, Bool)] = []
      Zeros.forEachRun(bytes.span) { runs.append(($0, $1)) }
      let wanted = naive(bytes)
      #expect(runs.map(\.0) == wanted.map(\.0), "seed \(seed), turn \(turn)")
      #expect(runs.map(\.1) == wanted.map(\.1), "seed \(seed), turn \(turn)")
    }
  }

  @Test func `buffers are copied and cleared where they should be`() {
    let buffer = Buffer(count: 100)
    buffer.clear(0..<100)
    let bytes: [UInt8] = [1, 2, 3]
    buffer.copy(bytes.span, to: 97)
    buffer.copy(bytes.span.extracting(0..<0), to: 100)
    buffer.clear(98..<99)
    let copied = [UInt8](buffer.span(95..<100))
    #expect(copied == [0, 0, 1, 0, 3])
    var array = [UInt8](repeating: 9, count: 5)
    var span = array.mutableSpan
    span.copy(bytes.span, to: 1)
    #expect(array == [9, 1, 2, 3, 9])
    #expect(Buffer(count: 0).count == 0)
  }
}
