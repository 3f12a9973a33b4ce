internal import Bytes
internal import Codecs
internal import ObjectStores

/// What a repair of the index did.
public struct IndexRepair: Sendable {
  /// Packs that no index file covered and one covers now.
  public let packs: Int
  /// Damaged index files that were moved to `quarantine/`.
  public let quarantined: [String]
}

extension Repository {
  /// Writes an index file for the packs that none covers, and moves damaged index files away.
  ///
  /// Nothing is deleted.
  public func repairIndex() throws -> IndexRepair {
    let session = try store.beginWriting()
    var moved: [String] = []
    for object in try store.list("index") where try !isWhole(object.name) {
      try store.quarantine(object.name)
      moved.append(object.name)
    }
    let index = try openIndex()
    if !index.uncovered.isEmpty {
      let packs = try index.uncovered.map { pack in
        let name = Layout.pack(pack.id)
        return (
          info: pack,
          entries: try PackFile.readDirectory(
            try store.open(name), size: pack.size, name: name)
        )
      }
      let bytes = IndexTable.build(packs, superseded: [])
      let name = Layout.index(SHA256.digest(of: bytes))
      let object = try session.stage()
      try Repository.write(bytes, object, name)
      try session.publish(object, as: name)
      try session.flush()
    }
    try session.end()
    return IndexRepair(packs: index.uncovered.count, quarantined: moved)
  }

  private func isWhole(_ name: String) throws -> Bool {
    let file = try store.open(name)
    guard let id = Layout.digest(inName: name), try FileHash.digest(file) == id else {
      return false
    }
    do {
      return try IndexTable(file, name: name).isWhole
    } catch is RepositoryError {
      return false
    }
  }
}
