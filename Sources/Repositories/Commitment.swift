internal import Bytes
internal import Codecs
internal import ObjectStores
internal import Platform

/// The last steps of a put: what must hold before a point may appear, and its appearing.
enum Commitment {
  static let tombstoneLimit = 64 << 20

  /// The packs that prune has announced it will delete.
  ///
  /// A tombstone is a text named by its SHA-256, with one pack's name a line.
  static func tombstoned(_ store: any ObjectStore) throws -> Set<Digest> {
    var packs: Set<Digest> = []
    for object in try store.list("tombstones") {
      let bytes = try store.contents(object.name, limit: tombstoneLimit)
      guard Layout.digest(inName: object.name) == SHA256.digest(of: bytes) else {
        throw RepositoryError.damaged("\(object.name): its content does not fit its name")
      }
      for line in bytes.split(separator: UInt8(ascii: "\n")) {
        guard let id = Digest(hex: String(decoding: line, as: UTF8.self)) else {
          throw RepositoryError.damaged("\(object.name): a line is no pack's name")
        }
        packs.insert(id)
      }
    }
    return packs
  }

  /// Looks again whether all packs that the point needs are there and stay.
  static func confirm(_ used: Set<Digest>, _ store: any ObjectStore) throws {
    let doomed = try tombstoned(store)
    if let pack = used.first(where: { doomed.contains($0) }) {
      throw RepositoryError.busy(
        "\(Layout.pack(pack)): a prune that runs at the same time is about to delete it")
    }
    var there: Set<Digest> = []
    for object in try store.list("packs") {
      if let id = Layout.pack(named: object.name) { there.insert(id) }
    }
    if let pack = used.first(where: { !there.contains($0) }) {
      throw RepositoryError.missingChunk("\(Layout.pack(pack)): gone while the point was made")
    }
  }

  /// Makes the point appear, durably; then its copy.
  static func publish(
    _ point: RecoveryPoint, _ session: any WritingSession
  ) throws -> PointName {
    let bytes = try point.fileBytes()
    let name = PointName(sequence: point.sequence, id: SHA256.digest(of: bytes))
    // What could not be read again must never count as a backup.
    guard bytes.count <= RecoveryPoint.byteLimit else {
      throw RepositoryError.badInput("the point's record takes \(bytes.count) bytes: too many")
    }
    _ = try RecoveryPoint(fileBytes: bytes, name: name, file: Layout.point(name))
    for file in [Layout.point(name), Layout.pointCopy(name)] {
      try session.put(bytes, as: file)
    }
    return name
  }
}
