import Blocks
import Bytes
import Testing

@testable import Reading

struct SkippingTests {
  /// A swap area from `start` on, in a disk of noise with an MBR around it.
  static func disk(_ byteCount: Int, swapAt start: Int, sectors: Int) -> [UInt8] {
    var noise = Noise(11)
    var bytes = noise.bytes(byteCount)
    func set(_ place: Int, _ value: Int) {
      for index in 0..<4 { bytes[place + index] = UInt8(truncatingIfNeeded: value >> (index * 8)) }
    }
    bytes.replaceSubrange(446..<510, with: [UInt8](repeating: 0, count: 64))
    bytes[450] = 0x82
    set(454, start / 512)
    set(458, sectors)
    bytes[510] = 0x55
    bytes[511] = 0xAA
    set(start + 1024, 1)
    set(start + 1028, sectors / 8 - 1)
    set(start + 1032, 0)
    bytes.replaceSubrange(start + 4086..<start + 4096, with: Array("SWAPSPACE2".utf8))
    return bytes
  }

  @Test(arguments: [63 * 512, 1 << 20, (4 << 20) + 512, (8 << 20) - 65536])
  func `swap is left out in whole sectors and all else arrives`(start: Int) throws {
    let sectors = 11 << 11
    let content = SkippingTests.disk(32 << 20, swapAt: start, sectors: sectors)
    let scratch = try ScratchFile(content)
    let plain = try Delivery(SourceFeed([scratch.path], ReadOptions()))
    #expect(plain.content == [content])
    #expect(plain.headers[0]["skip"] == "zero")

    let options = ReadOptions { $0.skip = [.zero, .swap] }
    let delivery = try Delivery(SourceFeed([scratch.path], options))
    #expect(delivery.warnings == [])
    #expect(delivery.headers[0]["skip"] == "zero,swap")
    let low = start + 65536
    let high = start + sectors * 512
    #expect(delivery.ranges(.swap) == [UInt64(low)..<UInt64(high)])
    var expected = content
    expected.replaceSubrange(low..<high, with: [UInt8](repeating: 0, count: high - low))
    #expect(delivery.content == [expected])
  }

  @Test func `swap in sparse files costs one piece`() throws {
    let content = SkippingTests.disk(2 << 20, swapAt: 1 << 20, sectors: 1 << 24)
    let scratch = try ScratchFile(content)
    try scratch.file.truncate(to: 16 << 30)
    let options = ReadOptions { $0.skip = [.zero, .swap] }
    let delivery = try Delivery(SourceFeed([scratch.path], options), keepsContent: false)
    let start: UInt64 = 1 << 20
    #expect(delivery.ranges(.swap) == [start + 65536..<start + 8 << 30])
    #expect(delivery.itemCount == 5)
  }

  @Test func `a layout's damage is told`() throws {
    var content = SkippingTests.disk(4 << 20, swapAt: 1 << 20, sectors: 1 << 11)
    content[450 + 16] = 0x05
    content[454 + 16] = 1
    content[458 + 16] = 1
    let scratch = try ScratchFile(content)
    let quiet = try Delivery(SourceFeed([scratch.path], ReadOptions()))
    #expect(quiet.warnings == [])
    let options = ReadOptions { $0.skip = [.zero, .swap] }
    let delivery = try Delivery(SourceFeed([scratch.path], options))
    #expect(delivery.warnings == ["disk: extended partition 2: no boot record at sector 1"])
  }

  @Test func `typed extents keep the first kind and stay apart`() {
    func set(_ ranges: Range<UInt64>...) -> ExtentSet {
      var set = ExtentSet()
      for range in ranges { set.insert(range.lowerBound << 12..<range.upperBound << 12) }
      return set
    }
    var extents = TypedExtents()
    extents.add(set(10..<20, 30..<40), .swap, size: 100 << 12)
    extents.add(set(0..<5, 8..<12, 15..<16, 18..<33, 39..<50, 60..<70), .free, size: 65 << 12)
    let grains = extents.extents.map {
      "\($0.range.lowerBound >> 12)-\($0.range.upperBound >> 12) \($0.kind)"
    }
    #expect(
      grains == [
        "0-5 free", "8-10 free", "10-20 swap", "20-30 free", "30-40 swap", "40-50 free",
        "60-65 free",
      ])
  }

  @Test func `typed extents shrink to sectors except at the end, and small ones are none`() {
    var set = ExtentSet()
    set.insert(1..<2500)
    set.insert(5000..<8191)
    set.insert(9000..<20_001)
    var extents = TypedExtents()
    extents.add(set, .swap, size: 20_001)
    #expect(extents.extents.map(\.range) == [5120..<7680, 9216..<20_001])
  }
}
