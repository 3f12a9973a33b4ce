/// Why bytes of a volume are not there; every byte is data or one of these.
public enum HoleKind: UInt8, Sendable, CaseIterable {
  /// Reads as zero in the source.
  case zero = 1
  /// Unallocated in the guest's file system.
  case free = 2
  /// Content of a swap area.
  case swap = 3
  /// Part of a guest file that the user left out.
  case excluded = 4
  /// The same as in the base point.
  case unchanged = 5
  /// Could not be read.
  case bad = 6

  /// The word that tools print and options take.
  public var name: String {
    switch self {
    case .zero: "zero"
    case .free: "free"
    case .swap: "swap"
    case .excluded: "excluded"
    case .unchanged: "unchanged"
    case .bad: "bad"
    }
  }
}
