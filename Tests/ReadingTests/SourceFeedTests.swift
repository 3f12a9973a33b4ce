import Blocks
import Bytes
import Platform
import Testing

@testable import Reading

struct SourceFeedTests {
  @Test(arguments: [
    1, 511, 512, 4095, 4096, 4097, 1 << 20, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, (9 << 20) + 7,
  ])
  func `all bytes arrive whatever the size`(count: Int) throws {
    var noise = Noise(UInt64(count))
    let content = noise.bytes(count)
    let scratch = try ScratchFile(content)
    let delivery = try Delivery(SourceFeed([scratch.path], ReadOptions()))
    #expect(delivery.content == [content])
    #expect(delivery.ranges(nil) == [0..<UInt64(count)])
    #expect(delivery.headers[0].name == "disk")
    #expect(delivery.headers[0].format == "raw")
    #expect(delivery.headers[0].sectorSize == 512)
    #expect(delivery.missing == [])
    #expect(delivery.warnings == [])
  }

  @Test func `an empty file is a volume without pieces`() throws {
    let scratch = try ScratchFile()
    let delivery = try Delivery(SourceFeed([scratch.path], ReadOptions()))
    #expect(delivery.itemCount == 1)
    #expect(delivery.headers[0].size == 0)
  }

  @Test func `zeros that are there become holes at whole grains`() throws {
    var content = [UInt8](repeating: 0, count: 10 << 20)
    for place in [5000, 4 << 20, (8 << 20) + 4095, (10 << 20) - 1] { content[place] = 1 }
    let scratch = try ScratchFile(content)
    let delivery = try Delivery(SourceFeed([scratch.path], ReadOptions()))
    #expect(delivery.content == [content])
    let grains: [UInt64] = [4096, 4 << 20, 8 << 20, (10 << 20) - 4096]
    #expect(delivery.ranges(nil) == grains.map { $0..<$0 + 4096 })
  }

  @Test func `a last grain that is not whole is a hole when it is zero`() throws {
    let content = [UInt8](repeating: 7, count: 4096) + [UInt8](repeating: 0, count: 100)
    let scratch = try ScratchFile(content)
    let delivery = try Delivery(SourceFeed([scratch.path], ReadOptions()))
    #expect(delivery.ranges(.zero) == [4096..<4196])
  }

  @Test func `sparse files arrive exactly`() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var noise = Noise(seed)
    for _ in 0..<8 {
      let size = 1 + noise.next() % (20 << 20)
      let scratch = try ScratchFile()
      try scratch.file.truncate(to: size)
      var content = [UInt8](repeating: 0, count: Int(size))
      for _ in 0..<20 {
        let start = Int(noise.next() % size)
        let count = min(1 + Int(noise.next() % 30000), Int(size) - start)
        let bytes = noise.bytes(count)
        content.replaceSubrange(start..<start + count, with: bytes)
        try scratch.write(bytes, at: UInt64(start))
      }
      let delivery = try Delivery(SourceFeed([scratch.path], ReadOptions()))
      #expect(delivery.content == [content], "seed \(seed)")
    }
  }

  @Test func `64 TiB of nothing are one hole`() throws {
    // Some file systems end at 16 TiB; a memory file system takes more.
    for size in [1 << 46, 1 << 43] as [UInt64] {
      let scratch = try ScratchFile()
      do { try scratch.file.truncate(to: size) } catch { continue }
      try scratch.write([1], at: size / 2 + 5)
      let start = Clock.monotonic()
      let delivery = try Delivery(SourceFeed([scratch.path], ReadOptions()), keepsContent: false)
      #expect(delivery.itemCount == 4)
      #expect(delivery.ranges(nil) == [size / 2..<size / 2 + 4096])
      #expect(Clock.monotonic() - start < 1)
      return
    }
  }

  @Test func `several sources come one after the other, headers first`() throws {
    let first = try ScratchFile([1, 2, 3], name: "root.img")
    let second = try ScratchFile([UInt8](repeating: 9, count: 5 << 20), name: "data.tar.img")
    let feed = try SourceFeed([first.path, second.path], ReadOptions())
    let delivery = try Delivery(feed)
    #expect(delivery.headers.map(\.name) == ["root", "data.tar"])
    #expect(delivery.content == [[1, 2, 3], [UInt8](repeating: 9, count: 5 << 20)])
    #expect(feed.byteCount == 5_242_883)
  }

  @Test func `a file that is written to while it is read is told`() throws {
    let scratch = try ScratchFile([1, 2, 3])
    let feed = try SourceFeed([scratch.path], ReadOptions())
    try scratch.write([4], at: 5)
    let delivery = try Delivery(feed)
    #expect(delivery.warnings.count == 1)
    #expect(delivery.warnings.first?.contains("changed while it was read") == true)
    #expect(delivery.content == [[1, 2, 3]])
  }

  @Test func `loading ahead keeps the order`() throws {
    var noise = Noise(5)
    let scratch = try ScratchFile()
    try scratch.file.truncate(to: 200 << 20)
    for place in stride(from: UInt64(0), to: 200 << 20, by: 12 << 20) {
      try scratch.write(noise.bytes(100), at: place)
    }
    let ahead = LoadAhead(try SourceFeed([scratch.path], ReadOptions()), workers: 2, window: 3)
    let delivery = try Delivery(ahead)
    ahead.close()
    #expect(delivery.ranges(nil).count == 17)
    let plain = try Delivery(SourceFeed([scratch.path], ReadOptions()))
    #expect(delivery.content == plain.content)
  }

  // MARK: What is refused

  @Test func `names are checked`() throws {
    let one = try ScratchFile(name: "a.raw")
    let two = try ScratchFile(name: "a.img")
    #expect(throws: ReadingError.self) { try SourceFeed([one.path, two.path], ReadOptions()) }
    for names in [["x"], ["x", "x"], ["x", ""], ["x", "a/b"], ["x", "a:b"], ["x", "a\n"]] {
      #expect(throws: ReadingError.self) {
        try SourceFeed([one.path, two.path], ReadOptions { $0.names = names })
      }
    }
    let feed = try SourceFeed([one.path, two.path], ReadOptions { $0.names = ["x", "y"] })
    #expect(feed.volumes.map(\.header.name) == ["x", "y"])
    #expect(SourceName.stem("/a/.hidden") == ".hidden")
    #expect(SourceName.stem("/dev/sda") == "sda")
  }

  @Test func `what is no disk is refused`() throws {
    for path in ["/tmp", "/dev/null", "/nowhere/at/all"] {
      #expect(throws: ReadingError.self) { try SourceFeed([path], ReadOptions()) }
    }
    #expect(throws: ReadingError.self) { try SourceFeed([], ReadOptions()) }
  }

  @Test func `raw is not guessed where another format's magic is`() throws {
    let scratch = try ScratchFile(Array("KDMV".utf8) + [UInt8](repeating: 1, count: 2000))
    #expect(throws: ReadingError.self) { try SourceFeed([scratch.path], ReadOptions()) }
    let feed = try SourceFeed([scratch.path], ReadOptions { $0.format = "raw" })
    #expect(feed.byteCount == 2004)
    #expect(throws: ReadingError.self) {
      try SourceFeed([scratch.path], ReadOptions { $0.format = "tape" })
    }
  }
}
