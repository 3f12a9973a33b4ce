import Blocks
import Bytes
import Testing

@testable import GuestLayouts

/// A small exFAT volume that a test builds: 200 clusters of one sector of 512 bytes.
struct TestExFAT {
  static let clusterCount = 200
  var disk = TestDisk(40 * 512 + clusterCount * 512)
  /// Clusters that the bitmap has.
  private(set) var taken: Set<Int> = []

  func place(_ cluster: Int) -> Int { 40 * 512 + (cluster - 2) * 512 }

  init() {
    disk.put([0xEB, 0x76, 0x90], at: 0)
    disk.put("EXFAT   ", at: 3)
    disk.set(72, UInt64(disk.bytes.count / 512), 8)
    disk.set(80, 24, 4)
    disk.set(84, 2, 4)
    disk.set(88, 40, 4)
    disk.set(92, UInt64(TestExFAT.clusterCount), 4)
    disk.set(96, 4, 4)
    disk.set(100, 0x1234_ABCD, 4)
    disk.set(104, 0x100, 2)
    disk.set(108, 9, 1)
    disk.set(110, 1, 1)
    disk.set(510, 0xAA55, 2)
    sum()
    var noise = Noise(3)
    for place in place(2)..<disk.bytes.count {
      disk.bytes[place] = UInt8(truncatingIfNeeded: noise.next())
    }
    disk.put([UInt8](repeating: 0, count: 3 * 512), at: place(2))
    for cluster in 2..<5 { chain([cluster]) }
    // Bitmap in cluster 2, up-case table in 3, root in 4.
    let upcase: [UInt8] = [1, 2, 3, 4]
    disk.put(upcase, at: place(3))
    entry(0, 0x81, first: 2, count: (TestExFAT.clusterCount + 7) / 8)
    entry(1, 0x82, first: 3, count: upcase.count)
    let sum = upcase.reduce(UInt32(0)) { ($0 << 31 | $0 >> 1) &+ UInt32($1) }
    disk.set(place(4) + 32 + 4, UInt64(sum), 4)
    disk.bytes[place(4) + 64] = 0x83
    disk.bytes[place(4) + 65] = 4
    disk.put([0x44, 0, 0x69, 0, 0x73, 0, 0x6B, 0], at: place(4) + 66)
  }

  private mutating func entry(_ index: Int, _ type: UInt8, first: Int, count: Int) {
    let start = place(4) + index * 32
    disk.bytes[start] = type
    disk.set(start + 20, UInt64(first), 4)
    disk.set(start + 24, UInt64(count), 8)
  }

  /// Makes the boot sectors' checksum right.
  mutating func sum() {
    let sum = ExFATBootSector.checksum(disk.bytes[0..<11 * 512])
    for place in stride(from: 11 * 512, to: 12 * 512, by: 4) { disk.set(place, UInt64(sum), 4) }
  }

  mutating func take(_ cluster: Int, _ isTaken: Bool = true) {
    if isTaken { taken.insert(cluster) } else { taken.remove(cluster) }
    let bit = UInt8(1) << UInt8((cluster - 2) % 8)
    let byte = place(2) + (cluster - 2) / 8
    if isTaken { disk.bytes[byte] |= bit } else { disk.bytes[byte] &= ~bit }
  }

  mutating func link(_ cluster: Int, _ value: UInt32) {
    disk.set(24 * 512 + cluster * 4, UInt64(value), 4)
  }

  mutating func chain(_ clusters: [Int]) {
    for (index, cluster) in clusters.enumerated() {
      link(cluster, index + 1 < clusters.count ? UInt32(clusters[index + 1]) : 0xFFFF_FFFF)
      take(cluster)
    }
  }

  /// Writes a set of entries.
  ///
  /// - Returns: Where the next one goes.
  @discardableResult
  mutating func file(
    _ name: String, at start: Int, first: Int, size: Int, written: Int? = nil,
    isContiguous: Bool = false, isDirectory: Bool = false
  ) -> Int {
    let units = Array(name.utf16)
    let count = 1 + (units.count + 14) / 15
    var set = TestDisk((count + 1) * 32)
    set.bytes[0] = 0x85
    set.bytes[1] = UInt8(count)
    set.bytes[4] = isDirectory ? 0x10 : 0x20
    let stamp: UInt64 = (46 << 9 | 11 << 5 | 22) << 16 | 13 << 11 | 14 << 5 | 8
    for place in [8, 12, 16] { set.set(place, stamp, 4) }
    set.bytes[21] = 150
    // An hour and a quarter ahead of UTC; two hours behind; not known.
    set.bytes[22] = 0x80 | 5
    set.bytes[23] = 0x80 | (0x80 - 8)
    set.bytes[32] = 0xC0
    set.bytes[33] = isContiguous ? 3 : 1
    set.bytes[35] = UInt8(units.count)
    set.set(40, UInt64(written ?? size), 8)
    set.set(52, UInt64(first), 4)
    set.set(56, UInt64(size), 8)
    for (index, unit) in units.enumerated() {
      set.bytes[64 + index / 15 * 32] = 0xC1
      set.set(64 + index / 15 * 32 + 2 + index % 15 * 2, UInt64(unit), 2)
    }
    var sum: UInt16 = 0
    for (index, byte) in set.bytes.enumerated() where index != 2 && index != 3 {
      sum = (sum << 15 | sum >> 1) &+ UInt16(byte)
    }
    set.set(2, UInt64(sum), 2)
    disk.put(set.bytes, at: start)
    return start + set.bytes.count
  }

  static func usual() -> TestExFAT {
    var volume = TestExFAT()
    volume.chain([10, 11, 20])
    for cluster in 30..<33 { volume.take(cluster) }
    volume.chain([5, 50])
    volume.disk.put([UInt8](repeating: 0, count: 512), at: volume.place(5))
    volume.disk.put([UInt8](repeating: 0, count: 512), at: volume.place(50))
    var next = volume.file(
      "folder", at: volume.place(4) + 96, first: 5, size: 1024, isDirectory: true)
    next = volume.file("pieces.bin", at: next, first: 10, size: 1200)
    // The set is in two clusters that do not follow each other.
    let inner = volume.place(5) + 512 - 64
    for place in stride(from: volume.place(5), to: inner, by: 32) { volume.disk.bytes[place] = 5 }
    let set = TestExFAT.set("a name in two entries, ü", first: 30, size: 1500, written: 700)
    volume.disk.put(Array(set[0..<64]), at: inner)
    volume.disk.put(Array(set[64...]), at: volume.place(50))
    return volume
  }

  private static func set(_ name: String, first: Int, size: Int, written: Int) -> [UInt8] {
    var other = TestExFAT()
    let start = other.place(100)
    let end = other.file(
      name, at: start, first: first, size: size, written: written, isContiguous: true)
    return Array(other.disk.bytes[start..<end])
  }

  var free: ExtentSet {
    ExtentSet(
      (2..<TestExFAT.clusterCount + 2).filter { !taken.contains($0) }.map {
        UInt64(place($0))..<UInt64(place($0) + 512)
      })
  }

  func found() throws -> GuestFinding? { try ExFAT.find(in: GuestArea(disk.source)).first }
}

struct ExFATTests {
  @Test func `free space is what the bitmap does not have`() throws {
    let volume = TestExFAT.usual()
    let finding = try #require(try volume.found())
    #expect(finding.label == "Disk")
    #expect(finding.uuid == "1234-ABCD")
    #expect(try finding.fileSystem?.freeSpace().extents == volume.free)
  }

  @Test func `files are read with their names, times and pieces`() throws {
    let volume = TestExFAT.usual()
    let tree = try #require(try volume.found()?.fileSystem?.files())
    let bytes = volume.disk.bytes
    let pieces = [10, 11, 20].flatMap { bytes[volume.place($0)..<volume.place($0) + 512] }
    let whole = Array(bytes[volume.place(30)..<volume.place(30) + 700])
    let listing = tree.listing()
    let isListed =
      listing == [
        "/": [], "/folder/": [], "/pieces.bin": Array(pieces.prefix(1200)),
        "/folder/a name in two entries, ü": whole + [UInt8](repeating: 0, count: 800),
      ]
    #expect(isListed, "\(listing.keys)")
    let file = try #require(try tree.find([Array("PIECES.bin".utf8)]))
    #expect(file.created == FileTime(seconds: 1_795_353_256 - 4500))
    #expect(file.modified == FileTime(seconds: 1_795_353_257 + 7200, nanoseconds: 500_000_000))
    #expect(file.accessed == FileTime(seconds: 1_795_353_256))
    #expect(try tree.extents(of: file).map(\.offset) == [0, 1024])
  }

  /// What makes a volume doubtful, with a word of the reason.
  static let faults: [(String, @Sendable (inout TestExFAT) -> Void)] = [
    ("not unmounted", { $0.disk.bytes[106] = 2 }),
    ("medium", { $0.disk.bytes[106] = 4 }),
    ("first FAT", { $0.disk.bytes[106] = 1 }),
    ("checksum of its boot", { $0.disk.bytes[3000] = 1 }),
    (
      "not understood",
      {
        $0.disk.bytes[105] = 2
        $0.sum()
      }
    ),
    (
      "TexFAT",
      {
        $0.disk.bytes[110] = 2
        $0.sum()
      }
    ),
    (
      "not understood",
      {
        $0.disk.set(92, 5000, 4)
        $0.sum()
      }
    ),
    ("larger than the place", { $0.disk.bytes.removeLast(512) }),
    ("up-case", { $0.disk.bytes[$0.place(3)] = 9 }),
    ("does not fit its clusters", { $0.disk.bytes[$0.place(4) + 24] = 24 }),
    ("unknown type", { $0.disk.bytes[$0.place(4) + 64] = 0x84 }),
    ("one allocation bitmap", { $0.disk.bytes[$0.place(4)] = 5 }),
    ("FAT does not fit", { $0.link(2, 60) }),
    ("free or another file's", { $0.take(2, false) }),
    ("free or another file's", { $0.take(31, false) }),
    ("free or another file's", { $0.take(11, false) }),
    ("free or another file's", { $0.link(20, 30) }),
    ("broken", { $0.link(11, 0) }),
    (
      "do not fit its size",
      {
        $0.link(11, 0xFFFF_FFFF)
        $0.take(20, false)
      }
    ),
    ("no file has it", { $0.take(70) }),
    ("checksum", { $0.disk.bytes[$0.place(4) + 100] ^= 1 }),
  ]

  @Test(arguments: faults.indices)
  func `what is not in order is read whole`(fault: Int) throws {
    var volume = TestExFAT.usual()
    ExFATTests.faults[fault].1(&volume)
    let doubt = try #require(try volume.found()).doubt()
    #expect(doubt.contains(ExFATTests.faults[fault].0), "\(doubt)")
  }

  @Test func `a bad cluster is not free and no doubt`() throws {
    var volume = TestExFAT.usual()
    volume.take(70)
    volume.link(70, 0xFFFF_FFF7)
    #expect(try volume.found()?.fileSystem?.freeSpace().extents == volume.free)
  }

  @Test func `no change of a byte makes more free than there was`() throws {
    let volume = TestExFAT.usual()
    var places = Array(0..<520) + Array(24 * 512..<24 * 512 + 210)
    places += Array(volume.place(2)..<volume.place(2) + 30)
    places += Array(volume.place(4)..<volume.place(4) + 300)
    places += Array(volume.place(5) + 440..<volume.place(5) + 512)
    for place in places {
      for value: UInt8 in [0, 0xFF, volume.disk.bytes[place] &+ 1, volume.disk.bytes[place] &- 1] {
        var other = volume
        other.disk.bytes[place] = value
        if place < 512 { other.sum() }
        guard let finding = try other.found() else { continue }
        let found = try finding.free() ?? ExtentSet()
        let free = volume.free
        #expect(
          found.ranges.allSatisfy { range in
            free.ranges.contains { $0.clamped(to: range) == range }
          }, "byte \(place) = \(value)")
        _ = try finding.fileSystem?.files()?.listing(limit: 100)
      }
    }
  }

  @Test func `a directory that leads back to itself is damage, not a hang`() throws {
    var volume = TestExFAT.usual()
    volume.file("again", at: volume.place(50) + 64, first: 5, size: 1024, isDirectory: true)
    #expect(try volume.found()?.doubt().contains("another file's") == true)
    let tree = try #require(try volume.found()?.fileSystem?.files())
    #expect(tree.listing(limit: 50).count <= 60)
  }

  @Test func `a volume that is cut off is read whole`() throws {
    let volume = TestExFAT.usual()
    for count in stride(from: 0, to: volume.disk.bytes.count, by: 509) {
      let area = try GuestArea(MemoryDisk(Array(volume.disk.bytes[0..<count])))
      for finding in try ExFAT.find(in: area) { #expect(finding.fileSystem == nil) }
    }
  }
}
