internal import Blocks

/// Puts volume groups together from the physical volumes that were found.
enum VolumeGroups {
  /// A physical volume and where it was found.
  private struct Member {
    let volume: GuestVolume
    let physical: PhysicalVolume
    /// The index of the text that it keeps.
    var text: Int?
    var disk: Int { volume.placement.run(at: 0).place.disk }
  }

  /// The most bytes of different texts of one machine; physical volumes with more are of no known group.
  private static let textByteLimit = 64 << 20

  /// All groups of which at least one physical volume with metadata is there.
  ///
  /// - Parameters:
  ///   - volumes: The disks and partitions that were looked at.
  ///   - sources: The disks.
  static func all(on volumes: [GuestVolume], of sources: [any BlockSource]) -> [VolumeGroup] {
    var members: [Member] = []
    var texts: [String] = []
    var byteCount = 0
    for volume in volumes where volume.placement.byteCount > 0 {
      guard let physical = volume.finding?.physicalVolume else { continue }
      var member = Member(volume: volume, physical: physical)
      if let text = text(of: member) {
        if let index = texts.firstIndex(of: text) {
          member.text = index
        } else if byteCount + text.utf8.count <= textByteLimit {
          byteCount += text.utf8.count
          member.text = texts.count
          texts.append(text)
        }
      }
      members.append(member)
    }
    let described = texts.map { Described($0) }
    var claims: [String: Int] = [:]
    for physical in described.compactMap(\.description).flatMap(\.physicals.values) {
      claims[physical.uuid, default: 0] += 1
    }
    return refusingTwins(
      described.enumerated().map { group($0, $1, members, claims, sources) })
  }

  /// What a text says, or why nobody knows.
  private struct Described {
    private(set) var name = "?"
    private(set) var description: GroupDescription?
    private(set) var problem: (any Error)?

    init(_ text: String) {
      do {
        description = try GroupDescription(text, name: &name)
      } catch {
        problem = error
      }
    }
  }

  /// The text that a physical volume keeps; nil where it keeps none, or cannot be read any more.
  private static func text(of member: Member) -> String? {
    do {
      return try member.physical.text?.read(from: member.volume.source)
    } catch {
      return nil
    }
  }

  /// Two states of one group: one of them is stale, and nobody says which.
  private static func refusingTwins(_ groups: [VolumeGroup]) -> [VolumeGroup] {
    groups.map { group in
      guard groups.count(where: { $0.name == group.name && $0.uuid == group.uuid }) > 1 else {
        return group
      }
      var result = group
      result.refuse("its physical volumes disagree about it")
      return result
    }
  }

  /// - Parameter claims: For a physical volume's UUID how many texts name it.
  private static func group(
    _ index: Int, _ described: Described, _ all: [Member], _ claims: [String: Int],
    _ sources: [any BlockSource]
  ) -> VolumeGroup {
    var group = VolumeGroup(
      name: described.name, uuid: described.description?.uuid,
      firstDisk: all.first { $0.text == index }?.disk ?? 0)
    guard let description = described.description else {
      group.refuse(described.problem.map { "\($0)" } ?? "")
      return group
    }
    group.physicals = Set(description.physicals.values.map(\.uuid))
    do {
      let places = try members(of: &group, description, all, index)
      guard let other = group.physicals.first(where: { claims[$0] != 1 }) else {
        try fill(&group, description, places, sources)
        group.tellDoubts()
        group.tellMissing()
        return group
      }
      group.refuse("metadata of another group name physical volume \(other), too")
    } catch {
      group.refuse("\(error)")
    }
    return group
  }

  /// The physical volumes of a group by their names in it.
  ///
  /// Each that is there has to keep this very text: one that was away while its group was changed comes
  /// back with a text that names physical volumes which may be other groups' by now.
  ///
  /// - Throws: `LVMText.Problem` when something is wrong with one of them.
  private static func members(
    of group: inout VolumeGroup, _ description: GroupDescription, _ all: [Member], _ text: Int
  ) throws -> [String: Member] {
    var places: [String: Member] = [:]
    for (name, physical) in description.physicals {
      let found = all.filter { $0.physical.uuid == physical.uuid }
      guard found.count <= 1 else {
        throw LVMText.Problem(
          description: "physical volume \(physical.uuid) is there twice")
      }
      guard let member = found.first else {
        group.missing.append(physical.title)
        continue
      }
      let room = member.volume.placement.byteCount
      guard member.physical.isSound, physical.start <= room,
        physical.extentCount <= (room - physical.start) / description.extentByteCount,
        member.physical.reserved.intersection(
          physical.start..<physical.start + physical.extentCount * description.extentByteCount
        ).isEmpty
      else {
        throw LVMText.Problem(
          description: "the metadata of physical volume \(physical.uuid) is damaged")
      }
      guard member.text == text else {
        let other = member.text == nil ? "keeps no metadata" : "keeps other metadata"
        throw LVMText.Problem(
          description: "physical volume \(physical.title) \(other), and may be another group's")
      }
      places[name] = member
    }
    guard all.allSatisfy({ $0.text != text || group.physicals.contains($0.physical.uuid) }) else {
      throw LVMText.Problem(description: "it is kept by what is none of its physical volumes")
    }
    return places
  }

  /// Where an extent of a physical volume lies.
  private static func place(
    _ extent: UInt64, of name: String, _ description: GroupDescription, _ places: [String: Member]
  ) -> Placement.Place? {
    guard let member = places[name], let physical = description.physicals[name] else { return nil }
    return member.volume.placement.run(
      at: physical.start + extent * description.extentByteCount
    ).place
  }

  private static func fill(
    _ group: inout VolumeGroup, _ description: GroupDescription, _ places: [String: Member],
    _ sources: [any BlockSource]
  ) throws {
    var used: [String: ExtentSet] = [:]
    for logical in description.logicals {
      var placement = Placement()
      var isWhole = true
      for segment in logical.segments {
        let perStripe = segment.extentCount / UInt64(segment.stripes.count)
        var stripes: [Placement.Place] = []
        for stripe in segment.stripes {
          let range = stripe.extent..<stripe.extent + perStripe
          guard used[stripe.physical]?.intersection(range).isEmpty ?? true else {
            throw LVMText.Problem(description: "\(logical.name) overlaps another logical volume")
          }
          used[stripe.physical, default: ExtentSet()].insert(range)
          if perStripe > 0,
            let place = place(stripe.extent, of: stripe.physical, description, places)
          {
            stripes.append(place)
          } else {
            isWhole = false
          }
        }
        if isWhole {
          placement.append(
            segment.extentCount * description.extentByteCount, stripes,
            stripeByteCount: segment.stripeByteCount)
        }
      }
      let isKnown = isWhole && logical.doubt == nil
      if isWhole, !isKnown || !logical.isVisible, placement.byteCount > 0 {
        let area = try GuestArea(PlacedSource(sources, placement))
        group.hidden += try GuestLayouts.contents(of: area)
      }
      guard logical.isVisible else { continue }
      group.volumes.append(
        LogicalVolume(
          name: logical.name, byteCount: logical.extentCount * description.extentByteCount,
          volume: isKnown ? try look(into: placement, logical.name, group, sources) : nil,
          doubt: logical.doubt))
    }
    for (name, member) in places {
      guard let physical = description.physicals[name] else { continue }
      let taken = used[name] ?? ExtentSet()
      for gap in taken.gaps(in: 0..<physical.extentCount) {
        let size = description.extentByteCount
        let range = physical.start + gap.lowerBound * size..<physical.start + gap.upperBound * size
        member.volume.placement.forEachPlace(of: range) { group.free.append(($0, $1)) }
      }
    }
  }

  private static func look(
    into placement: Placement, _ name: String, _ group: VolumeGroup, _ sources: [any BlockSource]
  ) throws -> GuestVolume {
    let source = PlacedSource(sources, placement)
    var volume = GuestVolume(
      title: "logical volume \(group.name)/\(name)", placement: placement, source: source,
      contents: try GuestLayouts.contents(of: GuestArea(source)))
    volume.logicalName = (group.name, name)
    return volume
  }
}

extension VolumeGroup {
  /// Says which logical volumes are read whole for what they are.
  fileprivate mutating func tellDoubts() {
    let reasons = Dictionary(grouping: volumes.filter { $0.doubt != nil }) { $0.doubt ?? "" }
    for (reason, volumes) in reasons.sorted(by: { $0.key < $1.key }) {
      let names = VolumeGroup.list(volumes.map(\.name), limit: 8)
      warnings.append("volume group \(name): read whole: \(names): \(reason)")
    }
  }

  /// The first few of a list.
  private static func list(_ texts: [String], limit: Int) -> String {
    texts.prefix(limit).joined(separator: ", ") + (texts.count > limit ? ", ..." : "")
  }

  /// Says which disks are not there, and which logical volumes are read whole for it.
  fileprivate mutating func tellMissing() {
    guard note == nil, !missing.isEmpty else { return }
    missing.sort()
    let note = "physical volume \(VolumeGroup.list(missing, limit: 4)) is not there"
    self.note = note
    let partial = volumes.filter { $0.volume == nil && $0.doubt == nil }.map(\.name)
    let names = partial.isEmpty ? "" : "; read whole: \(VolumeGroup.list(partial, limit: 8))"
    warnings.append("volume group \(name): \(note)\(names)")
  }

  /// Makes sure that nothing of the group is left out.
  mutating func refuse(_ reason: String) {
    hidden += volumes.flatMap { $0.volume?.contents ?? [] }
    note = "read whole: \(reason)"
    warnings = ["volume group \(name) is read whole: \(reason)"]
    volumes = volumes.map { LogicalVolume(name: $0.name, byteCount: $0.byteCount, volume: nil) }
    free = []
  }
}
