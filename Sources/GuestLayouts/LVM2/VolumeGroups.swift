internal import Blocks

/// Puts volume groups together from the physical volumes that were found.
enum VolumeGroups {
  /// A physical volume and where it was found.
  private struct Member {
    let volume: GuestVolume
    let physical: PhysicalVolume
    var disk: Int { volume.placement.run(at: 0).place.disk }
  }

  /// All groups of which at least one physical volume with metadata is there.
  ///
  /// - Parameters:
  ///   - volumes: The disks and partitions that were looked at.
  ///   - sources: The disks.
  static func all(on volumes: [GuestVolume], of sources: [any BlockSource]) -> [VolumeGroup] {
    var members: [String: [Member]] = [:]
    var texts: [String] = []
    for volume in volumes where volume.placement.byteCount > 0 {
      guard let physical = volume.finding?.physicalVolume else { continue }
      members[physical.uuid, default: []].append(Member(volume: volume, physical: physical))
      if let text = physical.metadata, !texts.contains(text) { texts.append(text) }
    }
    var groups: [VolumeGroup] = []
    for text in texts {
      guard let owner = members.values.joined().first(where: { $0.physical.metadata == text })
      else { continue }
      groups.append(group(text, members, owner, sources))
    }
    return refusingTwins(groups)
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

  private static func group(
    _ text: String, _ members: [String: [Member]], _ owner: Member, _ sources: [any BlockSource]
  ) -> VolumeGroup {
    let description: GroupDescription
    var name = "?"
    do {
      description = try GroupDescription(text, name: &name)
    } catch {
      var group = VolumeGroup(name: name, uuid: nil, firstDisk: owner.disk)
      group.refuse("\(error)")
      return group
    }
    var group = VolumeGroup(
      name: description.name, uuid: description.uuid, firstDisk: owner.disk)
    var places: [String: Member] = [:]
    for (name, physical) in description.physicals {
      let found = members[physical.uuid] ?? []
      guard found.count <= 1 else {
        group.refuse("physical volume \(physical.uuid) is there twice")
        return group
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
        group.refuse("the metadata of physical volume \(physical.uuid) is damaged")
        return group
      }
      places[name] = member
    }
    do {
      try fill(&group, description, places, sources)
    } catch {
      group.refuse("\(error)")
    }
    group.tellDoubts()
    group.tellMissing()
    return group
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
      guard logical.isVisible else { continue }
      let isKnown = isWhole && logical.doubt == nil
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
    note = "read whole: \(reason)"
    warnings = ["volume group \(name) is read whole: \(reason)"]
    volumes = volumes.map { LogicalVolume(name: $0.name, byteCount: $0.byteCount, volume: nil) }
    free = []
  }
}
