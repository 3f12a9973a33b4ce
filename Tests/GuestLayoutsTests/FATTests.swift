import Blocks
import Testing

@testable import GuestLayouts

struct FATTests {
  static let kinds: [FATBootSector.Kind] = [.fat12, .fat16, .fat32]

  @Test(arguments: kinds)
  func `free space is what no entry of the FAT takes`(kind: FATBootSector.Kind) throws {
    let volume = TestFAT.usual(kind)
    let finding = try #require(try volume.found())
    #expect(finding.kind == kind.rawValue)
    #expect(finding.label == "MY DISK")
    #expect(finding.uuid == "1234-ABCD")
    #expect(try finding.fileSystem?.freeSpace().extents == volume.set(volume.usualFree))
    #expect(finding.fileSystem?.byteCount == UInt64(volume.disk.bytes.count))
  }

  @Test(arguments: kinds)
  func `files are read with their names, times and pieces`(kind: FATBootSector.Kind) throws {
    let volume = TestFAT.usual(kind)
    let tree = try #require(try volume.found()?.fileSystem?.files())
    let bytes = volume.disk.bytes
    let pieces = [10, 11, 20].flatMap { bytes[volume.place($0)..<volume.place($0) + 512] }
    let listing = tree.listing()
    let folder = "/folder with a long name, ü"
    let isListed =
      listing == [
        "/": [], folder + "/": [], "/readme.txt": [], "/PIECES.BIN": Array(pieces.prefix(1200)),
        folder + "/σÄB.C": Array(bytes[volume.place(30)..<volume.place(31)]),
      ]
    #expect(isListed, "\(listing.keys)")
    let file = try #require(try tree.find([Array("pieces.bin".utf8)]))
    #expect(file.size == 1200)
    // 2026-11-22 13:14:16 as if it were UTC.
    #expect(file.modified == FileTime(seconds: 1_795_353_256))
    #expect(file.created == FileTime(seconds: 1_795_353_257, nanoseconds: 500_000_000))
    #expect(file.accessed == FileTime(seconds: 1_795_305_600))
    let extents = try tree.extents(of: file)
    #expect(extents.map(\.offset) == [0, 1024])
    #expect(extents.map { Int($0.range.lowerBound) } == [volume.place(10), volume.place(20)])
    let content = try tree.content(of: file)
    #expect(try content.bytes(40, at: 1000) == Array(pieces[1000..<1040]))
  }

  /// What makes a volume doubtful, with a word of the reason.
  static let faults: [(String, @Sendable (inout TestFAT) -> Void)] = [
    ("not unmounted", { $0.disk.set($0.kind == .fat32 ? 65 : 37, 1, 1) }),
    ("medium", { $0.disk.set($0.kind == .fat32 ? 65 : 37, 2, 1) }),
    (
      "not the same",
      {
        $0.link(100, 0, only: 1)
        $0.link(100, 7, only: 0)
      }
    ),
    ("not the same", { $0.link(11, 0, only: 1) }),
    (
      "free or another file's",
      {
        $0.link(11, 0)
        $0.link(10, 11)
      }
    ),
    ("free or another file's", { $0.link(20, 10) }),
    ("free or another file's", { $0.link(30, 20) }),
    ("free or another file's", { $0.link(5, 0) }),
    ("broken", { $0.link(11, 1) }),
    ("broken", { $0.link(11, 0x0FFF_FFF0) }),
    ("broken", { $0.link(11, 0x0FFF_FFF7) }),
    ("broken", { $0.link(11, UInt32($0.clusterCount + 2)) }),
    (
      "longer than its clusters",
      {
        $0.link(11, TestFAT.end)
        $0.link(20, 0)
      }
    ),
    ("no file has it", { $0.link(100, TestFAT.end) }),
    ("no file has it", { $0.link(40, 0x0FFF_FFF1) }),
    ("does not begin", { $0.link(0, 0x0FFF_FF00) }),
    ("larger than the place", { $0.disk.bytes.removeLast(512) }),
    (
      "its size makes it",
      {
        $0.disk.put("FAT99   FAT1", at: 200)
        $0.rename()
      }
    ),
    ("partition table", { $0.disk.entry(1, type: 0x83, 8, 100) }),
    ("damaged", { $0.disk.set(11, 500, 2) }),
    ("damaged", { $0.disk.set(13, 3, 1) }),
    ("damaged", { $0.disk.set(21, 0x17, 1) }),
  ]

  @Test(arguments: kinds, faults.indices)
  func `what is not in order is read whole`(kind: FATBootSector.Kind, fault: Int) throws {
    var volume = TestFAT.usual(kind)
    FATTests.faults[fault].1(&volume)
    let doubt = try #require(try volume.found()).doubt()
    #expect(doubt.contains(FATTests.faults[fault].0), "\(doubt)")
  }

  @Test func `the marks of Windows count`() throws {
    let marks: [(FATBootSector.Kind, UInt32)] = [
      (.fat16, 0x7FFF), (.fat16, 0xBFFF), (.fat32, 0x07FF_FFFF), (.fat32, 0x0BFF_FFFF),
    ]
    for (kind, mark) in marks {
      var volume = TestFAT.usual(kind)
      volume.link(1, mark)
      #expect(try volume.found()?.doubt().isEmpty == false)
    }
  }

  @Test func `a small FAT32 volume may have the 16-bit count of sectors, as mkfs.fat writes it`()
    throws
  {
    var volume = TestFAT.usual(.fat32)
    for place in [0, 6 * 512] {
      volume.disk.set(place + 19, UInt64(volume.disk.bytes.count / 512), 2)
      volume.disk.set(place + 32, 0, 4)
    }
    #expect(try volume.found()?.fileSystem?.freeSpace().extents == volume.set(volume.usualFree))
  }

  @Test func `a copy of the boot sector with another geometry is a doubt`() throws {
    var volume = TestFAT.usual(.fat32)
    volume.disk.bytes[6 * 512 + 16] = 1
    #expect(try volume.found()?.doubt() == "its boot sector and the copy of it do not agree")
  }

  @Test func `a chain that ends only behind the file's size gives no extents`() throws {
    var volume = TestFAT.usual(.fat16)
    volume.chain([10, 11, 20, 21])
    let system = try #require(try volume.found()?.fileSystem)
    #expect(try system.freeSpace().extents == volume.set(volume.usualFree.filter { $0 != 21 }))
    let tree = try #require(try system.files())
    let file = try #require(try tree.find([Array("PIECES.BIN".utf8)]))
    #expect(throws: GuestDoubt.self) { try tree.extents(of: file) }
    #expect(try tree.content(of: file).size == 1200)
  }

  @Test func `pieces of long names that belong to nothing are passed over`() throws {
    for fault in 0..<5 {
      var volume = TestFAT(.fat12)
      var pieces = TestFAT.pieces("a name in three pieces, no less", sum: 0)
      for index in pieces.indices {
        pieces[index][13] = FATName.checksum(Array("SHORT   TXT".utf8)) &+ (fault == 0 ? 1 : 0)
      }
      if fault == 1 { pieces.removeFirst() }
      if fault == 2 { pieces.remove(at: 1) }
      if fault == 3 { pieces[0][0] = 0x40 | 21 }
      if fault == 4 { pieces.swapAt(1, 2) }
      var place = volume.root
      for piece in pieces {
        volume.disk.put(piece, at: place)
        place += 32
      }
      volume.entry("SHORT   TXT", at: place)
      let tree = try #require(try volume.found()?.fileSystem?.files())
      #expect(tree.listing().keys.sorted() == ["/", "/SHORT.TXT"])
    }
  }

  @Test func `a directory that leads back to itself is damage, not a hang`() throws {
    var volume = TestFAT.usual(.fat16)
    volume.entry("LOOP       ", at: volume.place(5) + 96, attributes: 0x10, first: 5)
    #expect(try volume.found()?.doubt().contains("another file's") == true)
    volume.link(5, 5)
    for index in 3..<16 { volume.entry("A          ", at: volume.place(5) + index * 32) }
    let tree = try #require(try volume.found()?.fileSystem?.files())
    let folder = try #require(try tree.find([Array("folder with a long name, ü".utf8)]))
    #expect(throws: (any Error).self) { try tree.forEachEntry(of: folder) { _ in true } }
  }

  @Test func `folders that lie too deep are a doubt`() throws {
    var volume = TestFAT(.fat12, clusters: 400)
    volume.entry("D          ", at: volume.root, attributes: 0x10, first: 3)
    for cluster in 3..<380 {
      volume.chain([cluster])
      volume.entry("D          ", at: volume.place(cluster), attributes: 0x10, first: cluster + 1)
    }
    volume.chain([380])
    #expect(try volume.found()?.doubt().contains("too deep") == true)
  }

  @Test(arguments: kinds)
  func `no change of a byte makes more free than there was`(kind: FATBootSector.Kind) throws {
    let volume = TestFAT.usual(kind)
    let free = volume.set(volume.usualFree)
    var places = Array(0..<520) + Array(volume.root..<volume.root + 320)
    places += Array(volume.place(5)..<volume.place(5) + 128)
    places += Array(volume.reserved * 512..<volume.reserved * 512 + 200)
    // A volume of FAT16 is large.
    for place in kind == .fat16
      ? places.enumerated().filter({ $0.offset % 7 == 0 }).map(\.element) : places
    {
      for value: UInt8 in [0, 0xFF, volume.disk.bytes[place] &+ 1, volume.disk.bytes[place] &- 1] {
        var other = volume
        other.disk.bytes[place] = value
        let second = place + volume.fatSectors * 512
        if place >= volume.reserved * 512, place < (volume.reserved + volume.fatSectors) * 512 {
          other.disk.bytes[second] = value
        }
        if kind == .fat32, place < 512 { other.disk.bytes[6 * 512 + place] = value }
        guard let finding = try other.found() else { continue }
        let found = try finding.free() ?? ExtentSet()
        #expect(
          found.ranges.allSatisfy { range in free.ranges.contains { $0.contains(range) } },
          "byte \(place) = \(value): \(found.ranges)")
        _ = try finding.fileSystem?.files()?.listing(limit: 100)
      }
    }
  }

  @Test(arguments: kinds)
  func `a volume that is cut off is read whole`(kind: FATBootSector.Kind) throws {
    let volume = TestFAT.usual(kind)
    for count in stride(from: 0, to: volume.disk.bytes.count, by: 509) {
      let area = try GuestArea(MemoryDisk(Array(volume.disk.bytes[0..<count])))
      for finding in try FAT.find(in: area) { #expect(finding.fileSystem == nil) }
    }
  }

  @Test func `a disk whose first sector is a FAT volume's has no partition table`() throws {
    var volume = TestFAT.usual(.fat16)
    // As mkfs.fat --mbr writes it: one partition, from sector 0.
    volume.disk.entry(0, type: 0x0E, 0, volume.disk.bytes.count / 512)
    volume.disk.put("        ", at: 54)
    #expect(volume.disk.layout.table == nil)
    #expect(volume.disk.layout.contents.map(\.kind) == ["FAT16"])
    #expect(try volume.found()?.doubt() == "")
  }

  @Test func `an encrypted volume behind a FAT32 one is left alone`() throws {
    var volume = TestFAT.usual(.fat32)
    volume.disk.put(
      [
        0x3B, 0xD6, 0x67, 0x49, 0x29, 0x2E, 0xD8, 0x4A, 0x83, 0x99, 0xF6, 0xA3, 0x39, 0xE3, 0xD0,
        0x01,
      ], at: 424)
    #expect(try volume.found()?.kind == "BitLocker To Go")
    #expect(try volume.found()?.fileSystem == nil)
  }
}

extension TestFAT {
  /// Makes the text in the boot sector that of another kind.
  fileprivate mutating func rename() {
    disk.put(kind == .fat12 ? "FAT16   " : "FAT12   ", at: 54)
  }
}

extension Range where Bound == UInt64 {
  fileprivate func contains(_ other: Range<UInt64>) -> Bool {
    other.lowerBound >= lowerBound && other.upperBound <= upperBound
  }
}
