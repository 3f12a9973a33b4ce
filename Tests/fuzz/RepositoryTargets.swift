import Blocks
import Bytes
import Codecs
import Glibc
import Platform
import TestSupport

@testable import ObjectStores
@testable import Repositories
@testable import Streams

/// Leaves and inner nodes of maps.
struct MapTarget: FuzzTarget {
  func run(_ input: [UInt8]) throws {
    if let leaf = try? MapLeaf(parsing: input.span, count: Segment.byteCount) {
      try Fuzz.require(leaf.bytes == input, "a leaf that is written otherwise than it is read")
    }
    for level in 1...MapInner.levelLimit {
      guard let inner = try? MapInner(parsing: input.span, level: level) else { continue }
      let again = try MapInner(parsing: inner.bytes.span, level: level)
      try Fuzz.require(again == inner, "a node that is written otherwise than it is read")
    }
  }

  func samples() throws -> [[UInt8]] {
    let id = SHA256.digest(of: [1])
    let leaf = MapLeaf(runs: [
      .init(count: 4096, content: .chunk(id)),
      .init(count: Segment.byteCount - 4096, content: .hole(.swap)),
    ])
    let inner = MapInner(
      level: 1, children: [.node(id, fingerprint: 5), .hole(.free), .node(id, fingerprint: nil)])
    return [leaf.bytes, inner.bytes]
  }
}

/// Index files.
struct IndexTarget: FuzzTarget {
  func mended(_ input: [UInt8]) -> [UInt8] {
    guard input.count >= 64 else { return input }
    var bytes = input
    bytes.set(48, 8, Checksum.of(Array(bytes[64...])))
    bytes.set(56, 8, Checksum.of(Array(bytes[..<56])))
    return bytes
  }

  func run(_ input: [UInt8]) throws {
    let table = try IndexTable(try Fuzz.file(input), name: "index/x")
    _ = table.isWhole
    for position in 0..<min(table.count, 100) {
      _ = table.entry(at: position)
      _ = table.find(table.id(at: position))
      _ = table.rows(of: table.id(at: position))
    }
    _ = table.find(SHA256.digest(of: input))
  }

  func samples() throws -> [[UInt8]] {
    let packs = (0..<2).map { number in
      (
        info: PackInfo(id: SHA256.digest(of: [UInt8(number)]), size: 5000),
        entries: (0..<4).map { PackTarget.entry(UInt8($0 * 2 + number), at: 64) }
      )
    }
    return [IndexTable.build(packs, superseded: [SHA256.digest(of: [])])]
  }
}

/// Packs, as a repository that somebody else wrote holds them.
struct PackTarget: FuzzTarget {
  static func entry(_ number: UInt8, at offset: UInt32) -> ChunkEntry {
    ChunkEntry(
      id: SHA256.digest(of: [UInt8](repeating: number, count: 100)), offset: offset,
      storedCount: 100, plainCount: 100, type: .data, codec: .plain,
      check: Checksum.of([UInt8](repeating: number, count: 100)), framePlainCount: 100,
      offsetInFrame: 0)
  }

  func mended(_ input: [UInt8]) -> [UInt8] {
    guard input.count >= 128 else { return input }
    var bytes = input
    bytes.set(56, 8, Checksum.of(Array(bytes[..<56])))
    let trailer = bytes.count - 64
    let count = Int(bytes.little(trailer + 16, 4))
    let directory = trailer - count * ChunkEntry.byteCount
    if directory >= 64 {
      bytes.set(trailer + 8, 8, UInt64(directory))
      bytes.set(trailer + 16, 8, UInt64(count))
      bytes.set(trailer + 24, 8, Checksum.of(Array(bytes[directory..<trailer])))
      mendRows(&bytes, directory, count)
    }
    bytes.set(trailer + 32, 8, UInt64(bytes.count))
    bytes.set(trailer + 56, 8, Checksum.of(Array(bytes[trailer..<trailer + 56])))
    return bytes
  }

  /// Frames' checksums, so that decoding is reached.
  private func mendRows(_ bytes: inout [UInt8], _ directory: Int, _ count: Int) {
    for row in 0..<count {
      let place = directory + row * ChunkEntry.byteCount
      let start = Int(bytes.little(place + 32, 4))
      let end = start + Int(bytes.little(place + 36, 4))
      if end <= directory {
        bytes.set(place + 48, 8, Checksum.of(Array(bytes[start..<end])))
      }
    }
    let trailer = bytes.count - 64
    bytes.set(trailer + 24, 8, Checksum.of(Array(bytes[directory..<trailer])))
  }

  func run(_ input: [UInt8]) throws {
    let id = SHA256.digest(of: input)
    let entries = try PackFile.readDirectory(
      try Fuzz.file(input), size: UInt64(input.count), name: "packs/x")
    _ = try PackProof().prove(try Fuzz.file(input), id, UInt64(input.count), entries)
    let path = "/dev/shm/vpipe-fuzz-store-\(getpid())"
    if try Files.status(path) != nil { try Scratch.remove(path) }
    defer { try? Scratch.remove(path) }
    let store = LocalStore(path)
    try store.create(["packs", "packs/\(id.description.prefix(2))"])
    try FileDescriptor("\(path)/\(Layout.pack(id))", .create).write(input)
    let index = try ChunkIndex(store)
    let reader = ChunkReader(index, PackFiles(store))
    for entry in entries.prefix(20) {
      _ = try? reader.bytes(entry.id)
      _ = try? reader.leaf(entry.id, count: Segment.byteCount)
    }
  }

  func samples() throws -> [[UInt8]] {
    let header = PackFile.header(salt: [UInt8](repeating: 1, count: 32))
    let chunks = [UInt8](repeating: 1, count: 100) + [UInt8](repeating: 2, count: 100)
    var compressed = [UInt8](repeating: 0, count: 1000)
    var target = compressed.mutableSpan
    let plain = [UInt8](repeating: 3, count: 900)
    let count = try ZstdCompressor(level: 1).compress(plain.span, into: &target) ?? 0
    let stored = Array(compressed[..<count])
    let pair = (0..<2).map {
      ChunkEntry(
        id: SHA256.digest(of: Array(plain[..<450])), offset: 264, storedCount: UInt32(count),
        plainCount: 450, type: .data, codec: .zstd, check: Checksum.of(stored),
        framePlainCount: 900, offsetInFrame: UInt32($0 * 450))
    }
    let directory = PackFile.directory([Self.entry(1, at: 64), Self.entry(2, at: 164)] + pair)
    let start = header + chunks + stored
    return [
      start + directory
        + PackFile.trailer(directoryOffset: UInt64(start.count), directory: directory)
    ]
  }
}

/// Points: JSON that somebody else wrote.
struct PointTarget: FuzzTarget {
  func mended(_ input: [UInt8]) -> [UInt8] {
    Array("VPOINT\0\u{1}".utf8) + [UInt8](repeating: 0, count: 8) + input
  }

  func run(_ input: [UInt8]) throws {
    let name = PointName(sequence: 1, id: SHA256.digest(of: input))
    let point = try RecoveryPoint(fileBytes: input, name: name, file: "points/x")
    _ = try point.fileBytes()
    // What a restore does with it before it reads a chunk.
    let writer = try StreamWriter(try Fuzz.file([]))
    for (number, volume) in point.volumes.enumerated() {
      var header = VolumeHeader(
        number: UInt32(number), size: volume.size,
        fields: volume.fields.sorted { $0.key < $1.key }.map { .init($0.key, $0.value) })
      header.name = volume.name
      _ = header.sectorSize
      try writer.volume(header)
    }
    for attachment in point.attachments {
      try writer.attachment(Attachment(name: attachment.name, bytes: []))
    }
    try writer.seal(missing: point.missing)
  }

  func samples() throws -> [[UInt8]] {
    let folder = "\(Golden.folder)/repository-1/points"
    return try Files.names(in: folder).map {
      Array((try Files.contents("\(folder)/\($0)", limit: 1 << 20) ?? []).dropFirst(16))
    }
  }
}

/// Lists of known chunks.
struct KnownTarget: FuzzTarget {
  func mended(_ input: [UInt8]) -> [UInt8] {
    var bytes = input
    if bytes.count > 32 { bytes.set(24, 8, Checksum.of(Array(bytes[32...]))) }
    return bytes
  }

  func run(_ input: [UInt8]) throws {
    let list = try KnownIDs(try Fuzz.file(input))
    _ = list.contains(SHA256.digest(of: input))
    _ = list.contains(Digest(words: (0, 0, 0, 0)))
    _ = list.contains(Digest(words: (.max, .max, .max, .max)))
    _ = try Deduplicator(.list(list), level: nil)
  }

  func samples() throws -> [[UInt8]] {
    let ids = Set((0..<5).map { SHA256.digest(of: [$0]) })
    var bytes: [UInt8] = []
    try KnownIDs.write(
      cut: "aligned:65536:1", fingerprintKey: Noise.bytes(32, seed: 1),
      ids: ids.sorted(), to: { bytes += $0 })
    return [bytes]
  }
}

/// Baselines.
struct BaselineTarget: FuzzTarget {
  func mended(_ input: [UInt8]) -> [UInt8] {
    var bytes = input
    if bytes.count > 24 { bytes.set(16, 8, Checksum.of(Array(bytes[24...]))) }
    return bytes
  }

  func run(_ input: [UInt8]) throws {
    let file = try BaselineFile(try Fuzz.file(input))
    for name in ["root", "data", ""] {
      guard let volume = file.volume(name, size: 1 << 20) ?? file.volume(name, size: 16) else {
        continue
      }
      for index in [0, 1, 2, 1023, 1024, 1 << 34, UInt64.max] { _ = file.known(volume, index) }
    }
    let segment = Segment()
    for offset in [0, 1 << 22, 1 << 40] as [UInt64] {
      segment.reset(volume: 0, offset: offset, count: 4096)
      segment.append(0..<4096, .hole(.zero))
      for name in ["root", "data", ""] { _ = file.isUnchanged(segment, ofVolume: name) }
    }
  }

  func samples() throws -> [[UInt8]] {
    let repository = try Repository("\(Golden.folder)/repository-1")
    return [try repository.baseline(of: try repository.resolve("golden"))]
  }
}
