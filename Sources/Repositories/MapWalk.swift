internal import Blocks
internal import Bytes

/// Walks points' maps and looks up every chunk; what points share is walked once.
struct MapWalk {
  struct Problem {
    /// The file it lies in, where that is known.
    let file: String?
    let text: String
  }

  private let index: ChunkIndex
  private let reader: ChunkReader
  /// Leaves that were found whole, with the length of their segments.
  private var sound: Set<Digest> = []
  /// Packs that points need.
  private(set) var packs: Set<Digest> = []
  private static let problemLimit = 20

  init(_ index: ChunkIndex, _ context: RestoreContext) {
    self.index = index
    reader = context.makeReader()
  }

  /// What is wrong with a point's maps and attachments.
  mutating func check(_ point: RecoveryPoint) throws -> [Problem] {
    var problems: [Problem] = []
    for volume in point.volumes {
      guard let target = volume.target else { continue }
      let map = MapReader(reader, root: target, size: volume.size)
      do {
        try walk(map, volume, &problems)
      } catch {
        if isFaultOfMachine(error) { throw error }
        problems.append(Problem(file: nil, text: "volume \(volume.name): \(error)"))
      }
      noteNodes(map)
    }
    for attachment in point.attachments {
      for text in attachment.chunks where !lookUp(Digest(hex: text)) {
        problems.append(
          Problem(file: nil, text: "attachment \(attachment.name): chunk \(text) is in no pack"))
      }
    }
    return problems
  }

  private mutating func noteNodes(_ map: MapReader) {
    for id in map.nodesRead { _ = lookUp(id) }
  }

  private mutating func walk(
    _ map: MapReader, _ volume: RecoveryPoint.Volume, _ problems: inout [Problem]
  ) throws {
    var position: UInt64 = 0
    while position < map.segmentCount {
      let part = try map.part(at: position)
      defer { position += part.count }
      guard case .node(let id, _) = part.target, !sound.contains(id) else { continue }
      let count = MapShape.segmentBytes(position, of: volume.size)
      let start = position * UInt64(Segment.byteCount)
      let place = "volume \(volume.name): bytes \(start) to \(start + UInt64(count))"
      do {
        let leaf = try reader.leaf(id, count: count)
        _ = lookUp(id)
        var isSound = true
        for run in leaf.runs {
          guard case .chunk(let chunk) = run.content else { continue }
          let found = index.find(chunk)
          if let found, Int(found.entry.plainCount) == run.count {
            packs.insert(found.pack.id)
            continue
          }
          isSound = false
          let what = found == nil ? "is in no pack" : "has another length"
          problems.append(Problem(file: nil, text: "\(place): chunk \(chunk) \(what)"))
        }
        if isSound { sound.insert(id) }
      } catch {
        if isFaultOfMachine(error) { throw error }
        problems.append(Problem(file: nil, text: "\(place): \(error)"))
      }
      if problems.count >= MapWalk.problemLimit {
        problems.append(Problem(file: nil, text: "volume \(volume.name): and more"))
        return
      }
    }
  }

  private mutating func lookUp(_ id: Digest?) -> Bool {
    guard let id, let found = index.find(id) else { return false }
    packs.insert(found.pack.id)
    return true
  }
}
