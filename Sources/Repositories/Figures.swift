internal import Bytes
internal import ObjectStores

/// How much a repository holds.
public struct RepositoryFigures: Encodable, Sendable {
  public let messageType = "stats"
  public let points: Int
  /// Sizes of all volumes of all points.
  public let volumeBytes: UInt64
  public let packs: Int
  public let packBytes: UInt64
  public let chunks: Int
  /// What the chunks would take uncompressed.
  public let plainBytes: UInt64
  public let indexBytes: UInt64
}

extension Repository {
  public func figures() throws -> RepositoryFigures {
    let points = try points().points
    let packs = try store.list("packs")
    let index = try openIndex()
    var plain: UInt64 = 0
    var chunks = 0
    for table in index.tables {
      for position in 0..<table.count {
        guard let entry = table.entry(at: position) else { continue }
        plain += UInt64(entry.plainCount)
        chunks += 1
      }
    }
    return RepositoryFigures(
      points: points.count,
      volumeBytes: points.reduce(0) { $0 + $1.point.volumes.reduce(0) { $0 + $1.size } },
      packs: packs.count, packBytes: packs.reduce(0) { $0 + $1.size }, chunks: chunks,
      plainBytes: plain, indexBytes: try store.list("index").reduce(0) { $0 + $1.size })
  }
}
