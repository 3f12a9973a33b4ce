import Blocks
import Bytes
import Testing

@testable import GuestLayouts

struct ExtTests {
  private static let superblock = TestExt.superblock
  private static let usualFree: [Range<UInt64>] = [
    11..<12, 13..<16, 17..<20, 21..<30, 31..<40, 42..<50, 52..<60, 63..<256,
  ]

  @Test func `what no bitmap marks is free`() throws {
    let system = TestExt.usual()
    let finding = try #require(try system.finding)
    #expect(finding.kind == "ext4")
    #expect(finding.label == "small")
    #expect(finding.note == nil)
    #expect(finding.fileSystem?.byteCount == 256 << 10)
    #expect(finding.fileSystem?.usedByteCount == 22 << 10)
    #expect(finding.fileSystem?.fileDoubt == nil)
    #expect(try system.freeBlocks == ExtTests.usualFree)
  }

  @Test(arguments: [
    (0x3A, 0, "not unmounted cleanly"), (0x3A, 3, "errors"), (0x0C, 5, "superblock says 5"),
    (0x60, 0x46, "on another disk"),
  ])
  func `a superblock that is not clean makes a doubt`(
    place: Int, value: UInt64, words: String
  ) throws {
    var system = TestExt.usual()
    system.disk.set(ExtTests.superblock + place, value, 2)
    #expect(throws: GuestDoubt.self) { try system.free }
    do { _ = try system.free } catch { #expect("\(error)".contains(words)) }
  }

  @Test func `a count in a descriptor that its bitmap contradicts makes a doubt`() throws {
    var system = TestExt.usual()
    system.disk.set(TestExt.descriptor + 0xC, 1, 2)
    #expect(throws: GuestDoubt.self) { try system.free }
  }

  @Test(arguments: 1...8)
  func `a bitmap that calls structures free makes a doubt`(block: Int) throws {
    var system = TestExt.usual()
    system.disk.bytes[TestExt.bitmap + (block - 1) / 8] &= ~(1 << UInt8((block - 1) % 8))
    system.count(256 - 21)
    #expect(throws: GuestDoubt.self) { try system.free }
  }

  @Test func `structures in the same place are damage`() throws {
    var system = TestExt.usual()
    system.disk.set(TestExt.descriptor + 4, 6, 4)
    #expect(throws: FormatError.self) { try system.free }
  }

  @Test(arguments: [(0x5C, 0x100), (0x60, 0x1000), (0x60, 1), (0x64, 0x80)])
  func `a feature that is not known is named, and nothing else is done`(
    place: Int, feature: UInt64
  ) throws {
    var system = TestExt.usual()
    system.disk.set(ExtTests.superblock + place, feature, 4)
    let finding = try #require(try system.finding)
    #expect(finding.fileSystem == nil)
    #expect(finding.warnings == [])
    #expect(finding.note?.contains("0x\(String(feature, radix: 16)) is not known") == true)
  }

  @Test(arguments: [
    (0x04, 257, 4), (0x04, 0, 4), (0x14, 0, 4), (0x18, 7, 4), (0x1C, 3, 4), (0x20, 0, 4),
    (0x20, 8200, 4), (0x24, 8, 4), (0x28, 0, 4), (0x28, 31, 4), (0x58, 100, 2), (0x58, 2048, 2),
    (0xCE, 9000, 2), (0x00, 33, 4), (0x14, 0xFFFF_FFFF, 4), (0x04, 0xFFFF_FFFF, 4),
  ])
  func `a geometry that cannot be is a warning`(place: Int, value: UInt64, size: Int) throws {
    var system = TestExt.usual()
    system.disk.set(ExtTests.superblock + place, value, size)
    let finding = try #require(try system.finding)
    #expect(finding.fileSystem == nil)
    #expect(finding.warnings.count == 1)
    #expect(finding.note == "its superblock is damaged: read whole")
  }

  @Test func `copies of the superblock are where their groups are`() throws {
    var system = TestExt(readOnly: 1)
    system.disk = TestDisk(100 << 20)
    var bytes = TestExt(readOnly: 1).disk
    bytes.set(1024 + 4, 100 << 10, 4)
    for field in [0x20, 0x24] { bytes.set(1024 + field, 256, 4) }
    bytes.set(1024, 400 * 32, 4)
    let superblock = try ExtSuperblock(parsing: Array(bytes.bytes[1024..<2048]))
    let geometry = try ExtGeometry(superblock, in: 100 << 20)
    #expect(geometry.groupCount == 400)
    let groups = (0..<400).filter { geometry.hasSuperblock($0) }
    #expect(groups == [0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125, 243, 343])
    #expect(geometry.descriptorBlockCount == 13)
    #expect(geometry.superblockAndDescriptors(of: 0) == 1..<15)
    #expect(geometry.superblockAndDescriptors(of: 2) == 513..<513)
    #expect(geometry.superblockAndDescriptors(of: 3) == 769..<783)
    #expect(geometry.descriptorIndex(of: 2) == 0)
    #expect(geometry.descriptorIndex(of: 14) == 12)
    #expect(geometry.descriptorIndex(of: 15) == nil)
  }

  @Test func `descriptors of meta block groups lie in their groups`() throws {
    var bytes = TestExt(incompatible: 0x12, readOnly: 1).disk
    bytes.set(1024 + 4, 100 << 10, 4)
    for field in [0x20, 0x24] { bytes.set(1024 + field, 256, 4) }
    bytes.set(1024, 400 * 32, 4)
    bytes.set(1024 + 0x104, 1, 4)
    let superblock = try ExtSuperblock(parsing: Array(bytes.bytes[1024..<2048]))
    let geometry = try ExtGeometry(superblock, in: 100 << 20)
    #expect(geometry.descriptorBlock(0) == 2)
    // Group 32 has no superblock; group 1 has one, and what the first meta group describes.
    #expect(geometry.descriptorBlock(1) == 32 * 256 + 1)
    #expect(geometry.descriptorIndex(of: 32 * 256 + 1) == 1)
    #expect(geometry.descriptorIndex(of: 32 * 256 + 2) == nil)
    #expect(geometry.superblockAndDescriptors(of: 1) == 257..<259)
    #expect(geometry.superblockAndDescriptors(of: 33) == 8449..<8450)
    #expect(geometry.superblockAndDescriptors(of: 34).isEmpty)
    #expect(geometry.superblockAndDescriptors(of: 63) == 16129..<16130)
    #expect(geometry.superblockAndDescriptors(of: 81) == 20737..<20738)
  }

  @Test func `checksums are those of their standards`() {
    let digits = Array("123456789".utf8)
    #expect(~ExtChecksum.crc32c(~0, digits.span) == 0xE306_9283)
    #expect(ExtChecksum.crc16(~0, digits.span) == 0x4B37)
    #expect(ExtChecksum.crc32c(ExtChecksum.crc32c(~0, UInt32(7)), UInt8(1)) != 0)
  }

  @Test func `a wrong checksum anywhere is damage`() throws {
    var system = TestExt(readOnly: 0x11)
    system.sumDescriptor()
    #expect(try system.freeBlocks == [10..<256])
    system.disk.bytes[TestExt.descriptor + 0x14] ^= 1
    #expect(throws: FormatError.self) { try system.free }
  }

  @Test func `a group that was never initialized is free but for its structures`() throws {
    var system = TestExt(readOnly: 0x11)
    system.disk.put([UInt8](repeating: 0xFF, count: 1024), at: TestExt.bitmap)
    system.disk.set(TestExt.descriptor + 0x12, 2, 2)
    system.count(256 - 9)
    system.sumDescriptor()
    // The root directory is of no group that was never initialized; it only shows what counts.
    #expect(try system.freeBlocks == [9..<256])
    system.count(256 - 10)
    system.sumDescriptor()
    #expect(throws: GuestDoubt.self) { try system.free }
  }
}

extension TestExt {
  /// Makes the descriptor's checksum fit, as `uninit_bg` has it.
  mutating func sumDescriptor() {
    let place = TestExt.descriptor
    let summed =
      Array(disk.bytes[TestExt.superblock + 0x68..<TestExt.superblock + 0x78]) + [0, 0, 0, 0]
      + Array(disk.bytes[place..<place + 0x1E])
    disk.set(place + 0x1E, UInt64(ExtChecksum.crc16(~0, summed.span)), 2)
  }
}
