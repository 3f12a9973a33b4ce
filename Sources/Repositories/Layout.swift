public import Bytes

/// The names of a repository's files; docs/repository-format.md.
enum Layout {
  static let folders = [
    "packs", "index", "points", "copies", "tombstones", "writers", "quarantine", "keys",
  ]
  static let config = "config"
  static let configCopy = "copies/config"

  static func pack(_ id: Digest) -> String {
    let text = id.description
    return "packs/\(text.prefix(2))/\(text)"
  }

  /// The pack that lies under `name`; nil when no pack may lie there.
  static func pack(named name: String) -> Digest? {
    guard let id = digest(inName: name), pack(id) == name else { return nil }
    return id
  }

  static func index(_ id: Digest) -> String { "index/\(id)" }

  /// The digest that the last part of an object's name is.
  static func digest(inName name: String) -> Digest? {
    guard let last = name.split(separator: "/").last else { return nil }
    return Digest(hex: String(last))
  }

  static func point(_ name: PointName) -> String { "points/\(name)" }
  static func pointCopy(_ name: PointName) -> String { "copies/\(name)" }
}

/// `SEQ-SHA256`: a point's file name and its place in the order of points.
public struct PointName: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let sequence: UInt64
  public let id: Digest

  /// Higher numbers than any repository counts to are refused.
  static let sequenceLimit: UInt64 = 1 << 50

  public init(sequence: UInt64, id: Digest) {
    self.sequence = sequence
    self.id = id
  }

  init?(_ text: String) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].count >= 10, let sequence = UInt64(parts[0]),
      sequence <= PointName.sequenceLimit, let id = Digest(hex: String(parts[1]))
    else { return nil }
    self.init(sequence: sequence, id: id)
    if description != text { return nil }
  }

  public var description: String {
    let number = String(sequence)
    return String(repeating: "0", count: max(0, 10 - number.count)) + number + "-\(id)"
  }

  public static func < (left: PointName, right: PointName) -> Bool {
    left.sequence == right.sequence ? left.id < right.id : left.sequence < right.sequence
  }
}
