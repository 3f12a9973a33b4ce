import Testing

@testable import GuestLayouts

struct KnownContentsTests {
  @Test func `every signature is recognized in its place and nowhere else`() {
    for signature in Signature.all {
      var disk = TestDisk(3 << 20)
      disk.put(signature.magic, at: signature.offset)
      #expect(disk.layout.contents.map(\.kind) == [signature.kind])
      disk = TestDisk(3 << 20)
      disk.put(signature.magic, at: signature.offset + 1)
      #expect(disk.layout.contents.isEmpty, "\(signature.kind)")
    }
  }

  @Test func `the extended file systems are told apart by their features`() {
    let variants: [(kind: String, features: [UInt64])] = [
      ("ext2", [0, 0, 0]), ("ext3", [4, 0, 0]), ("ext4", [4, 0x40, 0]), ("ext4", [4, 0, 0x400]),
      ("ext journal", [0, 8, 0]), ("ext2", [0x38, 2, 3]),
    ]
    for variant in variants {
      var disk = TestDisk(256 << 10)
      disk.set(1024 + 56, 0xEF53, 2)
      for (index, value) in variant.features.enumerated() {
        disk.set(1024 + 92 + index * 4, value, 4)
      }
      #expect(disk.layout.contents.map(\.kind) == [variant.kind])
    }
  }

  @Test func `labels and identifiers are shown`() {
    var disk = TestDisk(256 << 10)
    disk.put([0x4C, 0x55, 0x4B, 0x53, 0xBA, 0xBE, 0, 2], at: 0)
    disk.put("vault", at: 24)
    disk.put("11111111-2222-3333-4444-555555555555", at: 168)
    let locked = disk.layout.contents.first
    #expect(locked?.kind == "LUKS2")
    #expect(locked?.label == "vault")
    #expect(locked?.uuid == "11111111-2222-3333-4444-555555555555")
  }

  @Test func `a member of a ZFS pool is known by any uberblock in either byte order`() {
    for place in [128 << 10, 200 << 10, 255 << 10] {
      for bytes in [[0x0C, 0xB1, 0xBA, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0xBA, 0xB1, 0x0C]] {
        var disk = TestDisk(256 << 10)
        disk.put(bytes.map { UInt8($0) }, at: place)
        #expect(disk.layout.contents.map(\.kind) == ["ZFS member"])
      }
    }
  }
}
