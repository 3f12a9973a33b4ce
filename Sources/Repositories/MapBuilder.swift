internal import Blocks
internal import Bytes

/// Builds a volume's map from its segments in order, in memory that grows with the depth only.
struct MapBuilder {
  private let levels: Int
  /// Children that wait for their node, by level from 1.
  private var pending: [[MapTarget]]
  /// Stores a node and gives its id.
  private let store: ([UInt8]) throws -> Digest

  init(size: UInt64, store: @escaping ([UInt8]) throws -> Digest) {
    levels = MapShape.levels(size)
    pending = Array(repeating: [], count: levels + 1)
    self.store = store
  }

  /// Appends one segment.
  mutating func append(_ target: MapTarget) throws { try push(target, level: 1) }

  /// Appends `count` segments that are one kind of hole, in steps of whole subtrees.
  mutating func append(_ kind: HoleKind, count: UInt64) throws {
    try append(kind, count: count, level: 1)
  }

  private mutating func append(_ kind: HoleKind, count: UInt64, level: Int) throws {
    var left = count
    let step = UInt64(MapInner.childLimit)
    while left > 0 {
      if pending[level].isEmpty, left >= step, level < levels {
        try append(kind, count: left / step, level: level + 1)
        left %= step
      } else {
        try push(.hole(kind), level: level)
        left -= 1
      }
    }
  }

  private mutating func push(_ target: MapTarget, level: Int) throws {
    pending[level].append(target)
    if pending[level].count == MapInner.childLimit, level < levels { try close(level) }
  }

  /// Makes the children that wait at `level` one entry of the next.
  private mutating func close(_ level: Int) throws {
    let target = try node(level)
    pending[level].removeAll(keepingCapacity: true)
    try push(target, level: level + 1)
  }

  private func node(_ level: Int) throws -> MapTarget {
    let children = pending[level]
    if case .hole(let kind)? = children.first, children.allSatisfy({ $0 == .hole(kind) }) {
      return .hole(kind)
    }
    let id = try store(MapInner(level: level, children: children).bytes)
    return .node(id, fingerprint: nil)
  }

  /// Ends the volume.
  ///
  /// - Returns: The root; an empty volume is a hole.
  mutating func finish() throws -> MapTarget {
    for level in 1..<levels where !pending[level].isEmpty { try close(level) }
    if pending[levels].isEmpty { return .hole(.zero) }
    return try node(levels)
  }
}
