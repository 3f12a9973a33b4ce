internal import Bytes
internal import Codecs
internal import ObjectStores
internal import Platform

/// A pack that an index covers.
struct PackInfo: Equatable, Sendable {
  let id: Digest
  let size: UInt64
}

/// A sorted table of chunk entries, in memory or mapped from an index file.
///
///     header (64)   magic "VINDEX\0\1", flags (4), packs (4), entries (8), superseded (4), 0 (20),
///                   check of the rest (8), check of the header (8)
///     superseded    32 bytes each: names of index files that this one replaces
///     packs         name (32), size (8)
///     entries       72 bytes each, sorted by id
///
/// docs/repository-format.md, "Index".
final class IndexTable: @unchecked Sendable {
  static let headerCount = 64
  static let packCount = 40
  static let packLimit: UInt32 = 16 << 20
  static let supersededLimit: UInt32 = 4096

  private let map: MemoryMap?
  private let memory: [UInt8]
  private let base: Int
  let count: Int
  let packs: [PackInfo]
  let superseded: [Digest]
  /// The name of the file it came from; nil for a table built from packs.
  let name: String?

  /// Builds a table from packs' directories.
  convenience init(_ packs: [(info: PackInfo, entries: [ChunkEntry])]) {
    let bytes = IndexTable.build(packs, superseded: [])
    self.init(memory: bytes)
  }

  /// - Parameter memory: What `build` made.
  private init(memory: [UInt8]) {
    self.memory = memory
    map = nil
    name = nil
    let header = IndexTable.counts(memory.span)
    packs = IndexTable.packs(memory.span, header)
    superseded = []
    count = header.entries
    base = header.entriesOffset
  }

  /// Maps an index file and checks its header; `isWhole` checks the rest.
  init(_ file: FileDescriptor, name: String) throws {
    let map = try MemoryMap(file)
    self.map = map
    self.name = name
    memory = []
    let span = map.span
    let counts = try IndexTable.checkedCounts(span, name)
    packs = IndexTable.packs(span, counts)
    superseded = (0..<counts.superseded).map {
      span.digest(at: IndexTable.headerCount + $0 * Digest.byteCount)
    }
    count = counts.entries
    base = counts.entriesOffset
  }

  /// Whether the file's content fits its checksum; reads all of it.
  var isWhole: Bool {
    guard let map else { return true }
    let span = map.span
    return Checksum.of(span.extracting(IndexTable.headerCount..<span.count))
      == span.little64(at: 48)
  }

  private struct Counts {
    let packs: Int
    let entries: Int
    let superseded: Int
    var packsOffset: Int { IndexTable.headerCount + superseded * Digest.byteCount }
    var entriesOffset: Int { packsOffset + packs * IndexTable.packCount }
    var byteCount: Int { entriesOffset + entries * ChunkEntry.byteCount }
  }

  private static func counts(_ span: Span<UInt8>) -> Counts {
    Counts(
      packs: Int(span.little32(at: 12)), entries: Int(span.little64(at: 16)),
      superseded: Int(span.little32(at: 24)))
  }

  private static func checkedCounts(_ span: Span<UInt8>, _ name: String) throws -> Counts {
    guard span.count >= headerCount,
      [UInt8](span.extracting(0..<8)) == Array("VINDEX\0\u{1}".utf8),
      span.little64(at: 56) == Checksum.of(span.extracting(0..<56))
    else { throw RepositoryError.damaged("\(name): its header is truncated or damaged") }
    guard span.little32(at: 8) == 0 else {
      throw RepositoryError.unsupported("\(name): index flags \(span.little32(at: 8))")
    }
    guard span.little32(at: 12) <= packLimit, span.little32(at: 24) <= supersededLimit,
      span.little64(at: 16) <= UInt64(span.count / ChunkEntry.byteCount)
    else { throw RepositoryError.damaged("\(name): its header is impossible") }
    let counts = counts(span)
    guard counts.byteCount == span.count else {
      throw RepositoryError.damaged("\(name): \(span.count) bytes, expected \(counts.byteCount)")
    }
    return counts
  }

  private static func packs(_ span: Span<UInt8>, _ counts: Counts) -> [PackInfo] {
    (0..<counts.packs).map {
      let offset = counts.packsOffset + $0 * packCount
      return PackInfo(id: span.digest(at: offset), size: span.little64(at: offset + 32))
    }
  }

  /// An index file's bytes.
  static func build(
    _ packs: [(info: PackInfo, entries: [ChunkEntry])], superseded: [Digest]
  ) -> [UInt8] {
    // Numbers are sorted, not rows: those are nine times as large, and there are many.
    var order: [(pack: UInt32, row: UInt32)] = []
    order.reserveCapacity(packs.reduce(0) { $0 + $1.entries.count })
    for (number, pack) in packs.enumerated() {
      for row in pack.entries.indices { order.append((UInt32(number), UInt32(row))) }
    }
    func entry(_ place: (pack: UInt32, row: UInt32)) -> ChunkEntry {
      packs[Int(place.pack)].entries[Int(place.row)]
    }
    order.sort { entry($0).id < entry($1).id }
    let count =
      headerCount + superseded.count * Digest.byteCount + packs.count * packCount
      + order.count * ChunkEntry.byteCount
    var file = ByteBuilder(.little, capacity: count)
    file.zeros(headerCount)
    for name in superseded { file.digest(name) }
    for pack in packs {
      file.digest(pack.info.id)
      file.u64(pack.info.size)
    }
    for place in order {
      var row = entry(place)
      row.pack = place.pack
      row.append(to: &file)
    }
    var header = ByteBuilder(.little, capacity: headerCount)
    header.text("VINDEX\0\u{1}")
    header.u32(0)
    header.u32(UInt32(packs.count))
    header.u64(UInt64(order.count))
    header.u32(UInt32(superseded.count))
    header.zeros(20)
    header.u64(Checksum.of(file.bytes.span.extracting(headerCount..<count)))
    header.u64(Checksum.of(header.bytes))
    file.replaceStart(by: header.bytes)
    return file.bytes
  }

  /// The row that holds `id`, if there is one.
  func find(_ id: Digest) -> ChunkEntry? {
    if let map { return IndexTable.find(id, map.span, base, count) }
    let memory = memory
    return IndexTable.find(id, memory.span, base, count)
  }

  /// Interpolation first, as ids are evenly spread; then halving.
  ///
  /// About 60 ns in a warm table.
  private static func find(
    _ id: Digest, _ span: Span<UInt8>, _ base: Int, _ count: Int
  ) -> ChunkEntry? {
    var low = 0
    var high = count
    var lowKey: UInt64 = 0
    var highKey = UInt64.max
    let key = id.words.0
    var turns = 0
    while low < high {
      var middle = (low + high) / 2
      if turns < 4, highKey > lowKey {
        let fraction = Double(key - lowKey) / Double(highKey - lowKey)
        middle = min(max(low + Int(fraction * Double(high - low)), low), high - 1)
      }
      turns += 1
      let offset = base + middle * ChunkEntry.byteCount
      let found = span.big64(at: offset)
      if found == key {
        let full = span.digest(at: offset)
        if full == id { return ChunkEntry(span, at: offset) }
        if full < id { low = middle + 1 } else { high = middle }
        // Equal first words are no key to interpolate with.
        turns = 4
      } else if found < key {
        low = middle + 1
        lowKey = found
      } else {
        high = middle
        highKey = found
      }
    }
    return nil
  }

  /// All rows of `id`; a chunk that two writers stored at once has two.
  func rows(of id: Digest) -> [ChunkEntry] {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if self.id(at: middle) < id { low = middle + 1 } else { high = middle }
    }
    var rows: [ChunkEntry] = []
    while low < count, self.id(at: low) == id {
      if let entry = entry(at: low) { rows.append(entry) }
      low += 1
    }
    return rows
  }

  /// The row at `position`, in order of ids; nil when its values make no sense.
  func entry(at position: Int) -> ChunkEntry? {
    let offset = base + position * ChunkEntry.byteCount
    if let map { return ChunkEntry(map.span, at: offset) }
    let memory = memory
    return ChunkEntry(memory.span, at: offset)
  }

  /// The id at `position`, in order.
  func id(at position: Int) -> Digest {
    let offset = base + position * ChunkEntry.byteCount
    if let map { return map.span.digest(at: offset) }
    let memory = memory
    return memory.span.digest(at: offset)
  }
}
