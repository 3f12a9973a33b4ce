import Bytes
import Platform

/// Puts files into an exFAT volume of mkfs.exfat, as no tool of exfatprogs does.
///
/// exFAT File System Specification (Microsoft, 2019): "File Allocation Table", "Allocation Bitmap",
/// "File", "Stream Extension" and "File Name Directory Entry". Names are ASCII.
struct ExFATWriter {
  private let file: FileDescriptor
  private let fat: UInt64
  private let heap: UInt64
  private let clusterSize: Int
  private let clusterCount: Int
  private let root: Int
  private let bitmapPlace: UInt64
  private var bitmap: [UInt8]
  /// Entries of the root directory, which has one cluster.
  private var entries: [UInt8]

  init(_ path: String) throws {
    file = try FileDescriptor(path, .update)
    let boot = try file.read(512, at: 0)
    let span = boot.span
    let sectorShift = UInt64(boot[108])
    fat = UInt64(span.little32(at: 80)) << sectorShift
    heap = UInt64(span.little32(at: 88)) << sectorShift
    clusterSize = 1 << Int(boot[108] + boot[109])
    clusterCount = Int(span.little32(at: 92))
    root = Int(span.little32(at: 96))
    let place = heap + UInt64((root - 2) * clusterSize)
    let old = try file.read(clusterSize, at: place)
    let end = stride(from: 0, to: old.count, by: 32).first { old[$0] == 0 } ?? old.count
    entries = Array(old[..<end])
    let own = stride(from: 0, to: end, by: 32).first { old[$0] == 0x81 } ?? 0
    let first = Int(old.span.little32(at: own + 20))
    bitmapPlace = heap + UInt64((first - 2) * clusterSize)
    bitmap = try file.read((clusterCount + 7) / 8, at: bitmapPlace)
  }

  private static func number(_ value: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
  }

  /// Takes clusters, one behind the other or with a gap behind each.
  private mutating func take(_ count: Int, isChain: Bool) throws -> [Int] {
    var clusters: [Int] = []
    var cluster = 2 + (bitmap.lastIndex { $0 != 0 } ?? 0) * 8 + 8
    for _ in 0..<count {
      bitmap[(cluster - 2) / 8] |= 1 << UInt8((cluster - 2) % 8)
      clusters.append(cluster)
      cluster += isChain ? 2 : 1
    }
    guard isChain else { return clusters }
    for (index, cluster) in clusters.enumerated() {
      let next = index + 1 < clusters.count ? clusters[index + 1] : 0xFFFF_FFFF
      let entry = Self.number(next, 4)
      try file.write(entry.span, at: fat + UInt64(cluster * 4))
    }
    return clusters
  }

  private func write(_ bytes: [UInt8], to clusters: [Int]) throws {
    for (index, cluster) in clusters.enumerated() {
      let part = Array(bytes[index * clusterSize..<min(bytes.count, (index + 1) * clusterSize)])
      try file.write(part.span, at: heap + UInt64((cluster - 2) * clusterSize))
    }
  }

  /// The entries that stand for a file or folder.
  private static func set(
    _ name: String, first: Int, byteCount: Int, isChain: Bool, isFolder: Bool
  ) -> [UInt8] {
    let units = Array(name.utf16)
    let nameEntries = (units.count + 14) / 15
    let stamp = number(46 << 25 | 11 << 21 | 22 << 16 | 12 << 11, 4)
    var head: [UInt8] = [0x85, UInt8(1 + nameEntries), 0, 0, isFolder ? 0x10 : 0x20, 0, 0, 0]
    head += stamp + stamp + stamp + [0, 0, 0x80, 0x80, 0x80] + [UInt8](repeating: 0, count: 7)
    let upper = name.uppercased().utf16.flatMap { number(Int($0), 2) }
    let hash = upper.reduce(UInt16(0)) { ($0 << 15 | $0 >> 1) &+ UInt16($1) }
    var set =
      head + [0xC0, isChain ? 1 : 3, 0, UInt8(units.count)] + number(Int(hash), 2) + [0, 0]
    set += number(byteCount, 8) + [0, 0, 0, 0] + number(first, 4) + number(byteCount, 8)
    for start in stride(from: 0, to: units.count, by: 15) {
      let part = units[start..<min(units.count, start + 15)].flatMap { number(Int($0), 2) }
      set += [0xC1, 0] + part + [UInt8](repeating: 0, count: 30 - part.count)
    }
    var sum: UInt16 = 0
    for (index, byte) in set.enumerated() where index != 2 && index != 3 {
      sum = (sum << 15 | sum >> 1) &+ UInt16(byte)
    }
    set.replaceSubrange(2..<4, with: number(Int(sum), 2))
    return set
  }

  private mutating func made(_ name: String, _ bytes: [UInt8], isChain: Bool) throws -> [UInt8] {
    let clusters = try take((bytes.count + clusterSize - 1) / clusterSize, isChain: isChain)
    try write(bytes, to: clusters)
    return Self.set(
      name, first: clusters.first ?? 0, byteCount: bytes.count, isChain: isChain, isFolder: false)
  }

  /// Adds a file to the root directory.
  ///
  /// - Parameter isChain: Whether its clusters are in pieces that the FAT tells; else they follow
  ///   each other, and the FAT says nothing of them.
  mutating func add(_ name: String, _ bytes: [UInt8], isChain: Bool) throws {
    entries += try made(name, bytes, isChain: isChain)
  }

  /// Adds a folder with one file in it.
  mutating func addFolder(_ name: String, with inner: String, _ bytes: [UInt8]) throws {
    let content = try made(inner, bytes, isChain: false)
    let clusters = try take(1, isChain: true)
    try write(content + [UInt8](repeating: 0, count: clusterSize - content.count), to: clusters)
    entries += Self.set(
      name, first: clusters[0], byteCount: clusterSize, isChain: true, isFolder: true)
  }

  /// Writes the root directory and the bitmap.
  func finish() throws {
    let bitmap = bitmap
    let rest = [UInt8](repeating: 0, count: clusterSize - entries.count)
    try write(entries + rest, to: [root])
    try file.write(bitmap.span, at: bitmapPlace)
    try file.close()
  }
}
