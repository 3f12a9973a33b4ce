import Blocks
import Testing

@testable import GuestLayouts

/// What of an NTFS volume is free, and when that is in doubt.
struct NTFSTests {
  @Test func `a volume is found with its label, its serial number and its free clusters`() throws {
    var volume = TestNTFS()
    volume.used.formUnion([200, 300, 301])
    let finding = try #require(volume.finding)
    #expect(finding.kind == "NTFS")
    #expect(finding.label == "Daten")
    #expect(finding.uuid == "0123456789ABCDEF")
    #expect(finding.warnings.isEmpty)
    // The last cluster is not whole: it ends with the boot sector's copy.
    let free = TestNTFS.places([20..<100, 116..<200, 201..<300, 302..<1023])
    #expect(try volume.free() == free)
    let system = try TestNTFS.system(volume.built())
    #expect(system.byteCount == 4 << 20)
    #expect(system.usedByteCount == (20 + 16 + 3 + 1) * 4096)
    #expect(system.fileDoubt == nil)
  }

  @Test func `it is no partition table, whatever follows its boot sector`() throws {
    #expect(TestNTFS().built().layout.table == nil)
    #expect(TestNTFS().built().layout.skipped(.free) == TestNTFS.emptyFree)
  }

  @Test func `a volume without its boot sector's copy in the area ends with the area`() throws {
    var disk = TestNTFS().built()
    disk.bytes.removeLast(512)
    #expect(try TestNTFS.system(disk).byteCount == (4 << 20) - 512)
    disk.bytes.removeLast(1)
    #expect(TestNTFS.finding(disk)?.fileSystem == nil)
  }

  @Test func `a boot sector that means something else is not read`() {
    let changes: [(Int, UInt64, Int)] = [
      (11, 256, 2), (11, 513, 2), (13, 3, 1), (13, 0, 1), (13, 0xF3, 1), (13, 0x81, 1),
      (14, 1, 2), (16, 2, 1), (22, 9, 2), (40, 8193, 8), (40, .max, 8), (40, 0, 8), (48, 0, 8),
      (48, 1023, 8), (48, .max, 8), (56, 0, 8), (56, 1 << 62, 8), (64, 0, 1), (64, 3, 1),
      (64, 0xEF, 1), (64, 0x80, 1), (510, 0, 2),
    ]
    for (place, value, count) in changes {
      var disk = TestNTFS().built()
      disk.set(place, value, count)
      let finding = TestNTFS.finding(disk)
      #expect(finding?.kind == "NTFS", "\(place)")
      #expect(finding?.fileSystem == nil, "\(place): \(value)")
      #expect(finding?.warnings.count == 1)
    }
  }

  // MARK: The proof

  /// A file in clusters 200 and 201, which the bitmap has or not.
  private func volume(used: Set<Int>) -> TestNTFS {
    var volume = TestNTFS()
    volume.used.formUnion(used)
    volume.file(
      "a", [TestNTFS.Attribute(type: 0x80, form: .mapped([(200, 2)], size: 8000))])
    return volume
  }

  @Test func `what files have is in use, or all is in doubt`() throws {
    #expect(volume(used: [200, 201]).doubt == nil)
    #expect(try #require(volume(used: [200]).doubt).contains("cluster 201"))
    // What is in use and has no owner is read.
    #expect(volume(used: [200, 201, 500]).doubt == nil)
    // A stream beside the content counts, too.
    var stream = volume(used: [200, 201])
    stream.file(
      "b", number: 31,
      [TestNTFS.Attribute(type: 0x80, name: "s", form: .mapped([(300, 1)], size: 9))])
    #expect(stream.doubt?.contains("record 31") == true)
    stream.used.insert(300)
    #expect(stream.doubt == nil)
  }

  @Test func `clusters of two files are a doubt, and no page file is left out then`() throws {
    var volume = volume(used: [200, 201])
    volume.file(
      "pagefile.sys", number: 31,
      [TestNTFS.Attribute(type: 0x80, form: .mapped([(201, 1)], size: 4096))])
    #expect(try #require(volume.doubt).contains("another file's"))
    let plan = SkipPlan(MachineLayout(of: [volume.built().source]), kinds: [.swap])
    #expect(plan.skipped == [[:]])
    #expect(plan.warnings[0].contains { $0.contains("another file's") })
  }

  @Test func `a record that is damaged is a doubt when it is in use`() throws {
    var volume = volume(used: [200, 201])
    let place = (TestNTFS.tableCluster * 4096) + 30 * 1024
    volume.patches = [(place, Array("BAAD".utf8))]
    #expect(try #require(volume.doubt).contains("record 30 of $MFT is damaged"))
    volume.patches = [(place + 510, [99])]
    #expect(try #require(volume.doubt).contains("torn"))
    // One that is not in use has nothing.
    volume.patches = [(place + 22, [0])]
    #expect(volume.doubt == nil)
  }

  @Test func `a large volume is looked at window by window`() throws {
    for (used, isRight) in [(Set([207, 208]), true), ([207], false), ([208], false)] {
      var volume = TestNTFS()
      volume.used.formUnion(used)
      volume.file(
        "a", [TestNTFS.Attribute(type: 0x80, form: .mapped([(207, 2)], size: 8000))])
      let system = try #require(TestNTFS.system(volume.built()) as? NTFSFileSystem)
      var proof = try NTFSProof(system.volume, windowLimit: 16)
      let bitmap = try NTFSBitmap(of: system.volume)
      if isRight {
        try proof.run(bitmap)
      } else {
        #expect(throws: GuestDoubt.self) { try proof.run(bitmap) }
      }
    }
  }

  // MARK: The state

  @Test(arguments: [(1, "dirty"), (2, "log"), (0x4000, "chkdsk"), (0x80, "not known")])
  func `flags of the volume are a doubt`(flag: Int, word: String) throws {
    var volume = TestNTFS()
    volume.flags = UInt64(flag) | 0x8000
    #expect(try #require(volume.doubt).contains(word))
    #expect(try #require(TestNTFS.system(volume.built()).fileDoubt).contains(word))
  }

  @Test func `flags for the next mount are none`() {
    var volume = TestNTFS()
    volume.flags = 0x803C
    #expect(volume.doubt == nil)
  }

  /// A restart page of the log.
  private func page(
    at place: Int, number: UInt64, clients: UInt64 = 0, flags: UInt64 = 0, major: UInt64 = 1,
    minor: UInt64 = 1
  ) -> (Int, [UInt8]) {
    var page = TestDisk(4096)
    page.put("RSTR", at: 0)
    page.set(4, 30, 2)
    page.set(6, 9, 2)
    page.set(16, 4096, 4)
    page.set(20, 4096, 4)
    page.set(24, 48, 2)
    page.set(26, minor, 2)
    page.set(28, major, 2)
    page.set(48, number, 8)
    page.set(48 + 12, clients, 2)
    page.set(48 + 14, flags, 2)
    return (TestNTFS.logCluster * 4096 + place, TestNTFS.protect(page.bytes))
  }

  @Test func `the newer page of the log tells whether it is clean`() {
    var volume = TestNTFS()
    volume.patches = [page(at: 0, number: 5, flags: 2), page(at: 4096, number: 4)]
    #expect(volume.doubt == nil)
    volume.patches = [page(at: 0, number: 4), page(at: 4096, number: 5, clients: 0xFFFF)]
    #expect(volume.doubt == nil)
    volume.patches = [page(at: 0, number: 4, flags: 2), page(at: 4096, number: 5)]
    #expect(volume.doubt?.contains("not been carried out") == true)
    volume.patches = [page(at: 0, number: 5), page(at: 4096, number: 4, flags: 2)]
    #expect(volume.doubt?.contains("not been carried out") == true)
  }

  @Test func `a log of the version that Windows uses while it runs is a doubt`() {
    var volume = TestNTFS()
    volume.patches = [
      page(at: 0, number: 5, flags: 2, major: 2, minor: 0),
      page(at: 4096, number: 4, flags: 2, major: 2, minor: 0),
    ]
    #expect(volume.doubt?.contains("version 2.0") == true)
  }

  @Test func `a log that is damaged is a doubt`() {
    var volume = TestNTFS()
    volume.patches = [page(at: 0, number: 5, flags: 2)]
    #expect(volume.doubt?.contains("log is damaged") == true)
    volume.patches = [page(at: 0, number: 5, flags: 2), page(at: 8192, number: 5, flags: 2)]
    #expect(volume.doubt != nil)
    volume.patches = [
      page(at: 0, number: 5, flags: 2), page(at: 4096, number: 4, flags: 2),
      (TestNTFS.logCluster * 4096 + 1022, [0x55]),
    ]
    #expect(volume.doubt?.contains("torn") == true)
    volume.patches = [(TestNTFS.logCluster * 4096, [0])]
    #expect(volume.doubt != nil)
    volume.patches = [(TestNTFS.logCluster * 4096 + 40000, [0])]
    #expect(volume.doubt != nil)
  }

  @Test func `records that differ from their copies are a doubt`() {
    var volume = TestNTFS()
    volume.mirrors = false
    #expect(volume.doubt != nil)
    // A byte of the third record's times.
    volume.mirrors = true
    volume.patches = [(2 * 4096 + 2 * 1024 + 90, [0xEE])]
    #expect(volume.doubt?.contains("record 2") == true)
  }

  @Test func `a hibernated Windows is a doubt, one that has woken up is none`() {
    for (start, isDoubt) in [
      ("hibr", true), ("HIBR", true), ("RSTR", true), ("\0\0\0\0\0\0\0\0\0x", true),
      ("wake", false), ("WAKE", false), ("\0\0\0\0", false), ("", false),
    ] {
      var volume = TestNTFS()
      volume.file("HiberFil.sys", [TestNTFS.data(Array(start.utf8))])
      #expect((volume.doubt?.contains("hiberfil.sys") == true) == isDoubt, "\(start)")
    }
  }

  @Test func `shadow copies are a doubt`() {
    let identifier: [UInt8] = [
      0x6B, 0x87, 0x08, 0x38, 0x76, 0xC1, 0x48, 0x4E, 0xB7, 0xAE, 0x04, 0x04, 0x6E, 0x6C, 0xC7,
      0x52,
    ]
    var volume = TestNTFS()
    volume.patches = [(0x1E00, identifier)]
    #expect(volume.doubt == nil, "no catalog")
    volume.patches.append((0x1E00 + 48, [0, 0x40]))
    #expect(volume.doubt?.contains("shadow") == true)
    volume.patches = [(0x1E00, identifier), (0x1E00 + 80, [1])]
    #expect(volume.doubt?.contains("shadow") == true, "copies on another volume")
  }

  @Test func `files of shadow copies are a doubt`() {
    let identifier = "{3808876b-c176-4e48-b7ae-04046e6cc752}"
    for (name, isDoubt) in [
      (identifier, false), ("{00000000-0000-0000-0000-000000000001}" + identifier, true),
      ("tracking.log", false),
    ] {
      var volume = TestNTFS()
      let entries = TestNTFS.entry(Array(name.utf16), 31) + TestNTFS.lastEntry()
      volume.file("System Volume Information", [])
      volume.record(
        TestNTFS.file, [TestNTFS.standardInformation(), TestNTFS.indexRoot(entries)],
        isDirectory: true)
      #expect((volume.doubt?.contains("shadow") == true) == isDoubt, "\(name)")
    }
  }

  // MARK: The bitmap and the table

  @Test func `a bitmap in several pieces and records is read whole`() throws {
    var volume = TestNTFS()
    // Clusters of the bitmap cannot be halves here, so the second one holds what is not needed.
    let second = TestNTFS.Attribute(type: 0x80, form: .mapped([(200, 1)], first: 1, size: 0))
    volume.used.insert(200)
    volume.record(12, [second], base: 6)
    var list: [UInt8] = []
    for (type, first, record, identifier) in [(0x10, 0, 6, 0), (0x80, 0, 6, 1), (0x80, 1, 12, 0)] {
      list += TestNTFS.number(UInt64(type), 4) + [32, 0, 0, 26] + TestNTFS.number(UInt64(first), 8)
      list += TestNTFS.number(UInt64(record) | UInt64(record) << 48, 8) + [UInt8(identifier), 0]
      list += [0, 0, 0, 0, 0, 0]
    }
    let first = TestNTFS.Attribute(type: 0x80, form: .mapped([(3, 1)], size: 8192))
    let listed = TestNTFS.Attribute(type: 0x20, form: .resident(list))
    volume.record(6, [TestNTFS.standardInformation(), first, listed])
    let free = TestNTFS.places([20..<100, 116..<200, 201..<1023])
    #expect(try volume.free() == free)
    volume.record(12, [second], base: 7)
    #expect(volume.doubt?.contains("does not belong") == true)
    volume.record(12, [TestNTFS.data([1])], base: 6)
    #expect(volume.doubt?.contains("lacks an attribute") == true)
  }

  @Test func `a table in several pieces is read whole, the list's own clusters too`() throws {
    var volume = TestNTFS()
    let rest = TestNTFS.Attribute(type: 0x80, form: .mapped([(400, 8)], first: 8, size: 0))
    volume.record(15, [rest], base: 0)
    var list: [UInt8] = []
    for (type, first, record, identifier) in [
      (0x10, 0, 0, 0), (0x80, 0, 0, 1), (0x80, 8, 15, 0), (0xB0, 0, 0, 3),
    ] {
      list += TestNTFS.number(UInt64(type), 4) + [32, 0, 0, 26] + TestNTFS.number(UInt64(first), 8)
      let sequence = UInt64(max(record, 1)) << 48
      list += TestNTFS.number(UInt64(record) | sequence, 8) + [UInt8(identifier), 0]
      list += [0, 0, 0, 0, 0, 0]
    }
    volume.used.formUnion(400..<408)
    volume.used.insert(500)
    volume.file("far", number: 40, [TestNTFS.data(Array("far away".utf8))])
    volume.table = [
      TestNTFS.standardInformation(),
      TestNTFS.Attribute(
        type: 0x80, form: .mapped([(4, 8)], size: 32 * 1024)),
      TestNTFS.Attribute(type: 0x20, form: .mapped([(500, 1)], size: list.count)),
      volume.recordBitmap,
    ]
    // Sizes are those of all pieces; the mirror has them, too.
    let sizes = TestNTFS.number(65536, 8) + TestNTFS.number(65536, 8) + TestNTFS.number(65536, 8)
    volume.patches = [
      (500 * 4096, list), (TestNTFS.tableCluster * 4096 + 56 + 72 + 40, sizes),
      (2 * 4096 + 56 + 72 + 40, sizes),
    ]
    // Records 32 and up are at cluster 400 now.
    let built = volume.built()
    let place = 4 * 4096 + 40 * 1024
    volume.patches.append((400 * 4096 + 8 * 1024, Array(built.bytes[place..<place + 1024])))
    volume.patches.append((place, [UInt8](repeating: 0, count: 1024)))
    #expect(try volume.free().contains(TestNTFS.places([408..<500])[0]))
    let tree = try volume.files()
    let file = try tree.file(40 | 40 << 48)
    #expect(try tree.content(of: file).bytes(8, at: 0) == Array("far away".utf8))
    // Clusters of the table and of the list must be in use.
    for cluster in [405, 500] {
      var other = volume
      other.used.remove(cluster)
      #expect(other.doubt?.contains("own structures") == true)
    }
  }

  @Test(arguments: [0, 1, 2, 3, 4, 19, 100, 115])
  func `a bitmap that calls the file system's own clusters free is a doubt`(cluster: Int) {
    var volume = TestNTFS()
    volume.used.remove(cluster)
    #expect(volume.doubt?.contains("own structures") == true)
  }

  @Test func `a bitmap that does not say all is a doubt`() {
    let forms: [TestNTFS.Form] = [
      .mapped([(3, 1)], size: 127), .mapped([(3, 1)], size: 128, initialized: 64),
      .mapped([(nil, 1)], size: 128), .resident([UInt8](repeating: 0, count: 127)),
      .mapped([], size: 0),
    ]
    for form in forms {
      var volume = TestNTFS()
      volume.bitmapForm = form
      #expect(volume.doubt != nil, "\(form)")
    }
    var volume = TestNTFS()
    volume.bitmapForm = .resident(volume.bitmap)
    #expect(volume.doubt == nil)
  }

  @Test func `torn, lost and strange records are a doubt`() {
    let table = TestNTFS.tableCluster * 4096
    for number in [0, 1, 2, 3, 5, 6, 7] {
      let place = table + number * 1024
      for (offset, bytes) in [
        (0, Array("BAAD".utf8)), (510, [0x11]), (1022, [0x11]), (4, [2]), (6, [9]), (20, [0xFF]),
        (22, [0]), (24, [0xFF, 0xFF]), (28, [1]), (32, [9]), (44, [0x77]), (60, [0xFF, 0xFF]),
      ] {
        var volume = TestNTFS()
        volume.patches = [(place + offset, bytes)]
        #expect(volume.doubt != nil, "record \(number), \(offset)")
      }
    }
  }
}
