internal import Blocks

/// What nobody looks into on a machine's disks, as far as it matters for what is looked into.
struct UnseenPlaces {
  /// Places that are not understood.
  var volumes: [GuestVolume] = []
  /// What logical volumes look like that are read whole.
  var findings: [GuestFinding] = []
  /// Whether files may be there, and an fstab among them: encrypted, in arrays, in unknown volumes.
  var mayHaveFiles = false

  /// Whether something there goes by this name.
  func has(_ device: DeviceName) -> Bool {
    volumes.contains { $0.isCalled(device) } || findings.contains { $0.isCalled(device) }
  }
}

extension MachineLayout {
  /// The UUIDs of the physical volumes of all groups.
  var groupedPhysicals: Set<String> {
    groups.reduce(into: []) { $0.formUnion($1.physicals) }
  }

  var unseen: UnseenPlaces {
    let members = groupedPhysicals
    let hasHiddenVolumes = groups.contains { group in
      group.note != nil || group.volumes.contains { $0.volume == nil }
    }
    // Nor is a group put together inside of another one's volume.
    let hasUngrouped = volumes.contains { volume in
      guard let physical = volume.finding?.physicalVolume else { return false }
      return volume.logicalName != nil || !members.contains(physical.uuid)
    }
    return UnseenPlaces(
      volumes: volumes.filter { $0.finding == nil },
      findings: groups.flatMap(\.hidden),
      mayHaveFiles: hasHiddenVolumes || hasUngrouped || volumes.contains(where: \.mayHideFiles))
  }
}

extension GuestVolume {
  /// Partitions that never hold files, whatever is in them.
  private static let typesWithoutFiles: Set<String> = ["BIOS boot", "Microsoft reserved"]
  /// What begins with so many zeros is empty: whatever has files has something there.
  private static let emptyByteCount: UInt64 = 128 << 10

  /// Whether something is in it that is not understood, and may have files.
  fileprivate var mayHideFiles: Bool {
    guard let finding else { return !contents.isEmpty || mayBeEncrypted }
    return finding.fileSystem == nil && !finding.isPhysicalVolume
      && !LinuxSwap.kinds.contains(finding.kind) && !Signature.isReadOnly(finding.kind)
  }

  /// What is encrypted without a header looks like nothing at all.
  private var mayBeEncrypted: Bool {
    if let partition, GuestVolume.typesWithoutFiles.contains(partition.type) { return false }
    do {
      let count = Int(min(source.size, GuestVolume.emptyByteCount))
      return try source.bytes(count, at: 0)?.contains { $0 != 0 } ?? true
    } catch {
      return true
    }
  }
}
