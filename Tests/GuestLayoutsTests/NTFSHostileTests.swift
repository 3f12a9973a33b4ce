import Blocks
import Bytes
import Testing

@testable import GuestLayouts

/// Volumes of which any field says something else.
struct NTFSHostileTests {
  /// A volume with some of everything.
  static let volume: TestNTFS = {
    var volume = TestNTFS()
    let packed: [UInt8] = [0x03, 0xB0, 0x02, 0x41, 0xFC, 0x0F, 0x00, 0x30, 0x55, 0, 0]
    volume.used.formUnion(200..<210)
    volume.patches = [
      (201 * 4096, packed),
      (
        205 * 4096,
        TestNTFS.indexBlock(0, TestNTFS.entry(Array("inner".utf16), 30) + TestNTFS.lastEntry())
      ),
    ]
    volume.file(
      "compressed", number: 30,
      [
        TestNTFS.Attribute(
          type: 0x80, flags: 1, form: .mapped([(201, 1), (nil, 1), (202, 2)], size: 16000, unit: 1))
      ])
    volume.file(
      "link", number: 31, attributes: 0x400,
      [
        TestNTFS.Attribute(
          type: 0xC0,
          form: .resident(
            TestNTFS.number(0xA000_000C, 4) + [16, 0, 0, 0, 0, 0, 2, 0, 2, 0, 2, 0, 1, 0, 0, 0]
              + TestNTFS.words("ab")))
      ])
    volume.file("folder", number: 32, [])
    volume.record(
      32,
      [
        TestNTFS.standardInformation(), TestNTFS.indexRoot(TestNTFS.lastEntry(below: 0)),
        TestNTFS.Attribute(type: 0xA0, name: "$I30", form: .mapped([(205, 1)], size: 4096)),
      ], isDirectory: true)
    volume.file(
      "streams", number: 33,
      [
        TestNTFS.data([1, 2]), TestNTFS.Attribute(type: 0x80, name: "s", form: .resident([1])),
        TestNTFS.Attribute(type: 0xE0, form: .resident([0, 0, 0, 0, 0, 1, 0, 0, 65, 0])),
      ])
    volume.file("hiberfil.sys", number: 34, [TestNTFS.data([0])])
    return volume
  }()

  static let metadata: [Range<Int>] =
    [0..<512, 2 * 4096..<2 * 4096 + 4096]
    + [0, 1, 2, 3, 5, 6, 7, 30, 31, 32, 33, 34].map {
      4 * 4096 + $0 * 1024..<4 * 4096 + $0 * 1024 + 560
    }
    + [100 * 4096..<100 * 4096 + 64, 201 * 4096..<201 * 4096 + 12, 205 * 4096..<205 * 4096 + 256]

  /// Walks everything within a bound; only errors of the expected kinds may come.
  static func walk(_ disk: TestDisk) throws -> UInt64 {
    guard let system = try finding(disk)?.fileSystem else { return 0 }
    _ = system.fileDoubt
    _ = system.usedByteCount
    var free: UInt64 = 0
    do {
      let space = try system.freeSpace()
      free = space.byteCount
      for cluster: UInt64 in [0, 1, 2, 3, 4, 19, 100, 115] {
        #expect(space.extents.intersection(TestNTFS.places([cluster..<cluster + 1])[0]).isEmpty)
      }
    } catch is FormatError {} catch is GuestDoubt {}
    do {
      if let tree = try system.files() { try walk(tree, tree.root, depth: 0) }
    } catch is FormatError {} catch is GuestDoubt {}
    return free
  }

  static func finding(_ disk: TestDisk) throws -> GuestFinding? {
    try NTFS.find(in: GuestArea(disk.source)).first
  }

  private static func walk(_ tree: any FileTree, _ id: UInt64, depth: Int) throws {
    guard depth < 3 else { return }
    var ids: [UInt64] = []
    do {
      let file = try tree.file(id)
      if file.kind == .directory {
        try tree.forEachEntry(of: file) {
          ids.append($0.id)
          return ids.count < 20
        }
      }
      for action in 0..<4 {
        do {
          switch action {
          case 0: _ = try tree.extents(of: file)
          case 1: _ = try tree.target(of: file)
          case 2: _ = try tree.attributes(of: file)
          default:
            let content = try tree.content(of: file)
            let count = min(content.size, 100_000)
            _ = try content.bytes(Int(count), at: 0)
            _ = try content.bytes(Int(count), at: content.size - count)
            _ = try content.nextData(at: content.size / 2)
          }
        } catch is FormatError {} catch is GuestDoubt {}
      }
    } catch is FormatError {} catch is GuestDoubt {}
    for id in ids { try walk(tree, id, depth: depth + 1) }
  }

  @Test func `each field may say anything, and no more is free than was`() throws {
    let good = Self.volume.built()
    let usual = try Self.walk(good)
    #expect(usual == (1023 - 20 - 16 - 10) * 4096)
    var noise = Noise(11)
    for range in Self.metadata {
      // A third of the places keeps the test short; the fuzzer takes them all.
      for place in stride(from: range.lowerBound, to: range.upperBound, by: 2)
      where noise.next() % 3 == 0 {
        let old = UInt64(good.bytes[place]) | UInt64(good.bytes[place + 1]) << 8
        let values: [UInt64] = [0, 0xFFFF, old &+ 1, old &- 1, noise.next(), old ^ 0x80]
        var disk = good
        disk.set(place, values[Int(noise.next() % 6)], 2)
        #expect(try Self.walk(disk) <= usual, "\(place)")
      }
    }
  }

  @Test func `wide fields may say anything, too`() throws {
    let good = Self.volume.built()
    let usual = try Self.walk(good)
    var noise = Noise(12)
    for range in Self.metadata {
      for place in stride(from: range.lowerBound, to: range.upperBound - 8, by: 8) {
        var disk = good
        let values: [UInt64] = [0, .max, 1 << 63, UInt64(Int64.max), noise.next(), 1 << 40]
        disk.set(place, values[Int(noise.next() % 6)], 8)
        #expect(try Self.walk(disk) <= usual, "\(place)")
      }
    }
  }

  @Test func `a volume may end anywhere`() throws {
    let good = Self.volume.built()
    for count in stride(from: 0, to: good.bytes.count, by: 37_003) {
      var disk = good
      disk.bytes.removeLast(disk.bytes.count - count)
      #expect(try Self.walk(disk) == 0)
    }
  }
}
