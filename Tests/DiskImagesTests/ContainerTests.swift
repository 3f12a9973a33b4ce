import Blocks
import Bytes
import Platform
import TestSupport
import Testing

@testable import DiskImages

/// The parts of containers that need no other program's images; those are in Tests/interop.
struct ContainerTests {
  @Test func `GUIDs stand in a file with their first three fields turned round`() {
    let id = GUID("2DC27766-F623-4200-9D64-115E9BFD4A08")
    #expect(
      id.bytes == [
        0x66, 0x77, 0xC2, 0x2D, 0x23, 0xF6, 0x00, 0x42, 0x9D, 0x64, 0x11, 0x5E, 0x9B, 0xFD, 0x4A,
        0x08,
      ])
    #expect(id.description == "2dc27766-f623-4200-9d64-115e9bfd4a08")
  }

  @Test func `the checksum of VHDX is Castagnoli's`() {
    var running = RunningCRC32(.castagnoli)
    running.add(Array("12345".utf8))
    running.add(Array("6789".utf8))
    #expect(running.value == 0xE306_9283)
  }

  /// A file of which some bytes cannot be read.
  private final class Unreadable: BlockSource {
    private let source: MemorySource
    private let range: Range<UInt64>
    var size: UInt64 { source.size }
    var sectorSize: UInt32 { 512 }

    init(_ bytes: [UInt8], _ range: Range<UInt64>) {
      source = MemorySource(bytes)
      self.range = range
    }

    func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
      let wanted = offset..<offset + UInt64(bytes.count)
      if wanted.overlaps(range) { throw SourceError(wanted, .ended) }
      try source.read(into: &bytes, at: offset)
    }

    func nextData(at offset: UInt64) throws -> Range<UInt64>? { offset..<size }
  }

  @Test func `the older header of a VHDX serves for a damaged one, never for an unreadable one`()
    throws
  {
    func header(_ sequence: UInt8) -> [UInt8] {
      var bytes = Array("head".utf8) + [UInt8](repeating: 0, count: 4092)
      bytes[8] = sequence
      bytes[66] = 1
      let checksum = VHDXChecksum.checksum(of: bytes)
      for index in 0..<4 { bytes[4 + index] = UInt8(truncatingIfNeeded: checksum >> (8 * index)) }
      return bytes
    }
    var file = [UInt8](repeating: 0, count: 1 << 20)
    file.replaceSubrange(65536..<65536 + 4096, with: header(1))
    file.replaceSubrange(131072..<131072 + 4096, with: header(2))
    #expect(try VHDXImage.header(of: MemorySource(file)).sequence == 2)
    #expect(throws: SourceError.self) {
      _ = try VHDXImage.header(of: Unreadable(file, 131072..<131073))
    }
    file[131072 + 100] ^= 1
    #expect(try VHDXImage.header(of: MemorySource(file)).sequence == 1)
    file[65536 + 100] ^= 1
    #expect(throws: FormatError.self) { _ = try VHDXImage.header(of: MemorySource(file)) }
  }

  @Test func `a VMDK's descriptor is read as leniently as writers need it`() throws {
    let text = """
      # Disk DescriptorFile\r
      Version = 1\r
      CID=fffffffe
      parentCID = FFFFFFFF
      createType="twoGbMaxExtentFlat"
      # Extent description
      RW 4192256 FLAT "disk one-f001.vmdk" 0
      RDONLY  100   FLAT   "d.vmdk"   63
      RW 2048 ZERO
      ddb.adapterType = "lsilogic"
      """
    let descriptor = try VMDKDescriptor(
      parsing: Array(text.utf8) + [UInt8](repeating: 0, count: 100), at: 512)
    #expect(descriptor.createType == "twoGbMaxExtentFlat")
    #expect(descriptor.parentIdentifier == nil)
    #expect(try descriptor.size == (4_192_256 + 100 + 2048) * 512)
    #expect(
      descriptor.extents == [
        .init(
          access: .readWrite, sectors: 4_192_256, kind: "FLAT", file: "disk one-f001.vmdk", start: 0
        ),
        .init(access: .readOnly, sectors: 100, kind: "FLAT", file: "d.vmdk", start: 63),
        .init(access: .readWrite, sectors: 2048, kind: "ZERO", file: "", start: 0),
      ])
    for line in [
      "RW x FLAT", "RW 1 FLAT \"open", "RW 1 FLAT \"a\" x", "RW 9999999999999999 ZERO", "# none",
      "encoding=\"Shift_JIS\"\nRW 1 FLAT \"\u{e9}\" 0",
    ] {
      #expect(throws: FormatError.self) {
        _ = try VMDKDescriptor(parsing: Array("# Disk DescriptorFile\n\(line)".utf8), at: 0)
      }
    }
    let western =
      Array("# Disk DescriptorFile\nencoding = \"windows-1252\"\nRW 1 FLAT \"".utf8) + [0xE9, 0x80]
      + Array("\" 0".utf8)
    #expect(try VMDKDescriptor(parsing: western, at: 0).extents[0].file == "\u{e9}\u{20ac}")
    #expect(throws: FormatError.self) { _ = try VMDKDescriptor(parsing: [1, 2, 3], at: 0) }
  }

  @Test func `pages are made once while they are kept`() {
    let cache = PageCache(byteLimit: 2)
    let owner = cache.newOwner()
    var made: [UInt64] = []
    for number: UInt64 in [1, 2, 1, 2, 3, 2, 1] {
      let page = cache.page(number, of: owner) {
        made.append(number)
        return [UInt8(number)]
      }
      #expect(page == [UInt8(number)])
    }
    #expect(made == [1, 2, 3, 1])
    // Another image's page of the same number is another one, and one that is too large is kept, alone.
    #expect(cache.page(1, of: cache.newOwner()) { [7, 7, 7] } == [7, 7, 7])
    #expect(cache.page(1, of: owner) { [9] } == [9])
  }

  @Test(arguments: [0, 1, 63, 64, 65, 100, 191])
  func `runs of a sector bitmap end where the bits change`(change: UInt64) {
    for first in [true, false] {
      let bits = (0..<192).map { UInt64($0) < change ? first : !first }
      for start in [UInt64(0), 1, 62, 63, 64, 90, 128, 190] {
        let answer = SectorBitmap.run(from: start, to: 192) { word in
          (0..<64).reduce(0) { $0 | (bits[Int(word) * 64 + $1] ? 1 << UInt64($1) : 0) }
        }
        #expect(answer.isHere == bits[Int(start)])
        #expect(answer.end == (start < change ? change : 192))
      }
    }
    #expect((1 as UInt64).bitsReversed == 1 << 63)
    #expect((0x8000_0000_0000_0006 as UInt64).bitsReversed == 0x6000_0000_0000_0001)
  }

  /// A map for the reader: where each block of four bytes lies.
  private struct Map: BlockMap {
    let places: [BlockPlace]
    let size: UInt64
    let blockByteCount: UInt64 = 4
    func place(of block: UInt64) throws -> BlockPlace { places[Int(block)] }
    func unpack(_ block: UInt64, _ range: Range<UInt64>) throws -> [UInt8] {
      (0..<8).map { UInt8(range.lowerBound) + $0 }
    }
    /// The first and the last byte of a mixed block are here.
    func run(of block: UInt64, from inner: UInt64) throws -> (isHere: Bool, end: UInt64) {
      inner == 0 ? (true, 1) : inner < 3 ? (false, 3) : (true, 4)
    }
  }

  /// A disk of which some blocks of four bytes hold their numbers, and which counts questions.
  private final class Below: BlockSource {
    let blocks: Set<UInt64>
    let size: UInt64
    let sectorSize: UInt32 = 512
    let questions = Locked(0)

    init(_ blocks: Set<UInt64>, size: UInt64) {
      self.blocks = blocks
      self.size = size
    }

    func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
      #expect(offset + UInt64(bytes.count) <= size)
      for index in 0..<bytes.count {
        let block = (offset + UInt64(index)) / 4
        bytes[index] = blocks.contains(block) ? UInt8(200 + block) : 0
      }
    }

    func nextData(at offset: UInt64) throws -> Range<UInt64>? {
      questions.with { $0 += 1 }
      guard let block = blocks.filter({ ($0 + 1) * 4 > offset }).min() else { return nil }
      return max(offset, block * 4)..<min(size, block * 4 + 4)
    }
  }

  @Test func `what an image does not hold is its parent's, and zeros beyond its end`() throws {
    let map = Map(
      places: [
        .parent, .zero, .mixed(4), .parent, .parent, .stored(0), .parent, .mixed(8), .parent,
      ],
      size: 34)
    let below = Below([0, 1, 2, 4, 7], size: 29)
    let disk = MappedDisk(MemorySource((0..<16).map { UInt8($0) }), map, parent: below)
    let whole: [UInt8] =
      [200, 200, 200, 200, 0, 0, 0, 0, 4, 202, 202, 7, 0, 0, 0, 0, 204, 204, 204, 204, 0, 1, 2, 3]
      + [0, 0, 0, 0, 8, 0, 0, 11, 0, 0]
    for start in 0...34 {
      for end in start...34 {
        var bytes = [UInt8](repeating: 0xAA, count: end - start)
        var span = bytes.mutableSpan
        try disk.read(into: &span, at: UInt64(start))
        #expect(bytes == Array(whole[start..<end]), "\(start)..<\(end)")
      }
    }
    var extents: [Range<UInt64>] = []
    var position: UInt64 = 0
    while let data = try disk.nextData(at: position) {
      extents.append(data)
      position = data.upperBound
    }
    #expect(extents == [0..<4, 8..<12, 16..<20, 20..<24, 28..<32])
    #expect(try MappedDisk(MemorySource([]), map).nextData(at: 24) == 28..<32)
  }

  @Test func `a parent is not asked again for what it has answered`() throws {
    let places = (0..<200).map { $0 % 2 == 0 ? BlockPlace.parent : .zero }
    let below = Below([199], size: 800)
    let disk = MappedDisk(MemorySource([]), Map(places: places, size: 800), parent: below)
    #expect(try disk.nextData(at: 0) == nil)
    #expect(below.questions.with { $0 } == 1)
  }

  @Test func `a disk of parts is read across them`() throws {
    let first = MemorySource([1, 2, 3, 4])
    let last = MemorySource([5, 6, 7, 8, 9])
    let disk = JoinedDisk(
      [
        .init(range: 0..<4, disk: first), .init(range: 4..<4, disk: nil),
        .init(range: 4..<7, disk: nil), .init(range: 7..<11, disk: last),
      ], size: 11)
    let whole: [UInt8] = [1, 2, 3, 4, 0, 0, 0, 5, 6, 7, 8]
    for start in 0...11 {
      for end in start...11 {
        #expect(try disk.bytes(end - start, at: UInt64(start)) == Array(whole[start..<end]))
      }
    }
    #expect(try disk.nextData(at: 2) == 2..<4)
    #expect(try disk.nextData(at: 4) == 7..<11)
    #expect(try disk.nextData(at: 11) == nil)
  }

  @Test func `a disk is read through its map, whole and in any pieces`() throws {
    let map = Map(
      places: [
        .stored(8), .stored(12), .zero, .packed(100..<104, at: 4), .stored(0), .zero, .zero,
        .stored(4),
      ], size: 30)
    let disk = MappedDisk(MemorySource((0..<16).map { UInt8($0) }), map)
    let whole: [UInt8] =
      [8, 9, 10, 11, 12, 13, 14, 15, 0, 0, 0, 0, 104, 105, 106, 107, 0, 1, 2, 3]
      + [0, 0, 0, 0, 0, 0, 0, 0, 4, 5]
    for start in 0...30 {
      for end in start...30 {
        var bytes = [UInt8](repeating: 0xAA, count: end - start)
        var span = bytes.mutableSpan
        try disk.read(into: &span, at: UInt64(start))
        #expect(bytes == Array(whole[start..<end]), "\(start)..<\(end)")
      }
    }
    #expect(try disk.nextData(at: 0) == 0..<8)
    #expect(try disk.nextData(at: 5) == 5..<8)
    #expect(try disk.nextData(at: 8) == 12..<20)
    #expect(try disk.nextData(at: 20) == 28..<30)
    #expect(try disk.nextData(at: 30) == nil)
  }
}
