import Blocks
import Bytes
import Codecs
import TestSupport
import Testing

@testable import DiskImages

/// What is written of formats, without files; that other programs read it is shown by Tests/interop.
struct LayoutTests {
  /// An image in memory.
  private final class File {
    private(set) var bytes: [UInt8] = []
    /// Whether every byte came behind those before it.
    private(set) var isOrdered = true

    func write(_ piece: [UInt8], at offset: UInt64) {
      if offset < UInt64(bytes.count) { isOrdered = false }
      grow(to: offset + UInt64(piece.count))
      bytes.replaceSubrange(Int(offset)..<Int(offset) + piece.count, with: piece)
    }

    func grow(to count: UInt64) {
      if Int(count) > bytes.count {
        bytes += [UInt8](repeating: 0, count: Int(count) - bytes.count)
      }
    }
  }

  private func filled(_ given: any BlockLayout, _ blocks: [UInt64: [UInt8]]) throws -> File {
    var layout = given
    let file = File()
    for block in blocks.keys.sorted() {
      #expect(layout.dataOffset(block) == nil)
      let place = try layout.allocate(block) { file.write($0, at: $1) }
      #expect(layout.dataOffset(block) == place)
      file.write(blocks[block] ?? [], at: place)
    }
    try layout.finish { file.write($0, at: $1) }
    file.grow(to: layout.byteCount)
    #expect(UInt64(file.bytes.count) == layout.byteCount)
    return file
  }

  private func packed(_ given: any PackedLayout, _ grains: [UInt64: [UInt8]]) throws -> File {
    var layout = given
    let file = File()
    let deflater = Deflater(level: 1)
    try layout.start { file.write($0, at: $1) }
    for grain in grains.keys.sorted() {
      let plain = grains[grain] ?? []
      var room = [UInt8](repeating: 0, count: Deflater.bound(plain.count))
      var target = room.mutableSpan
      let wrapping: Inflater.Wrapping = layout.packing == .zlib ? .zlib : .none
      var count = try #require(deflater.compress(plain.span, wrapping, into: &target))
      let isPacked = layout.packing == .zlib || count < plain.count
      if !isPacked {
        room = plain
        count = plain.count
      }
      let place = try layout.place(grain, count, isPacked: isPacked) { file.write($0, at: $1) }
      file.write(Array(room[0..<count]), at: place)
    }
    try layout.finish { file.write($0, at: $1) }
    file.grow(to: layout.byteCount)
    return file
  }

  /// Expects that `image` holds these blocks, and zeros around them.
  private func expect(
    _ image: some DiskFormat, _ size: UInt64, _ blocks: [UInt64: [UInt8]]
  ) throws {
    #expect(image.size == size)
    var data: UInt64 = 0
    for (block, bytes) in blocks {
      let start = block * UInt64(bytes.count)
      let count = Int(min(UInt64(bytes.count), size - start))
      #expect(try image.bytes(count, at: start) == Array(bytes[0..<count]))
      data += UInt64(count)
    }
    var position: UInt64 = 0
    var found: UInt64 = 0
    while let extent = try image.nextData(at: position) {
      found += extent.upperBound - extent.lowerBound
      position = extent.upperBound
    }
    #expect(found == data)
  }

  private func noise(_ count: Int, _ seed: UInt64) -> [UInt8] {
    var noise = Noise(seed)
    return noise.bytes(count)
  }

  private static let random = (0..<48).map { UInt8($0 * 5) }

  @Test(arguments: [UInt32(512), 4096])
  func `a dynamic VHDX reads as what was put in, over the first bitmap's entry`(
    sectorSize: UInt32
  ) throws {
    // With blocks of 1 MiB, entry 4096 (32768 with large sectors) is the first bitmap's.
    let size: UInt64 = (40 << 30) + 3 * 4096
    let shape = try VHDXShape(
      size: size, blockByteCount: 1 << 20, sectorSize: sectorSize, isFixed: false,
      identifiers: LayoutTests.random)
    let blocks = [
      0: noise(1 << 20, 1), 4095: noise(1 << 20, 2), 4096: noise(1 << 20, 3),
      32768: noise(1 << 20, 4), 40960: noise(1 << 20, 5),
    ].reduce(into: [UInt64: [UInt8]]()) { $0[UInt64($1.key)] = $1.value }
    let file = try filled(VHDXDynamicBlocks(shape), blocks)
    let image = try VHDXImage(opening: MemorySource(file.bytes))
    #expect(image.sectorSize == sectorSize)
    try expect(image, size, blocks)
  }

  @Test func `a fixed VHDX has all its blocks, in order`() throws {
    let shape = try VHDXShape(
      size: 3 << 20, blockByteCount: 2 << 20, sectorSize: 512, isFixed: true,
      identifiers: LayoutTests.random)
    let layout = VHDXFixedLayout(shape)
    let file = File()
    try layout.writeStart { file.write($0, at: $1) }
    #expect(file.isOrdered)
    let disk = noise(3 << 20, 9)
    file.write(disk, at: layout.dataOffset)
    file.grow(to: layout.byteCount)
    #expect(layout.byteCount == 8 << 20)
    let image = try VHDXImage(opening: MemorySource(file.bytes))
    #expect(try image.bytes(3 << 20, at: 0) == disk)
  }

  @Test func `a VHDX that is too large, or has too many blocks, is refused`() {
    for (size, block): (UInt64, UInt64) in [
      ((64 << 40) + 512, 32 << 20), (64 << 40, 4 << 20), ((8 << 40) + 512, 1 << 20),
    ] {
      #expect(throws: LayoutError.self) {
        _ = try VHDXShape(
          size: size, blockByteCount: block, sectorSize: 512, isFixed: false,
          identifiers: LayoutTests.random)
      }
    }
  }

  @Test func `a qcow2 reads as what was put in, from several level 2 tables`() throws {
    let size: UInt64 = (3 << 30) + 512
    let blocks = [
      0: noise(65536, 1), 1: noise(65536, 2), 8191: noise(65536, 3), 8192: noise(65536, 4),
      UInt64(3 << 30) >> 16: noise(65536, 5),
    ].reduce(into: [UInt64: [UInt8]]()) { $0[UInt64($1.key)] = $1.value }
    let file = try filled(QCOW2Blocks(size: size), blocks)
    try expect(QCOW2Image(opening: MemorySource(file.bytes)), size, blocks)
  }

  @Test func `a qcow2 holds compressed clusters side by side, and others as they are`() throws {
    let text = (0..<65536).map { UInt8(truncatingIfNeeded: $0 / 97) }
    var blocks: [UInt64: [UInt8]] = [:]
    for block in 0..<40 { blocks[UInt64(block)] = block % 7 == 3 ? noise(65536, 1) : text }
    blocks[9000] = text
    let file = try packed(QCOW2Packed(size: 1 << 30, .deflate), blocks)
    #expect(file.bytes.count < 20 << 16)
    try expect(QCOW2Image(opening: MemorySource(file.bytes)), 1 << 30, blocks)
  }

  @Test func `a VMDK for streams is written from its first byte to its last`() throws {
    let size: UInt64 = (100 << 20) + 1024
    let text = (0..<65536).map { UInt8(truncatingIfNeeded: $0 / 97) }
    var blocks: [UInt64: [UInt8]] = [0: text, 511: noise(65536, 3), 512: text]
    blocks[size >> 16] = text
    let name = "a \"strange\" name"
    let file = try packed(
      VMDKPacked(size: size, name: name, identifier: Array(LayoutTests.random[0..<16])), blocks)
    #expect(file.isOrdered)
    #expect(file.bytes.suffix(512).allSatisfy { $0 == 0 })
    try expect(VMDKImage(opening: MemorySource(file.bytes)), size, blocks)
  }

  @Test func `a differencing VHD says of each sector whose it is, and where its parent lies`()
    throws
  {
    let size: UInt64 = 3 << 20
    let base = VHDFooter(.fixed, size: size, created: 0, identifier: [UInt8](1...16))
    let footer = VHDFooter(
      .differencing, size: size, created: 0, identifier: [UInt8](2...17))
    var layout = try VHDDifferencingBlocks(
      footer, blockByteCount: 1 << 20,
      parent: VHDParentReference(base, changed: 946_684_805, path: "../a/\u{e4} b.vhd"))
    let file = File()
    let write: StructureWriter = { file.write($0, at: $1) }
    let first = try layout.allocate(0, write)
    layout.mark(0, 1024..<4096)
    let second = try layout.allocate(2, write)
    layout.mark(2, 0..<512)
    layout.mark(2, 1_048_064..<1_048_576)
    #expect(first % 4096 == 0 && second % 4096 == 0 && layout.sectorCount == 8)
    try layout.finish(write)
    file.grow(to: layout.byteCount)
    let bytes = file.bytes
    #expect(bytes[Int(first) - 512] == 0x3F && bytes[Int(first) - 511] == 0)
    #expect(bytes[Int(second) - 512] == 0x80 && bytes[Int(second) - 257] == 0x01)
    let header = try VHDDynamicHeader(parsing: Array(bytes[512..<1536]).span, at: 512)
    #expect(header.checksum == header.computedChecksum)
    #expect(header.parentIdentifier == [UInt8](1...16) && header.parentTimestamp == 5)
    #expect(header.parentName.starts(with: [0, 0xE4, 0, 0x20, 0, 0x62, 0, 0x2E]))
    let source = MemorySource(bytes)
    #expect(
      try VHDImage.parentNames(of: source, header) == ["../a/\u{e4} b.vhd", "\u{e4} b.vhd"])
  }

  @Test func `limits of formats are told`() {
    #expect(throws: LayoutError.self) { _ = try QCOW2Blocks(size: 3 << 50) }
    #expect(throws: LayoutError.self) {
      _ = try VMDKPacked(
        size: 65 << 40, name: "x", identifier: Array(LayoutTests.random[0..<16]))
    }
  }
}
