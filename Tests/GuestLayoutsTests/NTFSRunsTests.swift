import Bytes
import Testing

@testable import GuestLayouts

/// Lists of runs, LZNT1 and names.
struct NTFSRunsTests {
  private func runs(
    _ bytes: [UInt8], first: UInt64 = 0, last: UInt64, clusters: UInt64 = 0x2000
  ) throws -> NTFSRuns {
    var runs = NTFSRuns(clusterCount: clusters, clusterSize: 4096, from: first)
    try runs.append(bytes.span, first: first, last: last, at: 0)
    return runs
  }

  @Test func `runs go forwards and backwards and have holes`() throws {
    let list: [UInt8] = [0x31, 0x01, 0x00, 0x10, 0x00, 0x21, 0x02, 0x10, 0x00, 0x11, 0x30, 0xFE, 0]
    var found = try runs(list, last: 0x32).runs
    #expect(
      found == [
        .init(virtual: 0, cluster: 0x1000, count: 1), .init(virtual: 1, cluster: 0x1010, count: 2),
        .init(virtual: 3, cluster: 0x100E, count: 0x30),
      ])
    found = try runs([0x11, 2, 5, 0x01, 7, 0x11, 1, 3, 0], last: 9).runs
    #expect(
      found == [
        .init(virtual: 0, cluster: 5, count: 2), .init(virtual: 9, cluster: 8, count: 1),
      ])
  }

  @Test func `runs that touch are one, and an attribute without clusters has none`() throws {
    #expect(try runs([0x11, 2, 5, 0x11, 3, 2, 0], last: 4).runs.count == 1)
    #expect(try runs([0], last: .max).runs.isEmpty)
  }

  @Test(
    arguments: [
      [0x11, 0, 5, 0], [0x11, 0xFF, 5, 0], [0x10, 5, 0], [0x11, 2],
      [0x91, 2, 1, 1, 1, 1, 1, 1, 1, 1],
      [0x11, 2, 0xFF, 0], [0x21, 2, 0xFF, 0x1F, 0], [0x21, 1, 0, 0x20, 0],
      [0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0],
      [0x81, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0], [0x11, 3, 5, 0], [0],
    ] as [[UInt8]])
  func `runs that cannot be are refused`(list: [UInt8]) {
    #expect(throws: FormatError.self) { try runs(list, last: 1) }
  }

  @Test func `more runs than there can be are refused`() throws {
    var list: [UInt8] = []
    for _ in 0..<1024 { list += [0x11, 1, 4, 0x11, 1, 0xFC] }
    var runs = NTFSRuns(clusterCount: 1 << 20, clusterSize: 4096)
    let bytes = [0x11, 1, 9] + list + [0]
    for piece in 0..<UInt64(NTFSRuns.limit / 2049) {
      try runs.append(bytes.span, first: piece * 2049, last: piece * 2049 + 2048, at: 0)
    }
    #expect(throws: FormatError.self) {
      for _ in 0..<3 { try runs.append(bytes.span, first: runs.end, last: runs.end + 2048, at: 0) }
    }
  }

  // MARK: LZNT1

  @Test func `the example of the specification is decompressed`() throws {
    let input: [UInt8] = [
      0x38, 0xB0, 0x88, 0x46, 0x23, 0x20, 0x00, 0x20, 0x47, 0x20, 0x41, 0x00, 0x10, 0xA2, 0x47,
      0x01, 0xA0, 0x45, 0x20, 0x44, 0x00, 0x08, 0x45, 0x01, 0x50, 0x79, 0x00, 0xC0, 0x45, 0x20,
      0x05, 0x24, 0x13, 0x88, 0x05, 0xB4, 0x02, 0x4A, 0x44, 0xEF, 0x03, 0x58, 0x02, 0x8C, 0x09,
      0x16, 0x01, 0x48, 0x45, 0x00, 0xBE, 0x00, 0x9E, 0x00, 0x04, 0x01, 0x18, 0x90, 0x00,
    ]
    let text =
      "F# F# G A A G F# E D D E F# F# E E F# F# G A A G F# E D D E F# E D D E E F# D E F# G F# D E "
      + "F# G F# E D E A F# F# G A A G F# E D D E F# E D D\0"
    let output = try LZNT1.decompressed(input.span, count: 200, at: 0)
    #expect(String(decoding: output.prefix(text.utf8.count), as: UTF8.self) == text)
    #expect(output.dropFirst(text.utf8.count).allSatisfy { $0 == 0 })
  }

  @Test func `chunks are stored or compressed, and zeros follow the last`() throws {
    var input: [UInt8] = [0xFF, 0x3F] + [UInt8](repeating: 7, count: 4096)
    // A byte as it is, then 4,095 copies of it.
    input += [0x03, 0xB0, 0x02, 0x41, 0xFC, 0x0F]
    let output = try LZNT1.decompressed(input.span, count: 3 * 4096, at: 0)
    #expect(output[0..<4096].allSatisfy { $0 == 7 })
    #expect(output[4096..<8192].allSatisfy { $0 == 0x41 })
    #expect(output[8192...].allSatisfy { $0 == 0 })
  }

  @Test(
    arguments: [
      [0x03, 0x80, 0, 0, 0, 0], [0x05, 0xB0, 0, 1, 2], [0x02, 0xB0, 0x01, 0x00, 0x00],
      [0x03, 0xB0, 0x02, 0x41, 0x00, 0x10], [0x03, 0xB0, 0x02, 0x41, 0xFF, 0x0F],
      [0x02, 0xB0, 0x02, 0x41, 0x00],
    ] as [[UInt8]])
  func `what no compressor writes is refused`(input: [UInt8]) {
    #expect(throws: FormatError.self) {
      _ = try LZNT1.decompressed(input.span, count: 4096, at: 0)
    }
  }

  @Test func `noise never traps`() {
    var noise = Noise(3)
    for _ in 0..<20_000 {
      let count = Int.random(in: 0...80, using: &noise)
      var input = (0..<count).map { _ in UInt8.random(in: 0...255, using: &noise) }
      if count > 2 { (input[0], input[1]) = (UInt8(count - 3), 0xB0) }
      _ = try? LZNT1.decompressed(input.span, count: Int(noise.next() % 9000), at: 0)
    }
  }

  // MARK: Names

  @Test func `names become UTF-8, and halves of pairs stay what they are`() {
    let units = Array("aä€😀".utf16)
    #expect(NTFSNames.bytes(units) == Array("aä€😀".utf8))
    #expect(NTFSNames.bytes([0xD83D]) == [0xED, 0xA0, 0xBD])
    #expect(NTFSNames.bytes([0xDE00, 0xD83D, 0x41]) == [0xED, 0xB8, 0x80, 0xED, 0xA0, 0xBD, 0x41])
  }
}
