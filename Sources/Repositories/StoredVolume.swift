public import Blocks
internal import Bytes
internal import Platform

/// A volume of a point as a disk that can be read at any place, from any thread.
///
/// Each chunk is proven by its id before a byte of it is handed out. Holes of every kind read as
/// zeros; `holes(in:)` tells them apart. What was read a short while ago is at hand, in memory that
/// is bounded for all volumes of the process together.
public final class StoredVolume: BlockSource {
  /// A leaf of the map, with where each run starts.
  private struct Leaf: Sendable {
    let runs: [MapLeaf.Run]
    /// In bytes of the segment.
    let starts: [Int]
  }

  /// What a range of the volume is: within one run, or whole segments of one kind of hole.
  private enum Piece {
    case hole(HoleKind)
    /// A chunk, and where in the volume it starts.
    case chunk(Digest, at: UInt64, count: Int)
  }

  /// Chunks as plain bytes, by where they start.
  private static let chunks = PageCache(byteLimit: 48 << 20)
  /// Leaves, by their segments; of at most 56 bytes a run.
  private static let leaves = RecentItems<Leaf>(limit: 1 << 18) { $0.runs.count + 16 }

  public let name: String
  public let size: UInt64
  public let sectorSize: UInt32
  private let context: RestoreContext
  private let map: Locked<MapReader>
  private let chunkOwner = StoredVolume.chunks.newOwner()
  private let leafOwner = StoredVolume.leaves.newOwner()
  private let firstTrouble = Locked<RepositoryError?>(nil)

  init(_ context: RestoreContext, _ volume: RecoveryPoint.Volume) throws {
    guard let target = volume.target else {
      throw RepositoryError.damaged("volume \(volume.name): its map has no root")
    }
    self.context = context
    name = volume.name
    size = volume.size
    // Whoever looks for a partition table multiplies by it.
    sectorSize = [1024, 2048, 4096].contains(volume.sectorSize) ? volume.sectorSize : 512
    map = Locked(MapReader(context.makeReader(), root: target, size: volume.size))
  }

  /// The first trouble with the repository that a read met, however its error was taken.
  public var trouble: RepositoryError? { firstTrouble.with { $0 } }

  public func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    guard offset <= size, UInt64(bytes.count) <= size - offset else {
      throw SourceError(offset..<max(offset, size), .ended)
    }
    var done = 0
    while done < bytes.count {
      let place = offset + UInt64(done)
      let (piece, end) = try piece(at: place)
      let count = Int(min(end - place, UInt64(bytes.count - done)))
      var target = bytes._mutatingExtracting(done..<done + count)
      switch piece {
      case .hole: target.update(repeating: 0)
      case .chunk(let id, let start, let length):
        let chunk = try chunk(id, at: start, count: length)
        let first = Int(place - start)
        target.copy(chunk.span.extracting(first..<first + count), to: 0)
      }
      done += count
    }
  }

  /// Holes of whole segments are passed over.
  public func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    let step = UInt64(Segment.byteCount)
    var position = offset
    while position < size {
      let part = try part(at: position / step)
      let end = min((part.first + part.count) * step, size)
      if case .node = part.target { return position..<end }
      position = end
    }
    return nil
  }

  /// How many bytes of a range lie in holes, by kind.
  ///
  /// - Parameter range: Lies inside the volume.
  public func holes(in range: Range<UInt64>) throws -> [HoleKind: UInt64] {
    var result: [HoleKind: UInt64] = [:]
    var position = range.lowerBound
    while position < range.upperBound {
      let (piece, end) = try piece(at: position)
      let next = min(end, range.upperBound)
      if case .hole(let kind) = piece { result[kind, default: 0] += next - position }
      position = next
    }
    return result
  }

  // MARK: The map

  /// What is at `offset`, and up to where.
  private func piece(at offset: UInt64) throws -> (Piece, end: UInt64) {
    let step = UInt64(Segment.byteCount)
    let index = offset / step
    let part = try part(at: index)
    guard case .node(let id, _) = part.target else {
      guard case .hole(let kind) = part.target else { preconditionFailure("a third target") }
      return (.hole(kind), min((part.first + part.count) * step, size))
    }
    let start = index * step
    let leaf = try leaf(id, index)
    let inside = Int(offset - start)
    var low = 0
    var high = leaf.runs.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if leaf.starts[middle] <= inside { low = middle } else { high = middle }
    }
    let run = leaf.runs[low]
    let first = start + UInt64(leaf.starts[low])
    let piece: Piece =
      switch run.content {
      case .hole(let kind): .hole(kind)
      case .chunk(let id): .chunk(id, at: first, count: run.count)
      }
    return (piece, first + UInt64(run.count))
  }

  private func part(at index: UInt64) throws -> MapReader.Part {
    try telling(index * UInt64(Segment.byteCount), Segment.byteCount) {
      try map.with { try $0.part(at: index) }
    }
  }

  private func leaf(_ id: Digest, _ index: UInt64) throws -> Leaf {
    try StoredVolume.leaves.item(index, of: leafOwner) {
      let count = MapShape.segmentBytes(index, of: size)
      return try telling(index * UInt64(Segment.byteCount), count) {
        let leaf = try context.withReader { try $0.leaf(id, count: count) }
        var end = 0
        let starts = leaf.runs.map { run in
          defer { end += run.count }
          return end
        }
        return Leaf(runs: leaf.runs, starts: starts)
      }
    }
  }

  private func chunk(_ id: Digest, at place: UInt64, count: Int) throws -> [UInt8] {
    try StoredVolume.chunks.page(place, of: chunkOwner) {
      try telling(place, count) {
        let bytes = try context.withReader { try $0.bytes(id) }
        guard bytes.count == count else {
          throw RepositoryError.damaged("chunk \(id): \(bytes.count) bytes, expected \(count)")
        }
        return bytes
      }
    }
  }

  /// Runs `body`; its trouble is remembered, and thrown as that of a source.
  private func telling<Result>(
    _ place: UInt64, _ count: Int, _ body: () throws -> Result
  ) throws -> Result {
    do {
      return try body()
    } catch {
      let range = place..<place + UInt64(count)
      guard case .damaged? = error as? RepositoryError else {
        firstTrouble.with { $0 = $0 ?? .failed("\(error)") }
        throw SourceError(range, .lost("\(error)"))
      }
      firstTrouble.with { $0 = $0 ?? (error as? RepositoryError)?.at(name, range) }
      throw SourceError(range, .damaged("\(error)"))
    }
  }
}

extension Repository {
  /// Opens all volumes of a point, to be read at any place.
  public func openVolumes(of stored: StoredPoint) throws -> [StoredVolume] {
    let context = RestoreContext(try openIndex(), PackFiles(store))
    return try stored.point.volumes.map { try StoredVolume(context, $0) }
  }
}
