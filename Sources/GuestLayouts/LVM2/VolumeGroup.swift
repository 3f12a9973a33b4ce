internal import Blocks

/// An LVM2 volume group, as far as its physical volumes are on the disks at hand.
///
/// Only volumes of linear and striped segments are looked into that no other volume is made of. Others
/// are read whole: what a snapshot, a thin pool or a mirror needs of what a file system calls free
/// cannot be told.
public struct VolumeGroup: Sendable {
  public let name: String
  public let uuid: String?
  /// The logical volumes that users see, in the order of their names.
  public internal(set) var volumes: [LogicalVolume] = []
  /// Why nothing of the group is left out, or what of it is missing.
  public internal(set) var note: String?
  /// The physical volumes that are on none of the disks: `pv1 (/dev/sdb) UUID`.
  public internal(set) var missing: [String] = []
  /// For the user.
  public internal(set) var warnings: [String] = []
  /// The disk of the first of its physical volumes.
  public let firstDisk: Int
  /// What the logical volumes look like that are not looked into, as far as their places are known: that is
  /// none of its files, but its names, and whether a machine has suspended to it.
  var hidden: [GuestFinding] = []
  /// The UUIDs of all its physical volumes.
  var physicals: Set<String> = []
  /// What belongs to no logical volume.
  public internal(set) var free: [(disk: Int, range: Range<UInt64>)] = []
}

/// A logical volume.
public struct LogicalVolume: Sendable {
  public let name: String
  public let byteCount: UInt64
  /// Its content; nil when a part of it is not there or cannot be understood.
  public let volume: GuestVolume?
  /// Why it is not looked into: `of the type 'thin'`, `needed by one of the type 'snapshot'`.
  public var doubt: String?
}

/// What the text of a group says, checked and in bytes.
struct GroupDescription {
  struct Physical {
    let uuid: String
    /// For the user: its name in the group, the device that it was last seen on, and its UUID.
    let title: String
    /// Where its first extent lies, in bytes.
    let start: UInt64
    let extentCount: UInt64
  }

  struct Stripe {
    let physical: String
    let extent: UInt64
  }

  struct Segment {
    let start: UInt64
    let extentCount: UInt64
    let stripes: [Stripe]
    let stripeByteCount: UInt64
  }

  struct Logical {
    /// Its name, and the same for the user.
    let key: String
    var name: String
    /// Whether users see it.
    var isVisible: Bool
    /// Those that lie on physical volumes.
    var segments: [Segment] = []
    var extentCount: UInt64 = 0
    /// Why nobody looks into it.
    var doubt: String?
  }

  var name: String
  var uuid: String?
  var extentByteCount: UInt64 = 0
  var physicals: [String: Physical] = [:]
  var logicals: [Logical] = []

  /// No extent, start or count may be larger: 2^40, so that sums never overflow.
  static let countLimit: Int64 = 1 << 40
  /// The largest extent, in sectors: 16 GiB.
  static let extentSectorLimit: Int64 = 1 << 25

  /// - Parameter name: Told as soon as it is known, for messages.
  /// - Throws: `LVMText.Problem` when the text is damaged or describes what is not understood.
  init(_ text: String, name told: inout String) throws {
    let root = try LVMText.parse(text)
    let groups = (root.section ?? [:]).filter { $0.value["extent_size"] != nil }
    guard groups.count == 1, let (key, group) = groups.first,
      let sectors = group["extent_size"]?.number, sectors > 0,
      sectors <= GroupDescription.extentSectorLimit
    else { throw LVMText.Problem(description: "LVM2 metadata: there is no volume group in it") }
    name = GuestText.label(Array(key.utf8)) ?? "?"
    told = name
    uuid = group["id"]?.text
    extentByteCount = UInt64(sectors) * 512
    for (name, value) in group["physical_volumes"]?.section ?? [:] {
      guard let id = value["id"]?.text else { throw refusal("\(name) has no id") }
      let device = value["device"]?.text.map { " (\($0))" } ?? ""
      physicals[name] = Physical(
        uuid: id.filter { $0 != "-" }, title: GuestText.path(Array("\(name)\(device) \(id)".utf8)),
        start: try count(value["pe_start"], "pe_start") * 512,
        extentCount: try count(value["pe_count"], "pe_count"))
    }
    guard Set(physicals.values.map(\.uuid)).count == physicals.count else {
      throw refusal("two of its physical volumes are the same one")
    }
    var needed: [String: String] = [:]
    for (name, value) in group["logical_volumes"]?.section ?? [:] {
      logicals.append(try logical(name, value, &needed))
    }
    for index in logicals.indices {
      guard logicals[index].doubt == nil, let type = needed[logicals[index].key] else { continue }
      logicals[index].doubt = "needed by one \(type)"
    }
    logicals.sort { $0.name < $1.name }
  }

  private func refusal(_ text: String) -> LVMText.Problem { LVMText.Problem(description: text) }

  private func count(_ value: LVMText.Value?, _ name: String) throws -> UInt64 {
    guard let number = value?.number, (0...GroupDescription.countLimit).contains(number) else {
      throw refusal("\(name) is missing or absurd")
    }
    return UInt64(number)
  }

  /// What a text says of a logical volume itself that names no other one.
  private static let ownFields: Set<String> = [
    "id", "status", "flags", "tags", "creation_host", "allocation_policy", "profile",
  ]

  /// - Parameter needed: For the names of all that volumes of other types are made of those types.
  private func logical(
    _ key: String, _ value: LVMText.Value, _ needed: inout [String: String]
  ) throws -> Logical {
    var logical = Logical(
      key: key, name: GuestText.label(Array(key.utf8)) ?? "?",
      isVisible: (value["status"]?.list ?? []).contains(.text("VISIBLE")))
    let fields = value.section ?? [:]
    let segmentCount = try count(value["segment_count"], "segment_count")
    let prefix = "segment"
    guard
      fields.keys.count(where: { $0.hasPrefix(prefix) && $0 != "segment_count" }) == segmentCount
    else { throw refusal("\(logical.name): segments are missing, or there are others") }
    for index in 0..<segmentCount {
      guard let part = value["\(prefix)\(index + 1)"] else {
        throw refusal("\(logical.name): segment \(index + 1) is missing")
      }
      guard try count(part["start_extent"], "start_extent") == logical.extentCount else {
        throw refusal("\(logical.name): its segments have gaps")
      }
      logical.extentCount += try count(part["extent_count"], "extent_count")
      // Thereby no place in the volume overflows, in bytes.
      guard logical.extentCount <= UInt64(Int64.max) / extentByteCount else {
        throw refusal("\(logical.name): its size is absurd")
      }
      let type = part["type"]?.text ?? ""
      if type == "striped" || type == "linear" {
        logical.segments.append(try segment(part, logical.name))
      } else {
        try take(part, of: type, &logical, &needed)
      }
    }
    guard let doubt = logical.doubt else { return logical }
    // Whatever it is, it says by names what it is made of.
    for (field, value) in fields where !field.hasPrefix(prefix) && !Self.ownFields.contains(field) {
      for text in value.texts { needed[text] = doubt }
    }
    return logical
  }

  /// Takes a segment of a type that is not understood.
  private func take(
    _ part: LVMText.Value, of type: String, _ logical: inout Logical,
    _ needed: inout [String: String]
  ) throws {
    let shown = GuestText.label(Array(type.utf8)) ?? ""
    for text in part.texts {
      guard physicals[text] == nil else {
        throw refusal("\(logical.name) is of the type '\(shown)'")
      }
      needed[text] = "of the type '\(shown)'"
    }
    logical.doubt = "of the type '\(shown)'"
    // A snapshot is known by the name of what keeps its blocks.
    if type == "snapshot" {
      logical.isVisible = true
      let store = part["cow_store"]?.text ?? part["merging_store"]?.text
      logical.name = store.flatMap { GuestText.label(Array($0.utf8)) } ?? logical.name
    }
  }

  private func segment(_ part: LVMText.Value, _ name: String) throws -> Segment {
    let stripeCount = try count(part["stripe_count"], "stripe_count")
    let list = part["stripes"]?.list ?? []
    guard stripeCount > 0, list.count == stripeCount * 2 else {
      throw refusal("\(name): the number of stripes is wrong")
    }
    let extents = try count(part["extent_count"], "extent_count")
    let sectors = stripeCount > 1 ? try count(part["stripe_size"], "stripe_size") : 1
    guard extents % stripeCount == 0, sectors > 0,
      stripeCount == 1 || extentByteCount % (sectors * 512) == 0
    else { throw refusal("\(name): its stripes do not fit its extents") }
    let stripes = try stride(from: 0, to: list.count, by: 2).map { index in
      guard let physical = list[index].text, let known = physicals[physical] else {
        throw refusal("\(name) lies on something that is no physical volume")
      }
      let extent = try count(list[index + 1], "stripe")
      guard extent + extents / stripeCount <= known.extentCount else {
        throw refusal("\(name) reaches beyond its physical volume")
      }
      return Stripe(physical: physical, extent: extent)
    }
    return Segment(
      start: try count(part["start_extent"], "start_extent"), extentCount: extents,
      stripes: stripes, stripeByteCount: sectors * 512)
  }
}
