import Blocks
import Bytes
import Codecs
import Platform
import TestSupport
import Testing

@testable import ObjectStores
@testable import Repositories

/// Index tables and packs' directories.
struct IndexTests {
  static func entry(_ id: Digest, at offset: UInt32 = 64) -> ChunkEntry {
    ChunkEntry(
      id: id, offset: offset, storedCount: 100, plainCount: 200, type: .data, codec: .zstd,
      check: 7, framePlainCount: 300, offsetInFrame: 50)
  }

  /// Ids of which some have equal first words, some equal first and second.
  private func ids(_ count: Int, _ noise: inout Noise) -> [Digest] {
    var ids: [Digest] = []
    while ids.count < count {
      let first = noise.below(4) == 0 ? UInt64(noise.below(4)) : noise.next()
      let word = noise.below(3) == 0 ? UInt64.max - first : first
      for _ in 0...noise.below(3) { ids.append(digest(word, UInt64(noise.below(3)), noise.next())) }
    }
    return ids + [digest(0), digest(.max, .max, .max)]
  }

  @Test(arguments: [0, 1, 2, 3, 100, 3000])
  func `a table finds what is in it and nothing else`(count: Int) throws {
    let seed = freshSeed()
    var noise = Noise(seed)
    let ids = count == 0 ? [] : ids(count, &noise)
    let packs = [PackInfo(id: digest(1), size: 1 << 20), PackInfo(id: digest(2), size: 5000)]
    var wanted: [Digest: ChunkEntry] = [:]
    var rows: [[ChunkEntry]] = [[], []]
    for (number, id) in ids.enumerated() where wanted[id] == nil {
      var entry = Self.entry(id, at: UInt32(64 + number))
      rows[number % 2].append(entry)
      entry.pack = UInt32(number % 2)
      wanted[id] = entry
    }
    let scratch = try Scratch()
    let bytes = IndexTable.build(
      [(packs[0], rows[0]), (packs[1], rows[1])], superseded: [digest(3)])
    let file = try IndexTable(try scratch.file("index", bytes), name: "index/x")
    #expect(file.packs == packs)
    #expect(file.superseded == [digest(3)])
    #expect(file.count == wanted.count)
    for table in [file, IndexTable([(packs[0], rows[0]), (packs[1], rows[1])])] {
      for (id, entry) in wanted { #expect(table.find(id) == entry, "seed \(seed)") }
      for _ in 0..<2000 {
        let id = digest(
          noise.below(2) == 0 ? 1 : noise.next(), UInt64(noise.below(3)), noise.next())
        #expect(table.find(id) == wanted[id], "seed \(seed)")
      }
    }
  }

  @Test func `rows of the same chunk in two packs are all found`() {
    let packs = (1...3).map { PackInfo(id: digest($0), size: 1000) }
    let table = IndexTable(
      packs.map { ($0, [Self.entry(digest(5)), Self.entry(digest($0.id.words.0))]) })
    #expect(Set(table.rows(of: digest(5)).map(\.pack)) == [0, 1, 2])
    #expect(table.rows(of: digest(6)).isEmpty)
    for number in 0..<3 {
      #expect(table.agrees(Self.entry(digest(5)), UInt32(number)))
      #expect(!table.agrees(Self.entry(digest(5), at: 65), UInt32(number)))
    }
  }

  private func sample() -> [UInt8] {
    IndexTable.build(
      [(PackInfo(id: digest(1), size: 4096), (0..<5).map { Self.entry(digest($0 << 60 | 3)) })],
      superseded: [digest(8)])
  }

  private func isIndex(_ bytes: [UInt8], isTrusted: Bool, _ scratch: Scratch) throws -> Bool {
    do {
      let table = try IndexTable(try scratch.file("i", bytes), name: "index/i")
      if !isTrusted, !table.isWhole { return false }
      return true
    } catch is RepositoryError {
      return false
    }
  }

  @Test func `every truncation and every flip of an index file is refused`() throws {
    let scratch = try Scratch()
    let whole = sample()
    #expect(try isIndex(whole, isTrusted: false, scratch))
    for count in whole.indices {
      let isTaken = try isIndex(Array(whole[..<count]), isTrusted: false, scratch)
      #expect(!isTaken, "\(count) bytes")
    }
    for place in whole.indices {
      var damaged = whole
      damaged[place] ^= 0x40
      #expect(try !isIndex(damaged, isTrusted: false, scratch), "byte \(place)")
    }
  }

  /// Above 1 GiB of index files their checksums are not computed: look-ups must bear anything.
  @Test func `a damaged table that is trusted answers without a trap`() throws {
    let seed = freshSeed()
    var noise = Noise(seed)
    let scratch = try Scratch()
    let whole = sample()
    for _ in 0..<300 {
      var damaged = whole
      for _ in 0..<20 {
        let place = 64 + noise.below(whole.count - 64)
        damaged[place] = UInt8(truncatingIfNeeded: noise.next())
      }
      let table = try IndexTable(
        try scratch.file("i", damaged), name: "index/i")
      for position in 0..<table.count {
        _ = table.entry(at: position)
        _ = table.find(table.id(at: position))
        _ = table.rows(of: table.id(at: position))
      }
    }
  }

  @Test func `rows that make no sense are none`() {
    let good = Self.entry(digest(1))
    func parse(_ change: (inout [UInt8]) -> Void) -> ChunkEntry? {
      var builder = ByteBuilder(.little)
      good.append(to: &builder)
      var bytes = builder.bytes
      change(&bytes)
      return ChunkEntry(bytes.span, at: 0)
    }
    #expect(parse { _ in } == good)
    #expect(parse { $0[44] = 0 } == nil)
    #expect(parse { $0[44] = 4 } == nil)
    #expect(parse { $0[45] = 2 } == nil)
    #expect(parse { $0[46] = 1 } == nil)
    #expect(parse { $0[45] = 0 } == nil)
    #expect(parse { $0[36] = 0 } == nil)
    #expect(parse { $0[37] = 2 } == nil)
    #expect(parse { $0[40] = 0 } == nil)
    #expect(parse { $0[41] = 2 } == nil)
    #expect(parse { $0[58] = 0x41 } == nil)
    #expect(parse { $0[60] = 200 } == nil)
    #expect(parse { $0[68] = 1 } == nil)
  }

  private func pack(_ entries: [ChunkEntry]) -> [UInt8] {
    let chunks = Noise.bytes(1000, seed: 1)
    let header = PackFile.header(salt: [UInt8](repeating: 3, count: 32))
    let directory = PackFile.directory(entries)
    return header + chunks + directory
      + PackFile.trailer(
        directoryOffset: UInt64(header.count + chunks.count), directory: directory)
  }

  private func directory(_ bytes: [UInt8], _ scratch: Scratch) throws -> [ChunkEntry]? {
    do {
      return try PackFile.readDirectory(
        try scratch.file("p", bytes), size: UInt64(bytes.count), name: "packs/p")
    } catch is RepositoryError {
      return nil
    } catch is FormatError {
      return nil
    }
  }

  @Test func `a pack's directory is read as it was written`() throws {
    let scratch = try Scratch()
    let entries = (0..<3).map { Self.entry(digest($0), at: UInt32(64 + $0 * 100)) }
    #expect(try directory(pack(entries), scratch) == entries)
    #expect(try directory(pack([]), scratch) == [])
  }

  @Test func `entries outside the chunks are refused`() throws {
    let scratch = try Scratch()
    for offset: UInt32 in [0, 63, 965, 1064, .max] {
      #expect(try directory(pack([Self.entry(digest(1), at: offset)]), scratch) == nil, "\(offset)")
    }
    #expect(try directory(pack([Self.entry(digest(1), at: 964)]), scratch) != nil)
  }

  @Test func `every truncation and flip of a pack's structure is refused`() throws {
    let scratch = try Scratch()
    let whole = pack([Self.entry(digest(1))])
    for count in whole.indices {
      #expect(try directory(Array(whole[..<count]), scratch) == nil, "\(count) bytes")
    }
    for place in whole.indices where !(64..<1064).contains(place) {
      var damaged = whole
      damaged[place] ^= 0x21
      #expect(try directory(damaged, scratch) == nil, "byte \(place)")
    }
  }
}
