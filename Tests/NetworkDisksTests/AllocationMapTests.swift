import Blocks
import Platform
import Testing

@testable import NetworkDisks

/// What is made of a server's answers about holes.
struct AllocationMapTests {
  /// A server's answers for a disk of which every second piece is data.
  private static func map(
    size: UInt64, piece: UInt64, answers: Int, alignment: UInt64 = 512
  ) -> AllocationMap {
    AllocationMap(size: size, alignment: alignment) { question in
      #expect(question.lowerBound % alignment == 0)
      var position = question.lowerBound
      return (0..<answers).map { _ in
        let end = (position / piece + 1) * piece
        defer { position = end }
        return .init(byteCount: end - position, isZero: (position / piece) % 2 == 0)
      }
    }
  }

  @Test(arguments: [1, 2, 3, 100])
  func `every piece of data is found, however little an answer tells`(answers: Int) throws {
    let map = Self.map(size: 1 << 20, piece: 1 << 15, answers: answers)
    var found: [Range<UInt64>] = []
    var position: UInt64 = 0
    while let data = try map.nextData(at: position) {
      #expect(data.lowerBound >= position && !data.isEmpty && data.upperBound <= 1 << 20)
      found.append(data)
      position = data.upperBound
    }
    let piece: UInt64 = 1 << 15
    let expected: [Range<UInt64>] = (0..<16).map { index in
      let start = UInt64(index * 2 + 1) * piece
      return start..<start + piece
    }
    #expect(found == expected)
  }

  @Test func `data is found from its middle on`() throws {
    let map = Self.map(size: 1 << 20, piece: 1 << 15, answers: 4)
    #expect(try map.nextData(at: 40001) == 40001..<65536)
    #expect(try map.nextData(at: 1) == 32768..<65536)
    #expect(try map.nextData(at: (1 << 20) - 1) == (1 << 20) - 1..<1 << 20)
    #expect(try map.nextData(at: 1 << 20) == nil)
  }

  @Test func `an answer that is longer than the question ends with it`() throws {
    let answer = try AllocationMap.judge(
      [.init(byteCount: 1000, isZero: true), .init(byteCount: .max >> 1, isZero: false)],
      to: 4096..<8192)
    #expect(answer.range == 4096..<8192)
    #expect(answer.data == [5096..<8192])
  }

  @Test func `data in several ranges is one`() throws {
    let answer = try AllocationMap.judge(
      [
        .init(byteCount: 512, isZero: false), .init(byteCount: 512, isZero: false),
        .init(byteCount: 512, isZero: true), .init(byteCount: 512, isZero: true),
      ], to: 0..<4096)
    #expect(answer.range == 0..<2048)
    #expect(answer.data == [0..<1024])
  }

  @Test func `a server that cannot tell has no holes`() throws {
    #expect(try AllocationMap.judge(nil, to: 512..<4096).data == [512..<4096])
  }

  @Test func `nothing, and ranges of nothing, are refused`() {
    #expect(throws: SourceError.self) { try AllocationMap.judge([], to: 0..<4096) }
    #expect(throws: SourceError.self) {
      try AllocationMap.judge(
        [.init(byteCount: 512, isZero: true), .init(byteCount: 0, isZero: true)], to: 0..<4096)
    }
  }

  @Test func `what an answer does not reach is data`() throws {
    // The question begins at the whole block before, and the answer ends in front of the byte.
    let map = AllocationMap(size: 1 << 16, alignment: 4096) { _ in
      [.init(byteCount: 512, isZero: true)]
    }
    #expect(try map.nextData(at: 5000) == 5000..<65536)
  }
}
