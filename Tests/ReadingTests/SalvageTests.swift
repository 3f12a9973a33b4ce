import Blocks
import Bytes
import Platform
import Testing

@testable import Reading

/// A disk with sectors that cannot be read.
final class FaultyDisk: BlockSource {
  let content: [UInt8]
  let faults: [Range<UInt64>]
  let sectorSize: UInt32
  let reads = Locked(0)
  var size: UInt64 { UInt64(content.count) }

  init(_ content: [UInt8], faults: [Range<UInt64>], sectorSize: UInt32 = 512) {
    self.content = content
    self.faults = faults
    self.sectorSize = sectorSize
  }

  func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    reads.with { $0 += 1 }
    let range = offset..<offset + UInt64(bytes.count)
    if faults.contains(where: { $0.overlaps(range) }) {
      throw SourceError(range, .unreadable(SystemError("read", code: 5)))
    }
    let all = content
    bytes.copy(all.span.extracting(Int(offset)..<Int(range.upperBound)), to: 0)
  }

  func nextData(at offset: UInt64) throws -> Range<UInt64>? { offset..<size }
}

struct SalvageTests {
  static func feed(_ disk: FaultyDisk, _ scratch: ScratchFile, salvage: Bool = true) throws
    -> SourceFeed
  {
    let opened = OpenedDisk(file: try InputFile(scratch.path), disk: disk, format: "raw")
    let options = ReadOptions { $0.salvage = salvage }
    let volume = SourceVolume(opened, number: 0, name: "disk", options)
    return SourceFeed(volumes: [volume], options)
  }

  static func content(_ count: Int) -> [UInt8] {
    var noise = Noise(3)
    return noise.bytes(count)
  }

  @Test func `without salvage an unreadable sector ends the feed`() throws {
    let disk = FaultyDisk(SalvageTests.content(9 << 20), faults: [5 << 20..<(5 << 20) + 1])
    let feed = try SalvageTests.feed(disk, ScratchFile(), salvage: false)
    #expect(throws: ReadingError.self) { try Delivery(feed, keepsContent: false) }
  }

  @Test(arguments: [512, 4096])
  func `with salvage only the bad sectors are missing`(sector: UInt64) throws {
    var content = SalvageTests.content((9 << 20) + 700)
    let size = UInt64(content.count)
    let faults: [Range<UInt64>] = [
      512..<513, (4 << 20) - 1..<(4 << 20) + 1, (5 << 20) + 4096..<(5 << 20) + 8192,
      size - 1..<size,
    ]
    let disk = FaultyDisk(content, faults: faults, sectorSize: UInt32(sector))
    let delivery = try Delivery(SalvageTests.feed(disk, ScratchFile()))
    let bad = faults.map {
      $0.lowerBound / sector * sector..<min(($0.upperBound + sector - 1) / sector * sector, size)
    }
    #expect(delivery.ranges(.bad) == bad)
    #expect(
      delivery.missing
        == bad.map { "disk: bytes \($0.lowerBound) to \($0.upperBound) could not be read" })
    for range in bad {
      for place in range { content[Int(place)] = 0 }
    }
    #expect(delivery.content == [content])
  }

  @Test func `a disk that is all bad is tried a bounded number of times`() throws {
    let disk = FaultyDisk([UInt8](repeating: 1, count: 1 << 20), faults: [0..<1 << 20])
    let delivery = try Delivery(SalvageTests.feed(disk, ScratchFile()))
    #expect(delivery.ranges(.bad) == [0..<1 << 20])
    #expect(delivery.missing == ["disk: bytes 0 to 1048576 could not be read"])
    #expect(disk.reads.with { $0 } == 4 + 256 + 2048)
  }

  @Test func `many separate faults are told in a bounded list`() throws {
    let faults = (0..<1000).map { UInt64($0) * 8192..<UInt64($0) * 8192 + 1 }
    let disk = FaultyDisk(SalvageTests.content(8192 * 1000), faults: faults)
    let delivery = try Delivery(SalvageTests.feed(disk, ScratchFile()))
    #expect(delivery.ranges(.bad).count == 1000)
    #expect(delivery.missing.count == MissingRanges.rangeLimit + 1)
    #expect(delivery.missing.last == "disk: \(744 * 512) more bytes could not be read")
  }

  // MARK: Sources that shrink

  @Test(arguments: [0, 1, 4096, (5 << 20) + 777, 8 << 20, (9 << 20) - 1])
  func `a file that becomes shorter is never taken for one with a hole`(left: UInt64) throws {
    let content = SalvageTests.content(9 << 20)
    let scratch = try ScratchFile(content)
    let feed = try SourceFeed([scratch.path], ReadOptions())
    try scratch.file.truncate(to: left)
    #expect(throws: ReadingError.self) { try Delivery(feed, keepsContent: false) }

    try scratch.write(content, at: 0)
    let salvaging = try SourceFeed([scratch.path], ReadOptions { $0.salvage = true })
    try scratch.file.truncate(to: left)
    let delivery = try Delivery(salvaging)
    #expect(delivery.ranges(.bad) == [left..<9 << 20])
    #expect(delivery.ranges(nil) == (left > 0 ? [0..<left] : []))
    #expect(delivery.missing == ["disk: bytes \(left) to \(9 << 20) could not be read"])
    #expect(Array(delivery.content[0][0..<Int(left)]) == Array(content[0..<Int(left)]))
    #expect(delivery.warnings.count == 1)
  }

  @Test func `a sparse file that becomes shorter ends without a read for every segment`() throws {
    let scratch = try ScratchFile([1])
    try scratch.file.truncate(to: 1 << 43)
    let feed = try SourceFeed([scratch.path], ReadOptions { $0.salvage = true })
    try scratch.file.truncate(to: 6 << 20)
    let delivery = try Delivery(feed, keepsContent: false)
    #expect(delivery.ranges(.bad) == [6 << 20..<1 << 43])
    #expect(delivery.itemCount < 6)
  }
}
