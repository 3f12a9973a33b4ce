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
  /// The sum, or the most that a number can be: sizes of volumes may be anything up to 64 PiB.
  private static func sum(_ sizes: [UInt64]) -> UInt64 {
    sizes.reduce(0) { total, size in
      let (sum, overflow) = total.addingReportingOverflow(size)
      return overflow ? .max : sum
    }
  }

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
      volumeBytes: Self.sum(points.flatMap { $0.point.volumes.map(\.size) }),
      packs: packs.count, packBytes: packs.reduce(0) { $0 + $1.size }, chunks: chunks,
      plainBytes: plain, indexBytes: try store.list("index").reduce(0) { $0 + $1.size })
  }
}
