public import Blocks

/// What the disks of one machine hold: each for itself, and what lies across several.
public struct MachineLayout: Sendable {
  /// One for each disk, in their order.
  public private(set) var disks: [DiskLayout]
  /// The volume groups whose physical volumes are on the disks.
  public internal(set) var groups: [VolumeGroup] = []
  /// All places for file systems and swap: disks, partitions, logical volumes.
  public internal(set) var volumes: [GuestVolume]

  /// Looks at the disks of a machine; damage becomes warnings of the disk that it is on.
  public init(of sources: [any BlockSource]) {
    var disks = sources.enumerated().map { DiskLayout(of: $1, number: $0) }
    volumes = disks.flatMap(\.volumes)
    groups = VolumeGroups.all(on: volumes, of: sources)
    for group in groups {
      for warning in group.warnings { disks[group.firstDisk].warnings.append(warning) }
      for volume in group.volumes {
        disks[group.firstDisk].warnings += volume.volume?.troubles ?? []
      }
      volumes += group.volumes.compactMap(\.volume)
    }
    self.disks = disks
  }
}
