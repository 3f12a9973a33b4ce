import Blocks
import Bytes

@testable import GuestLayouts

/// A small FAT volume that a test builds: two FATs, sectors of 512 bytes, one a cluster.
struct TestFAT {
  let kind: FATBootSector.Kind
  let clusterCount: Int
  var disk: TestDisk

  let reserved = 8
  var fatSectors: Int {
    let bits = kind == .fat12 ? 12 : kind == .fat16 ? 16 : 32
    return ((clusterCount + 2) * bits / 8 + 512) / 512
  }
  var rootSectors: Int { kind == .fat32 ? 0 : 4 }
  var heap: Int { (reserved + 2 * fatSectors + rootSectors) * 512 }
  /// Where the root directory is.
  var root: Int { kind == .fat32 ? place(2) : (reserved + 2 * fatSectors) * 512 }
  static let end: UInt32 = 0x0FFF_FFFF

  init(_ kind: FATBootSector.Kind, clusters: Int? = nil) {
    self.kind = kind
    clusterCount = clusters ?? (kind == .fat16 ? 4200 : 200)
    disk = TestDisk(0)
    let sectors = heap / 512 + clusterCount
    disk = TestDisk(sectors * 512)
    disk.put([0xEB, 0x58, 0x90], at: 0)
    disk.put("TESTDISK", at: 3)
    disk.set(11, 512, 2)
    disk.set(13, 1, 1)
    disk.set(14, UInt64(reserved), 2)
    disk.set(16, 2, 1)
    disk.set(21, 0xF8, 1)
    if kind == .fat32 {
      disk.set(32, UInt64(sectors), 4)
      disk.set(36, UInt64(fatSectors), 4)
      disk.set(44, 2, 4)
      disk.set(48, 1, 2)
      disk.set(50, 6, 2)
      disk.set(66, 0x29, 1)
      disk.set(67, 0x1234_ABCD, 4)
      disk.put("NO NAME    FAT32   ", at: 71)
    } else {
      disk.set(17, UInt64(rootSectors * 16), 2)
      disk.set(19, UInt64(sectors), 2)
      disk.set(22, UInt64(fatSectors), 2)
      disk.set(38, 0x29, 1)
      disk.set(39, 0x1234_ABCD, 4)
      disk.put("NO NAME    " + kind.rawValue + "   ", at: 43)
    }
    disk.set(510, 0xAA55, 2)
    if kind == .fat32 { disk.put(Array(disk.bytes[0..<512]), at: 6 * 512) }
    link(0, 0x0FFF_FFF8)
    link(1, TestFAT.end)
    if kind == .fat32 { link(2, TestFAT.end) }
  }

  func place(_ cluster: Int) -> Int { heap + (cluster - 2) * 512 }

  /// Writes an entry, in both FATs or in one.
  mutating func link(_ cluster: Int, _ value: UInt32, only: Int? = nil) {
    for fat in 0..<2 where only ?? fat == fat {
      let start = (reserved + fat * fatSectors) * 512
      switch kind {
      case .fat12:
        let place = start + cluster * 3 / 2
        let old = UInt32(disk.bytes[place]) | UInt32(disk.bytes[place + 1]) << 8
        let new =
          cluster % 2 == 0 ? old & 0xF000 | value & 0xFFF : old & 0xF | (value & 0xFFF) << 4
        disk.set(place, UInt64(new), 2)
      case .fat16: disk.set(start + cluster * 2, UInt64(value & 0xFFFF), 2)
      case .fat32: disk.set(start + cluster * 4, UInt64(value), 4)
      }
    }
  }

  mutating func chain(_ clusters: [Int]) {
    for (index, cluster) in clusters.enumerated() {
      link(cluster, index + 1 < clusters.count ? UInt32(clusters[index + 1]) : TestFAT.end)
    }
  }

  /// Writes an entry of a directory.
  ///
  /// - Returns: Where the next one goes.
  @discardableResult
  mutating func entry(
    _ name: String, at place: Int, attributes: UInt8 = 0x20, first: Int = 0, size: Int = 0,
    long: String? = nil, caseFlags: UInt8 = 0
  ) -> Int {
    entry(
      Array(name.utf8), at: place, attributes: attributes, first: first, size: size, long: long,
      caseFlags: caseFlags)
  }

  @discardableResult
  mutating func entry(
    _ name: [UInt8], at start: Int, attributes: UInt8 = 0x20, first: Int = 0, size: Int = 0,
    long: String? = nil, caseFlags: UInt8 = 0
  ) -> Int {
    var place = start
    if let long {
      for piece in TestFAT.pieces(long, sum: FATName.checksum(name)) {
        disk.put(piece, at: place)
        place += 32
      }
    }
    disk.put(name, at: place)
    disk.set(place + 11, UInt64(attributes), 1)
    disk.set(place + 12, UInt64(caseFlags), 1)
    disk.set(place + 13, 150, 1)
    // 2026-11-22, 13:14:16
    let date: UInt64 = 46 << 9 | 11 << 5 | 22
    let time: UInt64 = 13 << 11 | 14 << 5 | 8
    disk.set(place + 14, time, 2)
    disk.set(place + 16, date, 2)
    disk.set(place + 18, date, 2)
    disk.set(place + 20, UInt64(first >> 16), 2)
    disk.set(place + 22, time, 2)
    disk.set(place + 24, date, 2)
    disk.set(place + 26, UInt64(first & 0xFFFF), 2)
    disk.set(place + 28, UInt64(size), 4)
    return place + 32
  }

  /// The pieces of a long name, the last one first.
  static func pieces(_ name: String, sum: UInt8) -> [[UInt8]] {
    var units = Array(name.utf16)
    if units.count % 13 != 0 { units.append(0) }
    while units.count % 13 != 0 { units.append(0xFFFF) }
    let count = units.count / 13
    return (1...count).reversed().map { number in
      var piece = [UInt8](repeating: 0, count: 32)
      piece[0] = UInt8(number) | (number == count ? 0x40 : 0)
      piece[11] = 0x0F
      piece[13] = sum
      let places = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30]
      for (index, place) in places.enumerated() {
        let unit = units[(number - 1) * 13 + index]
        piece[place] = UInt8(truncatingIfNeeded: unit)
        piece[place + 1] = UInt8(unit >> 8)
      }
      return piece
    }
  }

  /// A volume with a folder, a file in two pieces, a bad cluster, and old content in free ones.
  static func usual(_ kind: FATBootSector.Kind) -> TestFAT {
    var volume = TestFAT(kind)
    var noise = Noise(3)
    for place in volume.place(3)..<volume.disk.bytes.count {
      volume.disk.bytes[place] = UInt8(truncatingIfNeeded: noise.next())
    }
    volume.chain([10, 11, 20])
    volume.chain([5])
    volume.chain([30])
    volume.link(40, 0x0FFF_FFF7)
    volume.disk.put([UInt8](repeating: 0, count: 512), at: volume.place(5))
    var next = volume.entry("MY DISK    ", at: volume.root, attributes: 8)
    next = volume.entry(
      "FOLDER~1   ", at: next, attributes: 0x10, first: 5, long: "folder with a long name, ü")
    next = volume.entry("README  TXT", at: next, caseFlags: 0x18)
    next = volume.entry([0xE5] + Array("OLD    TXT".utf8), at: next, first: 60, size: 70000)
    next = volume.entry("PIECES  BIN", at: next, first: 10, size: 1200)
    var inner = volume.entry(".          ", at: volume.place(5), attributes: 0x10, first: 5)
    inner = volume.entry("..         ", at: inner, attributes: 0x10)
    volume.entry([0x05, 0x8E] + Array("B     C  ".utf8), at: inner, first: 30, size: 512)
    return volume
  }

  /// The clusters that are free in it.
  var usualFree: [Int] {
    (2..<clusterCount + 2).filter {
      ![5, 10, 11, 20, 30, 40].contains($0) && (kind != .fat32 || $0 != 2)
    }
  }

  func set(_ clusters: [Int]) -> ExtentSet {
    ExtentSet(clusters.map { UInt64(place($0))..<UInt64(place($0) + 512) })
  }

  func found() throws -> GuestFinding? { try FAT.find(in: GuestArea(disk.source)).first }
}

extension GuestFinding {
  /// The free space; nil when the file system is not understood, or in doubt.
  func free() throws -> ExtentSet? {
    do { return try fileSystem?.freeSpace().extents } catch is GuestDoubt {
      return nil
    } catch is FormatError { return nil }
  }

  /// Why nothing is left out.
  func doubt() -> String {
    do {
      guard let fileSystem else { return note ?? "" }
      _ = try fileSystem.freeSpace()
      return ""
    } catch { return "\(error)" }
  }
}

extension FileTree {
  /// All paths with what is in the files; nothing is thrown, as what is damaged says so.
  func listing(limit: Int = 2000) -> [String: [UInt8]] {
    var result: [String: [UInt8]] = [:]
    func visit(_ id: UInt64, _ path: String, _ depth: Int) {
      do {
        let file = try file(id)
        guard file.kind == .directory else {
          let content = try content(of: file)
          result[path] = try content.bytes(Int(min(content.size, 1 << 20)), at: 0) ?? []
          _ = try extents(of: file)
          return
        }
        result[path + "/"] = []
        guard depth < 20 else { return }
        try forEachEntry(of: file) { entry in
          visit(entry.id, path + "/" + String(decoding: entry.name, as: UTF8.self), depth + 1)
          return result.count < limit
        }
      } catch { result[path + "!"] = Array("\(error)".utf8) }
    }
    visit(root, "", 0)
    return result
  }
}
