internal import Blocks
internal import GuestLayouts

/// Makes sure that nothing is left out but where somebody knows what it is: in a file system, in a
/// swap area, in a volume group's extents that no volume has.
struct AccountedHoles {
  private static let problemLimit = 20
  private let layout: MachineLayout
  private let names: [String]
  /// Where each kind may be, for each disk.
  private var allowed: [[HoleKind: ExtentSet]]

  init(_ layout: MachineLayout, _ names: [String]) {
    self.layout = layout
    self.names = names
    allowed = names.map { _ in [:] }
    for volume in layout.volumes {
      guard let finding = volume.finding else { continue }
      if let system = finding.fileSystem {
        let area = 0..<min(system.byteCount, volume.placement.byteCount)
        for kind in [HoleKind.free, .swap, .excluded] { allow(area, kind, of: volume) }
      }
      for (kind, set) in finding.skippable {
        for range in set.ranges { allow(range, kind, of: volume) }
      }
    }
    for group in layout.groups {
      for part in group.free { allowed[part.disk][.free, default: ExtentSet()].insert(part.range) }
    }
  }

  private mutating func allow(_ range: Range<UInt64>, _ kind: HoleKind, of volume: GuestVolume) {
    volume.placement.forEachPlace(of: range) { disk, range in
      allowed[disk][kind, default: ExtentSet()].insert(range)
    }
  }

  /// One check for each disk of which something is left out.
  func checks(of holes: [[HoleKind: ExtentSet]]) -> [AuditCheck] {
    holes.indices.compactMap { disk in
      var problems: [String] = []
      var isAny = false
      for kind in [HoleKind.free, .swap, .excluded] {
        for range in holes[disk][kind]?.ranges ?? [] {
          isAny = true
          for gap in (allowed[disk][kind] ?? ExtentSet()).gaps(in: range) {
            problems.append(
              "bytes \(gap.lowerBound) to \(gap.upperBound) are left out as \(kind.name), "
                + "but nothing there has them")
          }
        }
      }
      guard isAny else { return nil }
      return AuditCheck(
        names[disk], "places",
        problems.isEmpty
          ? .passed("what is left out is known to be in a file system, a swap area or a group")
          : .failed(Array(problems.prefix(AccountedHoles.problemLimit))))
    }
  }
}
