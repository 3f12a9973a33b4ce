import Blocks
import Bytes
import TestSupport
import Testing

/// Segments' runs.
struct SegmentTests {
  @Test func `neighbours of one kind are joined, chunks never`() {
    let segment = Segment()
    segment.reset(volume: 0, offset: 0, count: 1000)
    segment.append(0..<10, .data)
    segment.append(10..<20, .data)
    segment.append(20..<20, .hole(.zero))
    segment.append(20..<30, .hole(.zero))
    segment.append(30..<40, .hole(.zero))
    segment.append(40..<50, .hole(.free))
    for start in [50, 60] {
      segment.append(start..<start + 10, .chunk(id: nil, codec: .plain, storedCount: 10))
    }
    #expect(
      segment.runs.map(\.range) == [0..<20, 20..<40, 40..<50, 50..<60, 60..<70])
    #expect(segment.solidHole == nil)
    segment.reset(volume: 1, offset: UInt64(Segment.byteCount), count: 100)
    #expect(segment.runs.isEmpty)
    segment.append(0..<50, .hole(.swap))
    segment.append(50..<100, .hole(.swap))
    #expect(segment.solidHole == .swap)
  }

  @Test func `a segment is loaded once`() throws {
    let segment = Segment()
    segment.reset(volume: 0, offset: 0, count: 10)
    segment.loader = { $0.append(0..<10, .data) }
    try segment.load()
    try segment.load()
    #expect(segment.runs.count == 1)
  }

  @Test func `fields of a volume are found by name`() {
    var header = VolumeHeader(number: 3, size: 1)
    #expect(header.name == "disk3")
    #expect(header.sectorSize == 512)
    header.sectorSize = 4096
    header["name"] = "root"
    header["x"] = "1"
    header["x"] = nil
    #expect(header.fields == [.init("sector-size", "4096"), .init("name", "root")])
    header["sector-size"] = "many"
    #expect(header.sectorSize == 512)
  }
}
