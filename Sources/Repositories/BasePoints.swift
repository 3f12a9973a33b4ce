internal import Blocks
internal import Bytes
internal import ObjectStores

/// A volume of an earlier point that a new one is compared with.
final class BaseVolume {
  private let map: MapReader
  private let size: UInt64

  init(_ map: MapReader, size: UInt64) {
    self.map = map
    self.size = size
  }

  /// What the base has at a segment; nil when it has none of that length there.
  func target(_ index: UInt64, count: Int) throws -> MapTarget? {
    guard index < map.segmentCount, MapShape.segmentBytes(index, of: size) == count else {
      return nil
    }
    return try map.part(at: index).target
  }

  /// The base's part from a segment on.
  func part(at index: UInt64) throws -> MapReader.Part {
    guard index < map.segmentCount else {
      throw RepositoryError.badInput("unchanged bytes beyond the base's end")
    }
    return try map.part(at: index)
  }
}

/// Finds the volume that a new one is compared with.
struct BasePoints {
  private let points: [Repository.StoredPoint]
  private let newest: Repository.StoredPoint?
  private let index: ChunkIndex
  private let files: PackFiles

  /// - Parameter name: The machine whose newest point is the base; nil for none.
  init(
    _ points: [Repository.StoredPoint], name: String?, _ index: ChunkIndex, _ files: PackFiles
  ) {
    self.points = points
    newest = name.flatMap { name in points.last { $0.point.name == name } }
    self.index = index
    self.files = files
  }

  /// The base of a volume: the point that its header names, else the newest of the machine.
  func volume(for header: VolumeHeader) throws -> BaseVolume? {
    var point = newest
    if let id = header.base {
      point = points.first { "\($0.name.id)" == id }
      if point == nil {
        throw RepositoryError.missingChunk("base point \(id): not in this repository")
      }
    }
    let named = point?.point.volumes.first { $0.name == header.name }
    // A disk that was renamed is still the best guess; fingerprints tell whether it is one.
    let number = Int(header.number)
    let placed = point.flatMap {
      $0.point.volumes.indices.contains(number) ? $0.point.volumes[number] : nil
    }
    guard let volume = named ?? (header.base == nil ? placed : nil) else {
      if header.base != nil {
        throw RepositoryError.badInput("the base point has no volume \(header.name)")
      }
      return nil
    }
    if header.base != nil, volume.size != header.size {
      throw RepositoryError.badInput(
        "\(header.name): \(header.size) bytes, but \(volume.size) in the base point")
    }
    guard let target = volume.target else { return nil }
    let reader = ChunkReader(index, files)
    return BaseVolume(
      MapReader(reader, root: target, size: volume.size), size: volume.size)
  }
}
