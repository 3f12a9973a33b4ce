import Blocks
import Testing

@testable import GuestLayouts

struct FreeSpaceTests {
  private func clear(_ bytes: [UInt8], _ count: Int) -> [Range<Int>] {
    var runs: [Range<Int>] = []
    BitRuns.forEachClear(in: bytes.span, count: count) { runs.append($0) }
    return runs
  }

  @Test func `clear bits come in runs, the least significant first`() {
    #expect(clear([0xFF, 0x00, 0x0F], 24) == [8..<16, 20..<24])
    #expect(clear([0b1111_0110], 8) == [0..<1, 3..<4])
    #expect(clear([0, 0], 11) == [0..<11])
    #expect(clear([0, 0xFE], 9) == [0..<9])
    #expect(clear([], 8) == [])
  }

  @Test func `bits beyond the bitmap are not clear`() {
    #expect(clear([0], 100) == [0..<8])
  }

  @Test func `runs are those that looking at each bit finds`() {
    var noise = Noise(7)
    for _ in 0..<200 {
      let bytes = (0..<9).map { _ in
        [0, 0xFF, UInt8.random(in: 0...255, using: &noise)][Int.random(in: 0...2, using: &noise)]
      }
      let count = Int.random(in: 0...72, using: &noise)
      var expected = ExtentSet()
      for bit in 0..<count where bytes[bit / 8] >> UInt8(bit % 8) & 1 == 0 {
        expected.insert(UInt64(bit)..<UInt64(bit + 1))
      }
      #expect(
        clear(bytes, count).map { UInt64($0.lowerBound)..<UInt64($0.upperBound) } == expected.ranges
      )
      #expect(BitRuns.clearCount(in: bytes.span, count: count) == Int(expected.byteCount))
    }
  }

  @Test func `of too many ranges the smallest are given up`() {
    var free = FreeSpace(limit: 10)
    for index in 0..<UInt64(100) {
      free.add(index * 1000..<index * 1000 + (index % 10 == 3 ? 64 : 1))
    }
    #expect(free.byteCount == 10 * 64 + 90)
    #expect(free.extents.ranges.count == 10)
    #expect(free.extents.byteCount == 640)
  }

  @Test func `ranges that touch are one`() {
    var free = FreeSpace(limit: 2)
    for index in 0..<UInt64(100) { free.add(index..<index + 1) }
    #expect(free.extents.ranges == [0..<100])
  }
}
