internal import Bytes
internal import ObjectStores
internal import Platform

/// Where a chunk lies.
struct ChunkLocation: Sendable {
  let entry: ChunkEntry
  let pack: PackInfo
}

/// All of a repository's chunks: index files, packs that no index covers, and what is new.
///
/// A chunk counts as present only when its pack is: so a pack that is gone is noticed here, and
/// its chunks are stored again by the next writer that has them.
final class ChunkIndex: @unchecked Sendable {
  fileprivate struct Source {
    let table: IndexTable
    /// By number of the pack in the table: whether it is there, with the size it should have.
    let present: [Bool]

    /// Whether a row's pack is there.
    func has(_ entry: ChunkEntry) -> Bool {
      Int(entry.pack) < present.count && present[Int(entry.pack)]
    }

    func location(_ entry: ChunkEntry) -> ChunkLocation {
      ChunkLocation(entry: entry, pack: table.packs[Int(entry.pack)])
    }
  }

  private let sources: Locked<[Source]>
  /// Names and sizes of the packs that are there.
  let packs: [Digest: UInt64]
  /// What is wrong with index files and packs, in words; none of it lost a chunk by itself.
  let troubles: [String]
  /// Names of the index files in use.
  let files: [String]
  /// Packs that no index file covers.
  let uncovered: [PackInfo]

  /// The most bytes of index files whose checksums are computed at each opening.
  private static let checkedBytes: UInt64 = 1 << 30

  /// - Parameter doomed: Packs that count as gone although they are there.
  init(_ store: any ObjectStore, without doomed: Set<Digest> = []) throws {
    // Index files first: whatever pack one of them names was there before it.
    var troubles: [String] = []
    let tables = try ChunkIndex.load(store, &troubles)
    var packs: [Digest: UInt64] = [:]
    for object in try store.list("packs") {
      if let id = Layout.pack(named: object.name), !doomed.contains(id) {
        packs[id] = object.size
      }
    }
    self.packs = packs
    var covered: Set<Digest> = []
    for table in tables { covered.formUnion(table.packs.map(\.id)) }
    var loose: [(info: PackInfo, entries: [ChunkEntry])] = []
    var uncovered: [PackInfo] = []
    for (id, size) in packs where !covered.contains(id) {
      let name = Layout.pack(id)
      do {
        let entries = try PackFile.readDirectory(try store.open(name), size: size, name: name)
        loose.append((PackInfo(id: id, size: size), entries))
        uncovered.append(PackInfo(id: id, size: size))
      } catch {
        if isFaultOfMachine(error) { throw error }
        troubles.append("\(error)")
      }
    }
    self.uncovered = uncovered.sorted { $0.id < $1.id }
    self.troubles = troubles
    files = tables.compactMap(\.name)
    let all = loose.isEmpty ? tables : tables + [IndexTable(loose)]
    sources = Locked(all.map { ChunkIndex.source($0, packs) })
  }

  /// The packs that no index file covers, sorted.
  ///
  /// Takes index files at their headers' word: every writer asks, and reads them right after.
  static func uncovered(_ store: any ObjectStore) throws -> [PackInfo] {
    var troubles: [String] = []
    var covered: Set<Digest> = []
    for table in try load(store, proves: false, &troubles) {
      covered.formUnion(table.packs.map(\.id))
    }
    return try store.list("packs").compactMap { object in
      guard let id = Layout.pack(named: object.name), !covered.contains(id) else { return nil }
      return PackInfo(id: id, size: object.size)
    }.sorted { $0.id < $1.id }
  }

  private static func source(_ table: IndexTable, _ packs: [Digest: UInt64]) -> Source {
    Source(table: table, present: table.packs.map { packs[$0.id] == $0.size })
  }

  /// Maps the index files that are whole and not superseded by another whole one.
  private static func load(
    _ store: any ObjectStore, proves: Bool = true, _ troubles: inout [String]
  ) throws -> [IndexTable] {
    let objects = try store.list("index")
    var tables: [IndexTable] = []
    for object in objects {
      do {
        tables.append(try IndexTable(store.open(object.name), name: object.name))
      } catch let error as RepositoryError {
        troubles.append("\(error)")
      }
    }
    // Those that supersede others come first, so that what they replace need not be proven. One
    // that is superseded itself still speaks for what it replaced.
    let provesAll = proves && objects.reduce(0) { $0 + $1.size } <= checkedBytes
    func isWhole(_ table: IndexTable) -> Bool {
      if !provesAll || table.isWhole { return true }
      troubles.append("\(table.name ?? ""): its content does not fit its checksum")
      return false
    }
    let merged = tables.filter { !$0.superseded.isEmpty && isWhole($0) }
    let superseded = Set(merged.flatMap(\.superseded).map { Layout.index($0) })
    let plain = tables.filter {
      $0.superseded.isEmpty && !superseded.contains($0.name ?? "") && isWhole($0)
    }
    return merged.filter { !superseded.contains($0.name ?? "") } + plain
  }

  // MARK: Merging

  /// So many small index files are merged by the next writer, as each costs a look-up.
  private static let mergeCount = 16
  /// Rows of what counts as a small index file, and of all that are merged at once.
  private static let smallCount = 128 << 10
  private static let mergedCount = 384 << 10

  /// A pack with its rows.
  typealias PackRows = (info: PackInfo, entries: [ChunkEntry])

  /// The index files that a writer should merge into its own, with their packs' rows.
  func mergeable() -> (names: [Digest], packs: [PackRows]) {
    var left = ChunkIndex.mergedCount
    let small = sources.with { $0 }
      .filter { $0.table.name != nil && $0.table.count < ChunkIndex.smallCount }
      .sorted { $0.table.count < $1.table.count }
      .prefix(Int(IndexTable.supersededLimit))
      .prefix { source in
        left -= source.table.count
        return left >= 0
      }
    guard small.count >= ChunkIndex.mergeCount else { return ([], []) }
    // What is merged is taken at its word from then on.
    let whole = small.filter { $0.table.isWhole }
    guard whole.count >= ChunkIndex.mergeCount else { return ([], []) }
    let names = whole.compactMap { $0.table.name.flatMap { Layout.digest(inName: $0) } }
    // Two writers that merged the same files both have their packs.
    var seen: Set<Digest> = []
    let packs = whole.flatMap { ChunkIndex.rows(of: $0) }.filter {
      seen.insert($0.info.id).inserted
    }
    return (names, packs)
  }

  /// Packs that no index file covers, with their rows: left by a writer that did not finish, or
  /// their index is lost.
  ///
  /// A writer adopts them, so that no point depends on them unindexed.
  func orphans() -> [PackRows] {
    sources.with { $0 }.filter { $0.table.name == nil }.flatMap { ChunkIndex.rows(of: $0) }
  }

  private static func rows(of source: Source) -> [PackRows] {
    var entries = [[ChunkEntry]](repeating: [], count: source.present.count)
    for position in 0..<source.table.count {
      guard var entry = source.table.entry(at: position) else { continue }
      let number = Int(entry.pack)
      entry.pack = 0
      if number < entries.count, source.present[number] { entries[number].append(entry) }
    }
    return source.table.packs.enumerated().compactMap { number, info in
      source.present[number] ? (info, entries[number]) : nil
    }
  }

  /// Looks a chunk up.
  ///
  /// - Returns: Where it lies in a pack that is there, or nil.
  func find(_ id: Digest) -> ChunkLocation? {
    for source in sources.with({ $0 }) {
      guard let entry = source.table.find(id) else { continue }
      if source.has(entry) { return source.location(entry) }
      // The chunk may lie in several packs of the table, of which one is gone.
      if let other = source.table.rows(of: id).first(where: { source.has($0) }) {
        return source.location(other)
      }
    }
    return nil
  }

  /// Adds the table of packs that were just published.
  func add(_ table: IndexTable) {
    let source = Source(table: table, present: table.packs.map { _ in true })
    let superseded = Set(table.superseded.map { Layout.index($0) })
    sources.with { sources in
      // What has no name was adopted by the new table.
      sources.removeAll { $0.table.name.map { superseded.contains($0) } ?? true }
      sources.append(source)
    }
  }

  /// The ids of all chunks in packs that are there: ascending, each once.
  var ids: IDs { IDs(heads: Heap(sources.with { $0.compactMap { Head($0) } })) }

  /// Ids of several sorted tables, merged.
  struct IDs: Sequence, IteratorProtocol {
    fileprivate var heads: Heap<Head>

    mutating func next() -> Digest? {
      guard let id = heads.top?.id else { return nil }
      while let head = heads.top, head.id == id { heads.replaceTop(with: head.next()) }
      return id
    }
  }

  /// The first row of a table that has not been visited.
  fileprivate struct Head: Comparable {
    private let source: Source
    private let position: Int
    let id: Digest

    /// Goes to the first row at or after `position` whose pack is there; nil without any.
    init?(_ source: Source, from position: Int = 0) {
      for row in position..<max(position, source.table.count) {
        guard let entry = source.table.entry(at: row), source.has(entry) else { continue }
        self.source = source
        self.position = row
        id = entry.id
        return
      }
      return nil
    }

    func next() -> Head? { Head(source, from: position + 1) }

    static func == (a: Head, b: Head) -> Bool { a.id == b.id }
    static func < (a: Head, b: Head) -> Bool { a.id < b.id }
  }

  /// All tables, for checking.
  var tables: [IndexTable] { sources.with { $0.map(\.table) } }

  /// How many rows all tables have.
  var count: Int { sources.with { $0.reduce(0) { $0 + $1.table.count } } }
}
