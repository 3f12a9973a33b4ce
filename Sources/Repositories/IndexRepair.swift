internal import Bytes
internal import Codecs
internal import ObjectStores

/// What a repair did.
public struct IndexRepair: Sendable {
  /// How many packs that no index file covered are covered by one now.
  public let packs: Int
  /// Damaged files, and index files that name packs which are gone: moved to `quarantine/`.
  public let quarantined: [String]
  /// Files of points and of the config that were made again from the other copy.
  public let restored: [String]
}

extension Repository {
  /// Moves index files away that are damaged or name packs which are gone, writes new ones for the
  /// packs that none covers, and makes up for the second copy of points and config.
  ///
  /// Nothing is deleted.
  public func repairIndex() throws -> IndexRepair {
    try store.writing { session in
      var moved = try Checker.damagedIndexFiles(self).union(indexFilesOfLostPacks()).sorted()
      for name in moved { try store.quarantine(name) }
      let packs = try coverPacks(session, ifAtLeast: 1)
      var restored: [String] = []
      try completeCopies(session, &moved, &restored)
      return IndexRepair(packs: packs, quarantined: moved, restored: restored)
    }
  }

  private func indexFilesOfLostPacks() throws -> Set<String> {
    var there: Set<Digest> = []
    for object in try store.list("packs") {
      if let id = Layout.pack(named: object.name) { there.insert(id) }
    }
    var names: Set<String> = []
    for object in try store.list("index") {
      do {
        let table = try IndexTable(try store.open(object.name), name: object.name)
        if table.packs.contains(where: { !there.contains($0.id) }) { names.insert(object.name) }
      } catch is RepositoryError {
        names.insert(object.name)
      }
    }
    return names
  }

  /// Rows of an index file that is written for packs; more take more memory.
  private static let batchCount = 256 << 10

  /// Writes index files, durably, for packs that none covers; a pack that is damaged is left out.
  ///
  /// - Parameters:
  ///   - session: Of the writer.
  ///   - least: With fewer such packs nothing is done.
  /// - Returns: How many packs were indexed.
  func coverPacks(_ session: any WritingSession, ifAtLeast least: Int) throws -> Int {
    let uncovered = try ChunkIndex.uncovered(store)
    guard uncovered.count >= least else { return 0 }
    var batch: [ChunkIndex.PackRows] = []
    var rows = 0
    var count = 0
    func write() throws {
      guard !batch.isEmpty else { return }
      // Whoever left the packs may not have made their names durable.
      for pack in batch { session.willRelyOn(Layout.pack(pack.info.id)) }
      try session.flush()
      let bytes = IndexTable.build(batch, superseded: [])
      try session.put(bytes, as: Layout.index(SHA256.digest(of: bytes)))
      count += batch.count
      batch = []
      rows = 0
    }
    for pack in uncovered {
      let name = Layout.pack(pack.id)
      do {
        let file = try store.open(name)
        let entries = try PackFile.readDirectory(file, size: pack.size, name: name)
        batch.append((pack, entries))
        rows += entries.count
      } catch {
        if isFaultOfMachine(error) { throw error }
        continue
      }
      if rows >= Repository.batchCount { try write() }
    }
    try write()
    return count
  }

  /// Makes the copies of points that an interrupted writer did not come to.
  func completeCopies(_ session: any WritingSession) throws {
    func names(_ folder: String) throws -> Set<PointName> {
      Set(
        try store.list(folder).compactMap { object in
          object.name.split(separator: "/").last.flatMap { PointName(String($0)) }
        })
    }
    // The copies first: a writer that is at work makes a point before its copy.
    let copies = try names("copies")
    for name in try names("points").subtracting(copies).sorted() {
      let file = Layout.point(name)
      do {
        let bytes = try store.contents(file, limit: RecoveryPoint.byteLimit)
        _ = try RecoveryPoint(fileBytes: bytes, name: name, file: file)
        try session.put(bytes, as: Layout.pointCopy(name))
      } catch is RepositoryError {
        // Whoever reads the point tells of it.
        continue
      }
    }
  }

  /// Makes the damaged or missing one of two copies again.
  private func completeCopies(
    _ session: any WritingSession, _ moved: inout [String], _ restored: inout [String]
  ) throws {
    func complete(_ files: [String], _ limit: Int, _ check: ([UInt8], String) throws -> Void) throws
    {
      var whole: [UInt8]?
      var others: [(file: String, isDamaged: Bool)] = []
      for file in files {
        do {
          let bytes = try store.contents(file, limit: limit)
          try check(bytes, file)
          if whole == nil { whole = bytes }
        } catch let error as StoreError where error.isMissing {
          others.append((file, false))
        } catch {
          if isFaultOfMachine(error) { throw error }
          if case .unsupported? = error as? RepositoryError { return }
          others.append((file, true))
        }
      }
      guard let whole else { return }
      for (file, isDamaged) in others {
        if isDamaged {
          try store.quarantine(file)
          moved.append(file)
        }
        try session.put(whole, as: file)
        restored.append(file)
      }
    }
    for name in try pointNames() {
      try complete([Layout.point(name), Layout.pointCopy(name)], RecoveryPoint.byteLimit) {
        _ = try RecoveryPoint(fileBytes: $0, name: name, file: $1)
      }
    }
    try complete([Layout.config, Layout.configCopy], RepositoryConfig.byteLimit) {
      _ = try RepositoryConfig(fileBytes: $0, name: $1)
    }
  }
}
