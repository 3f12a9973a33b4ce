internal import Blocks
internal import Bytes

/// A volume on its way into a point.
struct ArrivingVolume {
  let header: VolumeHeader
  var builder: MapBuilder
  /// What the base point has of it.
  var base: BaseVolume?
  /// Bytes by hole kind's raw value; 0 is data.
  var kinds = [UInt64](repeating: 0, count: 8)

  /// What the point says of the volume.
  ///
  /// - Parameter root: Of its map.
  func record(_ root: MapTarget) -> RecoveryPoint.Volume {
    var bytes: [String: UInt64] = [:]
    if kinds[0] > 0 { bytes["data"] = kinds[0] }
    for kind in HoleKind.allCases where kinds[Int(kind.rawValue)] > 0 {
      bytes[kind.name] = kinds[Int(kind.rawValue)]
    }
    var id: String?
    var hole: String?
    switch root {
    case .node(let digest, _): id = "\(digest)"
    case .hole(let kind): hole = kind.name
    }
    return RecoveryPoint.Volume(
      name: header.name, size: header.size, sectorSize: header.sectorSize,
      fields: Dictionary(header.fields.map { ($0.key, $0.value) }) { first, _ in first },
      levels: MapShape.levels(header.size), root: id, hole: hole, bytes: bytes)
  }
}
