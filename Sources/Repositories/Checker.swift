internal import Blocks
internal import Bytes
internal import Codecs
internal import ObjectStores
internal import Platform

/// What a check found in one file of a repository.
public struct CheckFinding: Sendable, Equatable {
  public enum Severity: String, Sendable {
    /// Something stored is lost or wrong.
    case damage
    /// Nothing is lost; the user may want to know.
    case note
  }

  public let severity: Severity
  /// The file's name within the repository.
  public let file: String
  public let problem: String
}

/// How much of a repository is read to check it.
public struct CheckDepth: Sendable {
  /// Every `divisor`th pack from `part` on is read whole; nil reads none whole.
  public let subset: (part: UInt64, divisor: UInt64)?

  /// Structure only: all metadata, and of each pack its header, directory and size.
  public static let structure = CheckDepth(subset: nil)
  /// Everything.
  public static let data = CheckDepth(subset: (1, 1))

  /// - Parameters:
  ///   - part: From 1 to `divisor`.
  ///   - divisor: Of how many parts that is one.
  public init(part: UInt64, of divisor: UInt64) { subset = (part, divisor) }

  private init(subset: (part: UInt64, divisor: UInt64)?) { self.subset = subset }

  /// Packs are dealt to parts by their names, so a pack stays in its part.
  func readsWhole(_ pack: Digest) -> Bool {
    guard let subset else { return false }
    return pack.words.0 % subset.divisor == subset.part - 1
  }
}

/// Checks a repository; reads only.
public final class Checker {
  private let repository: Repository
  private let depth: CheckDepth
  private let progress: (UInt64) -> Void
  public private(set) var findings: [CheckFinding] = []
  /// Every file that was looked at.
  public private(set) var files: [String] = []
  public private(set) var packCount = 0
  public private(set) var chunkCount = 0
  public private(set) var pointCount = 0
  /// Bytes of packs that were read whole.
  public private(set) var readBytes: UInt64 = 0

  public init(
    _ repository: Repository, _ depth: CheckDepth, progress: @escaping (UInt64) -> Void
  ) {
    self.repository = repository
    self.depth = depth
    self.progress = progress
  }

  /// How many bytes will be read whole, for the display of progress.
  public func expectedBytes() throws -> UInt64 {
    try repository.store.list("packs").reduce(0) { sum, object in
      guard let id = Layout.pack(named: object.name), depth.readsWhole(id) else { return sum }
      return sum + object.size
    }
  }

  private func damage(_ file: String, _ problem: String) {
    findings.append(CheckFinding(severity: .damage, file: file, problem: problem))
  }

  private func note(_ file: String, _ problem: String) {
    findings.append(CheckFinding(severity: .note, file: file, problem: problem))
  }

  /// The problem that an error tells, without the file's name in front.
  private func problem(_ error: any Error, _ file: String) -> String {
    let text = "\(error)"
    return text.hasPrefix("\(file): ") ? String(text.dropFirst(file.count + 2)) : text
  }

  public func run() throws {
    try checkConfig()
    let index = try checkIndex()
    try checkPacks(index)
    try checkPoints()
  }

  /// The index files that are damaged, or do not say what the packs' own directories say.
  static func damagedIndexFiles(_ repository: Repository) throws -> Set<String> {
    let checker = Checker(repository, .structure) { _ in }
    try checker.checkPacks(try checker.checkIndex())
    return Set(checker.findings.filter { $0.file.hasPrefix("index/") }.map(\.file))
  }

  private func checkConfig() throws {
    for file in [Layout.config, Layout.configCopy] {
      files.append(file)
      do {
        let bytes = try repository.store.contents(file, limit: RepositoryConfig.byteLimit)
        let config = try RepositoryConfig(fileBytes: bytes, name: file)
        if config != repository.config { damage(file, "differs from the other copy") }
      } catch let error as StoreError where error.isMissing {
        damage(file, "missing")
      } catch {
        if isFaultOfMachine(error) { throw error }
        damage(file, problem(error, file))
      }
    }
  }

  // MARK: Packs

  /// A pack on its way through the workers.
  private final class PackJob: @unchecked Sendable {
    let id: Digest
    let size: UInt64
    let readsWhole: Bool
    var entries: [ChunkEntry] = []
    var problems: [String] = []
    init(_ id: Digest, size: UInt64, readsWhole: Bool) {
      self.id = id
      self.size = size
      self.readsWhole = readsWhole
    }
  }

  /// Checks the packs one by one; of each only its directory is in memory, and not for long.
  private func checkPacks(_ index: [IndexRows]) throws {
    let store = repository.store
    let proof = Pool { PackProof() }
    let workers = Workers<PackJob>(count: workerCount(), window: workerCount() * 2) { job in
      let name = Layout.pack(job.id)
      do {
        let file = try store.open(name)
        job.entries = try PackFile.readDirectory(file, size: job.size, name: name)
        guard job.readsWhole else { return }
        job.problems = try proof.with { try $0.prove(file, job.id, job.size, job.entries) }
      } catch {
        if isFaultOfMachine(error) { throw error }
        job.problems.append("\(error)")
      }
    }
    defer { workers.close() }
    var covering: [Digest: [(file: Int, number: Int)]] = [:]
    for (file, rows) in index.enumerated() {
      for (number, pack) in rows.table.packs.enumerated() {
        covering[pack.id, default: []].append((file, number))
      }
    }
    var seen: Set<Digest> = []
    func take() throws {
      guard let job = try workers.take() else { return }
      seen.insert(job.id)
      report(job)
      for place in covering[job.id] ?? [] { compare(job, index[place.file], place.number) }
    }
    for object in try store.list("packs") {
      files.append(object.name)
      guard let id = Layout.pack(named: object.name) else {
        note(object.name, "no pack lies under such a name")
        continue
      }
      while !workers.hasRoom { try take() }
      workers.give(PackJob(id, size: object.size, readsWhole: depth.readsWhole(id)))
    }
    while !workers.isEmpty { try take() }
    for (pack, places) in covering.sorted(by: { $0.key < $1.key }) where !seen.contains(pack) {
      damage(Layout.pack(pack), "missing, though \(index[places[0].file].file) lists it")
    }
  }

  private func report(_ job: PackJob) {
    let name = Layout.pack(job.id)
    for text in job.problems {
      damage(name, text.hasPrefix("\(name): ") ? String(text.dropFirst(name.count + 2)) : text)
    }
    packCount += 1
    chunkCount += job.entries.count
    if job.readsWhole {
      readBytes += job.size
      progress(job.size)
    }
  }

  /// Compares a pack's directory with what an index file says of the pack.
  private func compare(_ job: PackJob, _ index: IndexRows, _ number: Int) {
    let name = Layout.pack(job.id)
    let size = index.table.packs[number].size
    if job.size != size {
      damage(name, "\(job.size) bytes, but \(size) in \(index.file)")
      return
    }
    // A directory that could not be read has been reported.
    if job.entries.isEmpty, !job.problems.isEmpty { return }
    if job.entries.count != index.rows[number] {
      damage(
        index.file, "\(index.rows[number]) rows of \(name), which has \(job.entries.count) chunks")
      return
    }
    for entry in job.entries where !index.table.agrees(entry, UInt32(number)) {
      damage(index.file, "chunk \(entry.id) lies elsewhere in \(name)")
      return
    }
  }

  // MARK: Index

  /// Checks each index file by itself.
  ///
  /// - Returns: Those that are whole.
  private func checkIndex() throws -> [IndexRows] {
    var whole: [IndexRows] = []
    for object in try repository.store.list("index") {
      let file = object.name
      files.append(file)
      guard let id = Layout.digest(inName: file), Layout.index(id) == file else {
        note(file, "not a name of an index file")
        continue
      }
      do {
        let handle = try repository.store.open(file)
        guard try FileHash.digest(handle) == id else {
          damage(file, "its content does not fit its name")
          continue
        }
        guard let rows = IndexRows(try IndexTable(handle, name: file), file) else {
          damage(file, "it has rows that make no sense")
          continue
        }
        whole.append(rows)
      } catch {
        if isFaultOfMachine(error) { throw error }
        damage(file, problem(error, file))
      }
    }
    return whole
  }

  // MARK: Points

  private func checkPoints() throws {
    let index = try repository.openIndex()
    let context = RestoreContext(index, PackFiles(repository.store))
    let names = try repository.pointNames()
    var seen: Set<String> = []
    var previous: [(point: String, names: [String])] = []
    var walk = MapWalk(index, context)
    let uncovered = Set(index.uncovered.map(\.id))
    for name in names {
      seen.insert("\(name)")
      guard let point = try checkFiles(of: name) else { continue }
      pointCount += 1
      previous.append((Layout.point(name), point.previous))
      for problem in try walk.check(point) {
        damage(problem.file ?? Layout.point(name), problem.text)
      }
    }
    for (point, names) in previous {
      for name in names where !seen.contains(name) {
        damage("points/\(name)", "missing, though \(point) names it as the one before")
      }
    }
    for pack in walk.packs.intersection(uncovered) {
      damage("index", "no index file covers \(Layout.pack(pack)), which a point needs")
    }
    for pack in index.uncovered where !walk.packs.contains(pack.id) {
      note(Layout.pack(pack.id), "in no index file: left by a writer that did not finish")
    }
  }

  /// A copy is missing for a moment of each put, and then until the next one if that was interrupted.
  private func checkMissingCopy(_ file: String) throws {
    if try !repository.store.list("writers").isEmpty {
      note(file, "missing: a writer is about to make it, or was interrupted")
      return
    }
    // A writer that has ended since then has made it before.
    do throws(StoreError) {
      _ = try repository.store.open(file)
    } catch {
      guard error.isMissing else { throw error }
      damage(file, "missing, though no writer was interrupted")
    }
  }

  /// Checks a point's file and its copy.
  ///
  /// - Returns: The point from whichever is whole.
  private func checkFiles(of name: PointName) throws -> RecoveryPoint? {
    var found: RecoveryPoint?
    for file in [Layout.point(name), Layout.pointCopy(name)] {
      files.append(file)
      let isCopy = file != Layout.point(name)
      do {
        let point = try repository.read(name, file)
        if found == nil { found = point }
      } catch let error as StoreError where error.isMissing {
        if isCopy {
          try checkMissingCopy(file)
        } else {
          damage(file, "missing, but its copy is there: \(Layout.pointCopy(name))")
        }
      } catch {
        if isFaultOfMachine(error) { throw error }
        damage(file, problem(error, file))
      }
    }
    return found
  }
}

/// A whole index file, with how many rows it has of each of its packs.
private struct IndexRows {
  let table: IndexTable
  let file: String
  let rows: [Int]

  /// - Returns: nil when a row makes no sense.
  init?(_ table: IndexTable, _ file: String) {
    self.table = table
    self.file = file
    var rows = [Int](repeating: 0, count: table.packs.count)
    for position in 0..<table.count {
      guard let entry = table.entry(at: position), Int(entry.pack) < rows.count else { return nil }
      rows[Int(entry.pack)] += 1
    }
    self.rows = rows
  }
}

extension IndexTable {
  /// Whether some row says of `entry` what the pack's own directory says.
  func agrees(_ entry: ChunkEntry, _ number: UInt32) -> Bool {
    var wanted = entry
    wanted.pack = number
    guard let first = find(entry.id) else { return false }
    if first == wanted { return true }
    // The same chunk may lie in several packs; then rows of the same id stand side by side.
    return rows(of: entry.id).contains(wanted)
  }
}
