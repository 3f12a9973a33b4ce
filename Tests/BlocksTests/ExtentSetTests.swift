import Blocks
import TestSupport
import Testing

/// Sets of extents against a naive model.
struct ExtentSetTests {
  /// A set of numbers as ranges.
  private func ranges(_ members: Set<UInt64>) -> [Range<UInt64>] {
    var result: [Range<UInt64>] = []
    for member in members.sorted() {
      if let last = result.last, last.upperBound == member {
        result[result.count - 1] = last.lowerBound..<member + 1
      } else {
        result.append(member..<member + 1)
      }
    }
    return result
  }

  @Test func `a set holds what was inserted, sorted and joined`() {
    let seed = freshSeed()
    var noise = Noise(seed)
    for turn in 0..<300 {
      var set = ExtentSet()
      var members: Set<UInt64> = []
      for _ in 0..<noise.below(25) {
        let start = UInt64(noise.below(120))
        let range = start..<start + UInt64(noise.below(12))
        set.insert(range)
        members.formUnion(range)
      }
      let note = "seed \(seed), turn \(turn)"
      #expect(set.ranges == ranges(members), "\(note)")
      #expect(set.byteCount == UInt64(members.count), "\(note)")
      let low = UInt64(noise.below(130))
      let window = low..<low + UInt64(noise.below(60))
      #expect(set.intersection(window) == ranges(members.intersection(window)), "\(note)")
    }
  }

  @Test func `the edges of the address space`() {
    var set = ExtentSet()
    set.insert(UInt64.max - 1..<UInt64.max)
    set.insert(0..<1)
    #expect(set.intersection(0..<UInt64.max).count == 2)
    set.insert(0..<UInt64.max)
    #expect(set.ranges == [0..<UInt64.max])
    #expect(set.intersection(5..<5) == [])
  }

  @Test func `windows and memory are read where they should be`() throws {
    let content = Noise.bytes(5000, seed: 1)
    let source = MemorySource(content)
    let window = WindowSource(source, 1000..<3000)
    #expect(window.size == 2000)
    #expect(try window.bytes(2000, at: 0) == Array(content[1000..<3000]))
    #expect(try window.bytes(1, at: 2000) == nil)
    #expect(try window.bytes(0, at: 2000) == [])
    #expect(try window.bytes(1, at: .max) == nil)
    #expect(try window.nextData(at: 10) == 10..<2000)
    #expect(try window.nextData(at: 2000) == nil)
  }
}
