import Blocks
import Bytes
import TestSupport
import Testing

@testable import DiskImages

struct VHDImageTests {
  @Test func `fixed and dynamic disks read as what was put in`() throws {
    let content = Images.content()
    for file in [Images.fixed(content), try Images.dynamic(content)] {
      #expect(try Images.read(file) == content)
      #expect(try DiskFormats.recognize(MemorySource(file)).name == "vhd")
      #expect(try Images.problems(file).isEmpty)
    }
  }

  @Test func `any piece of a dynamic disk reads alone`() throws {
    let content = Images.content(seed: 5)
    let image = try VHDImage(opening: MemorySource(Images.dynamic(content, block: 512)))
    var noise = Noise(11)
    for _ in 0..<300 {
      let start = noise.below(content.count)
      let count = noise.below(content.count - start + 1)
      #expect(
        try image.bytes(count, at: UInt64(start)) == Array(content[start..<start + count]))
    }
  }

  @Test func `absent blocks are no data`() throws {
    let image = try VHDImage(opening: MemorySource(Images.dynamic(Images.content())))
    #expect(image.blockCount == 3 && image.allocatedBlockCount == 2)
    #expect(try image.nextData(at: 0) == 0..<4096)
    #expect(try image.nextData(at: 512) == 512..<4096)
    #expect(try image.nextData(at: 4096) == 8192..<9728)
    #expect(try image.nextData(at: 9727) == 9727..<9728)
    #expect(try image.nextData(at: 9728) == nil)
  }

  @Test func `data starts at multiples of 4 KiB in the file`() throws {
    var layout = try VHDDynamicLayout(size: 100 << 20, blockByteCount: 2 << 20)
    for block in [7, 0, 49] {
      #expect(try (layout.allocate(block) + 512) % 4096 == 0)
      #expect(layout.dataOffset(block).map { $0 % 4096 } == 0)
    }
    #expect(layout.dataOffset(1) == nil)
  }

  @Test func `a footer of 511 bytes is read`() throws {
    let content = Images.content()
    let file = Array(Images.fixed(content).dropLast())
    #expect(try Images.read(file) == content)
    #expect(try !Images.problems(file).isEmpty)
  }

  @Test func `a differencing disk of which the parent has no name is refused`() throws {
    var footer = Images.footer(.dynamic, 9728)
    footer.type = VHDFooter.Kind.differencing.rawValue
    footer.checksum = footer.computedChecksum
    var file = try Images.dynamic(Images.content())
    file.replaceSubrange(file.count - 512..<file.count, with: footer.bytes)
    let error = #expect(throws: FormatError.self) { _ = try Images.read(file) }
    #expect(error?.reason == .impossible("the parent has no name"))
  }

  @Test func `raw is what nothing else recognizes`() throws {
    let content = Images.noise(4096, seed: 3)
    let disk = try DiskFormats.open(MemorySource(content))
    #expect(type(of: disk).name == "raw")
    #expect(try disk.bytes(4096, at: 0) == content)
    // The first bytes alone do not make a VHD: a guest may have put them there.
    let cookie = Array("conectix".utf8) + content
    #expect(try DiskFormats.recognize(MemorySource(cookie)).name == "raw")
  }

  @Test func `a dynamic disk without its end is refused, not taken for raw`() throws {
    let file = Array(try Images.dynamic(Images.content()).dropLast(4096))
    let source = MemorySource(file)
    #expect(try DiskFormats.recognize(source).name == "vhd")
    #expect(throws: FormatError.self) { _ = try VHDImage(opening: source) }
  }

  @Test func `tables of impossible size are refused without being read`() throws {
    for (entries, block, size) in [
      (UInt32.max, UInt32(512), UInt64(1) << 56), (UInt32.max, 2 << 20, 9728),
      (1 << 25, 512, 1 << 34), (2, 4096, 9728), (3, 4097, 9728), (3, 0, 9728),
      (3, 1 << 31, 9728),
    ] {
      var file = try Images.dynamic(Images.content())
      var header = VHDDynamicHeader(tableOffset: 1536, entryCount: entries, blockByteCount: block)
      header.checksum = header.computedChecksum
      file.replaceSubrange(512..<1536, with: header.bytes)
      let footer = Images.footer(.dynamic, size).bytes
      file.replaceSubrange(file.count - 512..<file.count, with: footer)
      let error = #expect(throws: FormatError.self) { _ = try Images.read(file) }
      #expect(error?.structure == "VHD dynamic header", "\(entries) \(block) \(size)")
    }
  }

  @Test func `blocks outside the file or on each other are refused`() throws {
    let whole = try Images.dynamic(Images.content())
    for sector in [0, 1, 2, 3, 20, 4000, 0x7fff_ffff, 0xffff_fffe] as [UInt32] {
      var file = whole
      for index in 0..<4 {
        file[1536 + index] = UInt8(truncatingIfNeeded: sector >> UInt32((3 - index) * 8))
      }
      #expect(throws: FormatError.self, "sector \(sector)") { _ = try Images.read(file) }
    }
    var twice = whole
    for index in 0..<4 { twice[1540 + index] = twice[1536 + index] }
    #expect(throws: FormatError.self) { _ = try Images.read(twice) }
  }
}

/// What every disk format owes its callers, checked for each one registered.
struct DiskFormatSuite {
  @Test(arguments: DiskFormats.all.map { $0.name })
  func `noise is refused and never traps`(name: String) throws {
    let format = try #require(DiskFormats.named(name))
    for (index, length) in [0, 1, 7, 8, 511, 512, 513, 1023, 1024, 4096].enumerated() {
      let noise = MemorySource(Images.noise(length, seed: UInt64(index)))
      if try format.recognizes(noise) {
        let disk = try format.init(opening: noise)
        _ = try disk.bytes(Int(disk.size), at: 0)
      } else {
        #expect(throws: FormatError.self) { _ = try format.init(opening: noise) }
      }
    }
  }

  @Test func `raw stays last`() { #expect(DiskFormats.all.last?.name == "raw") }
}
