import Blocks
import Testing

@testable import Reading

/// A point that held the even segments of the volume `disk`.
private final class EvenSegments: Baseline {
  let point = "p1"

  func covers(_ name: String, size: UInt64) -> Bool { true }
  func isUnchanged(_ segment: Segment, ofVolume name: String) -> Bool {
    name == "disk" && segment.offset / UInt64(Segment.byteCount) % 2 == 0
  }
}

struct BaselineTests {
  @Test func `segments that the point holds become unchanged holes`() throws {
    let scratch = try ScratchFile([UInt8](repeating: 5, count: 11 << 20))
    let options = ReadOptions { $0.baseline = EvenSegments() }
    let delivery = try Delivery(SourceFeed([scratch.path], options))
    #expect(delivery.headers[0].base == "p1")
    #expect(delivery.ranges(.unchanged) == [0..<4 << 20, 8 << 20..<11 << 20])
    #expect(delivery.ranges(nil) == [4 << 20..<8 << 20])
  }

  @Test func `a segment with a bad sector is never unchanged`() throws {
    let disk = FaultyDisk([UInt8](repeating: 5, count: 1 << 20), faults: [0..<1])
    let scratch = try ScratchFile()
    let opened = OpenedDisk(file: try InputFile(scratch.path), disk: disk, format: "raw")
    let options = ReadOptions {
      $0.baseline = EvenSegments()
      $0.salvage = true
    }
    let volume = SourceVolume(opened, number: 0, name: "disk", options)
    let delivery = try Delivery(SourceFeed(volumes: [volume], options))
    #expect(delivery.ranges(.unchanged) == [])
    #expect(delivery.ranges(.bad) == [0..<512])
  }
}
