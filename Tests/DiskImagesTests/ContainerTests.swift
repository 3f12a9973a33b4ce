import Blocks
import Bytes
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
    #expect(!descriptor.hasParent)
    #expect(
      descriptor.extents == [
        .init(access: "RW", sectors: 4_192_256, kind: "FLAT", file: "disk one-f001.vmdk", start: 0),
        .init(access: "RDONLY", sectors: 100, kind: "FLAT", file: "d.vmdk", start: 63),
        .init(access: "RW", sectors: 2048, kind: "ZERO", file: "", start: 0),
      ])
    #expect(throws: FormatError.self) {
      _ = try VMDKDescriptor(parsing: Array("# Disk DescriptorFile\nRW x FLAT".utf8), at: 0)
    }
    #expect(throws: FormatError.self) { _ = try VMDKDescriptor(parsing: [1, 2, 3], at: 0) }
  }

  @Test func `pages are made once while they are kept`() {
    let cache = PageCache(pageCount: 2)
    var made: [UInt64] = []
    for number: UInt64 in [1, 2, 1, 2, 3, 2, 1] {
      let page = cache.page(number) {
        made.append(number)
        return [UInt8(number)]
      }
      #expect(page == [UInt8(number)])
    }
    #expect(made == [1, 2, 3, 1])
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
