internal import Blocks
internal import Bytes

/// Reads a volume's map, segment by segment or anywhere in it.
final class MapReader {
  /// Consecutive segments: one with a leaf, or many that are one kind of hole.
  struct Part: Equatable {
    let first: UInt64
    let count: UInt64
    let target: MapTarget
  }

  private let reader: ChunkReader
  private let root: MapTarget
  private let size: UInt64
  private let levels: Int
  /// Nodes that were read a short while ago, in the order in which they came: most reads go on where
  /// the last ended, and some go to and fro.
  private var nodes: [(id: Digest, node: MapInner)] = []
  /// How many nodes are kept, of 64 KiB each.
  private static let nodeLimit = 48
  /// Ids of the inner nodes that were read.
  private(set) var nodesRead: Set<Digest> = []

  init(_ reader: ChunkReader, root: MapTarget, size: UInt64) {
    self.reader = reader
    self.root = root
    self.size = size
    levels = MapShape.levels(size)
  }

  var segmentCount: UInt64 { MapShape.segmentCount(size) }

  /// The part that segment `index` lies in, from `index` on.
  func part(at index: UInt64) throws -> Part {
    precondition(index < segmentCount)
    var target = root
    var level = levels
    /// The segments below `target`.
    var first: UInt64 = 0
    var end = segmentCount
    while true {
      switch target {
      case .hole: return Part(first: index, count: end - index, target: target)
      case .node(let id, _):
        if level == 0 { return Part(first: index, count: 1, target: target) }
        let node = try self.node(id, level: level)
        let step = MapShape.segments(belowChildOf: level)
        let child = (index - first) / step
        let wanted = (end - first + step - 1) / step
        guard child < UInt64(node.children.count), UInt64(node.children.count) == wanted else {
          throw RepositoryError.damaged(
            "map node \(id): \(node.children.count) children, expected \(wanted)")
        }
        first += child * step
        end = min(first + step, end)
        target = node.children[Int(child)]
        level -= 1
      }
    }
  }

  /// Calls `body` with every part, in order; neighbours may be the same hole.
  func forEachPart(_ body: (Part) throws -> Void) throws {
    var index: UInt64 = 0
    while index < segmentCount {
      let part = try part(at: index)
      try body(part)
      index += part.count
    }
  }

  private func node(_ id: Digest, level: Int) throws -> MapInner {
    if let known = nodes.last(where: { $0.id == id })?.node, known.level == level { return known }
    let bytes = try reader.bytes(id)
    do {
      let node = try MapInner(parsing: bytes.span, level: level)
      if nodes.count >= MapReader.nodeLimit { nodes.removeFirst() }
      nodes.append((id, node))
      nodesRead.insert(id)
      return node
    } catch {
      throw RepositoryError.damaged("map node \(id): \(error)")
    }
  }
}

extension ChunkReader {
  /// Reads a leaf.
  ///
  /// - Parameter count: How many bytes its segment has.
  func leaf(_ id: Digest, count: Int) throws -> MapLeaf {
    let bytes = try bytes(id)
    do {
      return try MapLeaf(parsing: bytes.span, count: count)
    } catch {
      throw RepositoryError.damaged("map leaf \(id): \(error)")
    }
  }
}
