public import Blocks

/// What one layout found on a disk or in a partition.
public struct GuestFinding: Sendable {
  /// What it is, as listings show it: `GPT`, `Linux swap`, `ext4`.
  public var kind: String
  public var label: String?
  public var uuid: String?
  /// Something more that a listing should show, such as why a swap area is not skipped.
  public var note: String?
  /// The partitions, for a table.
  public var partitions: [GuestPartition] = []
  /// The table's own sectors and other ranges that belong to nobody else.
  public var reserved = ExtentSet()
  /// The file system, where it is one whose structures are understood.
  public var fileSystem: (any GuestFileSystem)?
  /// What a physical volume says of itself.
  var physicalVolume: PhysicalVolume?
  /// Whether it is part of a volume group, so that what is in it is found there.
  public var isPhysicalVolume: Bool { physicalVolume != nil }
  /// Whether a machine has suspended to it, and will go on from there.
  public var isSuspended = false
  /// What may be left out of a backup, by kind, in bytes from the area's start.
  public var skippable: [HoleKind: ExtentSet] = [:]
  /// Damage, for the user.
  public var warnings: [String] = []

  public init(_ kind: String, label: String? = nil, uuid: String? = nil, note: String? = nil) {
    self.kind = kind
    self.label = label
    self.uuid = uuid
    self.note = note
  }
}

/// One partition of a table.
public struct GuestPartition: Sendable {
  /// The number that the kernel gives it.
  public var number: Int
  /// What the table says it is; its content is what counts.
  public var type: String
  public var name: String?
  /// Its own GUID, or the disk's number with its own, as `PARTUUID` has it.
  public var uuid: String?
  /// Where the table says it lies, in bytes of the disk; possibly beyond the disk's end.
  public var range: Range<UInt64>
  /// The number of the extended partition that it lies in.
  public var container: Int?
  /// Whether it only holds other partitions.
  public var isContainer = false
  /// What is inside: nothing when nobody knows, several when signatures contradict each other.
  public var contents: [GuestFinding] = []

  public init(number: Int, type: String, name: String? = nil, range: Range<UInt64>) {
    self.number = number
    self.type = type
    self.name = name
    self.range = range
  }
}
