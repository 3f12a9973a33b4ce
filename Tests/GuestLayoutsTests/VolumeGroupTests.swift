import Blocks
import TestSupport
import Testing

@testable import GuestLayouts

/// Volume groups whose metadata have the right checksums and cannot be true.
struct VolumeGroupTests {
  static let text = """
    vg0 { id = "V" seqno = 3 extent_size = 2048
    physical_volumes { pv0 { id = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" pe_start = 2048 pe_count = 3 } }
    logical_volumes {
    one { status = ["VISIBLE"] segment_count = 1
     segment1 { start_extent = 0 extent_count = 1 type = "striped" stripe_count = 1 stripes = ["pv0", 1] } } } }
    """

  /// A disk of 4 MiB that is a physical volume.
  static func disk(_ text: String) -> TestDisk {
    var disk = TestDisk(4 << 20)
    disk.put("LABELONE", at: 512)
    disk.set(512 + 8, 1, 8)
    disk.set(512 + 20, 32, 4)
    disk.put("LVM2 001", at: 512 + 24)
    disk.put([UInt8](repeating: UInt8(ascii: "A"), count: 32), at: 512 + 32)
    disk.set(512 + 64, 4 << 20, 8)
    disk.set(512 + 72, 1 << 20, 8)
    let area = 4096
    let areaByteCount: UInt64 = 64 << 10
    disk.set(512 + 104, UInt64(area), 8)
    disk.set(512 + 112, areaByteCount, 8)
    disk.set(512 + 16, UInt64(PhysicalVolume.checksum(disk.bytes[532..<1024])), 4)
    disk.put(" LVM2 x[5A%r0N*>", at: area + 4)
    disk.set(area + 20, 1, 4)
    disk.set(area + 24, UInt64(area), 8)
    disk.set(area + 32, areaByteCount, 8)
    disk.set(area + 40, 512, 8)
    disk.set(area + 48, UInt64(text.utf8.count), 8)
    disk.set(area + 56, UInt64(PhysicalVolume.checksum(text.utf8)), 4)
    disk.set(area, UInt64(PhysicalVolume.checksum(disk.bytes[area + 4..<area + 512])), 4)
    disk.put(text, at: area + 512)
    return disk
  }

  private func free(_ replacements: [(String, String)]) -> [Range<UInt64>] {
    var text = VolumeGroupTests.text
    for (old, new) in replacements {
      text = text.split(separator: old, maxSplits: 1).joined(separator: new)
    }
    #expect(replacements.isEmpty || text != VolumeGroupTests.text)
    return VolumeGroupTests.disk(text).layout.skipped(.free)
  }

  @Test func `what no volume has is free`() {
    #expect(free([]) == [1 << 20..<2 << 20, 3 << 20..<4 << 20])
  }

  @Test func `extents do not lie where the metadata are`() {
    #expect(free([("pe_start = 2048", "pe_start = 0")]).isEmpty)
    #expect(free([("pe_start = 2048", "pe_start = 100")]).isEmpty)
  }

  @Test func `no physical volume is there under two names`() {
    let twice = """
      pv1 { id = "AAAAAAAA-AAAAAAAA-AAAAAAAA-AAAAAAAA" pe_start = 2048 pe_count = 3 } pv0 {
      """
    #expect(free([("pv0 {", twice)]).isEmpty)
  }

  @Test func `sizes that cannot be counted in bytes are refused`() {
    let absurd = [
      ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "B"), ("extent_size = 2048", "extent_size = 33554432"),
      ("pe_count = 3", "pe_count = 1099511627776"),
      ("extent_count = 1", "extent_count = 1099511627775"),
    ]
    #expect(free(absurd).isEmpty)
  }

  /// As lvm2 2.03 writes a thin pool with a volume in it, a snapshot and its origin, and one that is plain.
  static let mixed = """
    vg0 { id = "V" seqno = 9 extent_size = 1024
    physical_volumes { pv0 { id = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" pe_start = 2048 pe_count = 6 } }
    logical_volumes {
    plain { status = ["READ", "WRITE", "VISIBLE"] creation_host = "h" segment_count = 1
     segment1 { start_extent = 0 extent_count = 1 type = "striped" stripe_count = 1 stripes = ["pv0", 0] } }
    old { status = ["READ", "WRITE", "VISIBLE"] segment_count = 1
     segment1 { start_extent = 0 extent_count = 1 type = "striped" stripe_count = 1 stripes = ["pv0", 1] } }
    kept { status = ["READ", "WRITE"] segment_count = 1
     segment1 { start_extent = 0 extent_count = 1 type = "striped" stripe_count = 1 stripes = ["pv0", 2] } }
    snapshot0 { status = ["READ", "WRITE", "VISIBLE"] segment_count = 1
     segment1 { start_extent = 0 extent_count = 1 type = "snapshot"
      chunk_size = 8 origin = "old" cow_store = "kept" } }
    pool { status = ["READ", "WRITE", "VISIBLE"] segment_count = 1
     segment1 { start_extent = 0 extent_count = 1 type = "thin-pool" metadata = "pool_tmeta" pool = "pool_tdata"
      transaction_id = 1 chunk_size = 128 discards = "passdown" zero_new_blocks = 1 } }
    vm { status = ["READ", "WRITE", "VISIBLE"] segment_count = 1
     segment1 { start_extent = 0 extent_count = 1 type = "thin" thin_pool = "pool" transaction_id = 0
      device_id = 1 } }
    pool_tmeta { status = ["READ", "WRITE"] segment_count = 1
     segment1 { start_extent = 0 extent_count = 1 type = "striped" stripe_count = 1 stripes = ["pv0", 3] } }
    pool_tdata { status = ["READ", "WRITE"] segment_count = 1
     segment1 { start_extent = 0 extent_count = 1 type = "striped" stripe_count = 1 stripes = ["pv0", 4] } } } }
    """

  @Test func `only plain volumes are looked into that nothing else is made of`() {
    let layout = VolumeGroupTests.disk(VolumeGroupTests.mixed).layout
    #expect(layout.groups.count == 1)
    let known = layout.groups.first?.volumes.filter { $0.volume != nil }.map(\.name)
    #expect(known == ["plain"])
    let doubts = layout.groups.first?.volumes.compactMap(\.doubt)
    #expect(
      doubts == [
        "of the type 'snapshot'", "needed by one of the type 'snapshot'", "of the type 'thin-pool'",
        "of the type 'thin'",
      ])
    // The last extent belongs to no volume; those of hidden volumes do.
    let last: Range<UInt64> = 3_670_016..<4_194_304
    #expect(layout.skipped(.free) == [last])
  }

  @Test func `what lies on a physical volume in an unknown way is free for nobody`() {
    let text = VolumeGroupTests.mixed.split(separator: "metadata = \"pool_tmeta\"", maxSplits: 1)
    let layout = VolumeGroupTests.disk(text.joined(separator: "metadata = \"pv0\"")).layout
    #expect(layout.groups.first?.note?.contains("thin-pool") == true)
    #expect(layout.skipped(.free).isEmpty)
  }

  @Test(arguments: [0, 1, 3, 4]) func `a machine that suspends is seen in hidden volumes too`(
    extent: Int
  ) {
    var disk = VolumeGroupTests.disk(VolumeGroupTests.mixed)
    disk.swap(at: (1 << 20) + extent * (512 << 10), 512 << 10, magic: "S1SUSPEND\0")
    #expect(disk.layout.skipped(.free).isEmpty)
  }

  @Test func `a name that a hidden volume has as well is nobody's`() throws {
    let root = FakeFileSystem(1 << 20)
    let other = FakeFileSystem(1 << 20)
    root.add("/etc/fstab", content: Array("LABEL=fs1 /var ext4 defaults 0 2\n".utf8))
    other.add("/cache/a", [8192..<16384])
    var exclusions = Exclusions()
    try exclusions.add("/var/cache/**")
    var layout = MachineLayout.fake([root, other])
    #expect(SkipPlan(layout, kinds: [.excluded], exclusions: exclusions).files.count == 1)
    layout.groups = [VolumeGroup(name: "vg", uuid: nil, firstDisk: 0)]
    layout.groups[0].hidden = [GuestFinding("ext4", label: "fs1")]
    #expect(SkipPlan(layout, kinds: [.excluded], exclusions: exclusions).files.count == 0)
  }

  @Test(arguments: [
    ("extent_size = 1024", "extent_size = 1024 } vg1 { extent_size = 1024"),
    ("segment_count = 1", "segment_count = 0"), ("segment1 {", "segment2 { x = 1 } segment1 {"),
  ])
  func `texts that lvm2 would not write are refused`(old: String, new: String) {
    let text = VolumeGroupTests.mixed.split(separator: old, maxSplits: 1).joined(separator: new)
    let layout = VolumeGroupTests.disk(text).layout
    #expect(layout.skipped(.free).isEmpty)
    #expect(layout.groups.first?.note?.contains("read whole") == true)
  }

  @Test func `a volume may have many segments of unknown types`() {
    var segments = ""
    for index in 0..<500 {
      segments +=
        "segment\(index + 1) { start_extent = 0 extent_count = 0 type = \"t\" a = \"b\" }\n"
    }
    let text = """
      vg0 { id = "V" extent_size = 1024
      physical_volumes { pv0 { id = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" pe_start = 2048 pe_count = 6 } }
      logical_volumes { many { status = ["VISIBLE"] segment_count = 500 \(segments) } } }
      """
    let layout = VolumeGroupTests.disk(text).layout
    #expect(layout.groups.first?.volumes.first?.doubt == "of the type 't'")
  }

  @Test func `a physical volume of no known group may hide an fstab`() throws {
    let system = FakeFileSystem(1 << 20)
    system.add("/tmp/a", [8192..<16384])
    var exclusions = Exclusions()
    try exclusions.add("/tmp/**")
    func count(_ contents: [GuestFinding], _ bytes: [UInt8]) -> Int {
      var layout = MachineLayout.fake([system])
      layout.volumes.append(
        GuestVolume(
          title: "another", placement: Placement(disk: 0, range: 4 << 20..<5 << 20),
          source: MemoryDisk(bytes), contents: contents))
      return SkipPlan(layout, kinds: [.excluded], exclusions: exclusions).files.count
    }
    let zeros = [UInt8](repeating: 0, count: 4096)
    var physical = GuestFinding("LVM2 PV")
    physical.physicalVolume = PhysicalVolume(uuid: "x")
    #expect(count([physical], zeros) == 0)
    #expect(count([], zeros) == 1)
    #expect(count([], zeros + [1]) == 0)
    #expect(count([GuestFinding("Linux swap")], zeros + [1]) == 1)
  }
}
