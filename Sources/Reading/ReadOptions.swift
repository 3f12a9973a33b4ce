public import Blocks
internal import DiskImages
public import GuestLayouts

/// How sources are read.
public struct ReadOptions: Sendable {
  /// The kinds of holes that are made on purpose; `zero` is always among them, being exact.
  public var skip: Set<HoleKind> = [.zero]
  /// The guest's files of which the content is left out.
  public var exclusions = Exclusions()
  /// Whether unreadable sectors become `bad` holes instead of an end.
  public var salvage = false
  /// The format that sources are in; nil looks for each one's magic.
  public var format: String?
  /// The option that gives that format, for messages.
  public var formatOption = "--format"
  /// Folders in which files may lie that images refer to, besides each image's own.
  public var references: [String] = []
  /// The snapshot to read of each source; nil for its present state.
  public var snapshot: String?
  /// The format of a backing file of which the image does not tell it.
  public var backingFormat: String?
  /// The volumes' names, one for each source; empty makes them from the sources' names.
  public var names: [String] = []
  /// The one volume to take, by name or number; nil takes all.
  public var disk: String?
  /// Where disks are saved meanwhile that come by a pipe, and cannot be read in the order in which
  /// they come.
  public var spool = Spool()
  /// What an earlier point held.
  public var baseline: (any Baseline)?

  public init() {}

  /// Whether something is left out although it is there.
  public var leavesOut: Bool { skip != [.zero] || !exclusions.isEmpty }

  /// The kinds of holes that reading can make on purpose, besides the files of `exclusions`.
  public static let skippableKinds: [HoleKind] = [.zero, .free, .swap]
  /// The format of an appliance, which holds several disks.
  static let appliance = "ova"
  /// The names of the formats that can be read.
  public static let formats: [String] = DiskFormats.all.map { $0.name } + [appliance]
}

/// The content of an earlier point, for telling which segments are still the same.
public protocol Baseline: AnyObject, Sendable {
  /// The id of the point that `unchanged` holes will refer to.
  var point: String { get }
  /// Whether the point has a volume of that name and size.
  func covers(_ name: String, size: UInt64) -> Bool
  /// Whether the point's volume of that name held what the loaded segment holds; called on workers.
  func isUnchanged(_ segment: Segment, ofVolume name: String) -> Bool
}
