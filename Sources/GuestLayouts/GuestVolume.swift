public import Blocks

/// A place for a file system or for swap: a whole disk, a partition or a logical volume.
public struct GuestVolume: Sendable {
  /// What it is called in messages: `the disk`, `partition 2`, `logical volume vg0/root`.
  public let title: String
  public let placement: Placement
  /// Its bytes.
  public let source: any BlockSource
  /// All that its content looks like.
  public internal(set) var contents: [GuestFinding]
  /// What the partition table says of it.
  public internal(set) var partition: GuestPartition?
  /// What its group calls it, for a logical volume.
  public internal(set) var logicalName: (group: String, volume: String)?
  /// Whether its bytes belong to nothing else as well.
  public internal(set) var isAlone = true

  /// What it holds for sure: nil when signatures contradict each other or others claim its bytes.
  public var finding: GuestFinding? { isAlone && contents.count == 1 ? contents[0] : nil }

  /// The same place on other disks, such as copies of its own.
  ///
  /// - Parameter disks: As many as the machine has, each as large as its own.
  public func source(on disks: [any BlockSource]) -> any BlockSource {
    PlacedSource(disks, placement)
  }

  /// The index of the disk that its first byte is on; nil when it has none.
  public var disk: Int? { placement.byteCount > 0 ? placement.run(at: 0).place.disk : nil }

  /// Whether something could be left out of it, if it is what it looks like.
  var isPromising: Bool {
    contents.contains { !$0.skippable.isEmpty || $0.fileSystem != nil || $0.physicalVolume != nil }
  }
}
