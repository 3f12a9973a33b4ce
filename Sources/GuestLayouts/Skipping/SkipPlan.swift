public import Blocks

/// What of the disks of a machine is left out.
public struct SkipPlan: Sendable {
  /// For each disk the ranges of each kind, in bytes of the disk.
  public private(set) var skipped: [[HoleKind: ExtentSet]]
  /// The files of which the content is left out.
  public private(set) var files = SkippedFiles()
  /// For each disk what the user should know: why something is read after all.
  public private(set) var warnings: [[String]]
  /// Which patterns of the exclusions have matched something.
  public private(set) var matches = PatternMatches()

  private var gathered: GatheredRanges
  private let kinds: Set<HoleKind>
  private let exclusions: Exclusions
  /// The UUIDs of the physical volumes of all groups.
  private let grouped: Set<String>

  /// Finds out what can be left out.
  ///
  /// - Parameters:
  ///   - layout: What the disks hold.
  ///   - kinds: The kinds of holes that are wanted; zeros are found elsewhere.
  ///   - exclusions: Which files are left out, when `excluded` is among the kinds.
  public init(
    _ layout: MachineLayout, kinds: Set<HoleKind>, exclusions: Exclusions = Exclusions()
  ) {
    self.kinds = kinds
    self.exclusions = kinds.contains(.excluded) ? exclusions : Exclusions()
    grouped = layout.groupedPhysicals
    skipped = []
    warnings = layout.disks.map { _ in [] }
    gathered = GatheredRanges(diskCount: layout.disks.count)

    if !kinds.isEmpty, let suspension = Suspension(on: layout) {
      skipped = gathered.sets()
      warnings[suspension.disk].append(suspension.warning)
      // Nobody has looked for them.
      matches.patterns = Set(self.exclusions.patterns.indices)
      return
    }
    let known = layout.volumes.indices.filter {
      layout.volumes[$0].placement.byteCount > 0 && layout.volumes[$0].finding != nil
    }
    let volumes = known.map { layout.volumes[$0] }
    let trees = volumes.map { tree(of: $0) }
    let unseen = layout.unseen
    if unseen.mayHaveFiles { matches.isComplete = false }
    let points = MountPoints(volumes, trees, unseen)
    let windows = Suspension.windows(on: layout)
    for (index, volume) in volumes.enumerated() {
      if let windows, Suspension.isOfWindows(volume), windows.title != volume.title {
        warn("\(name(of: volume)) is read whole: \(Suspension.warning(of: windows))", volume)
        searchInVain(volume) { _ in points.folders[index] ?? [] }
      } else {
        take(volume, index, trees[index], points, number: known[index])
      }
    }
    if !exclusions.isEmpty {
      for (root, line) in points.unknown {
        warn(
          "\(line.device) on \(line.folder) in its fstab cannot be told from the disks",
          volumes[root])
      }
    }
    if kinds.contains(.free) {
      for group in layout.groups {
        for part in group.free { gathered.add(part.range, .free, disk: part.disk) }
      }
    }
    skipped = gathered.sets()
  }

  /// Takes what is left out of a volume.
  ///
  /// - Parameters:
  ///   - index: That among the volumes of the mount points.
  ///   - number: That among all of the machine.
  private mutating func take(
    _ volume: GuestVolume, _ index: Int, _ tree: (any FileTree)?, _ points: MountPoints,
    number: Int
  ) {
    for (kind, extents) in volume.finding?.skippable ?? [:] where kinds.contains(kind) {
      gathered.add(extents, kind, of: volume)
    }
    let mountPoint = points.folder(of: index, tree?.nameRule)
    if mountPoint == nil, tree != nil, exclusions.hasRooted {
      warn(
        "no fstab that can be read says where it is mounted: "
          + "no pattern that starts with / counts in it", volume)
    }
    let swapFiles = points.swapFiles(in: index, tree?.nameRule)
    if !plan(volume, tree, mountPoint, swapFiles, number: number) {
      searchInVain(volume) { _ in points.folders[index] ?? [] }
    }
  }

  /// The files of a volume, when they are wanted and their places can be trusted.
  private mutating func tree(of volume: GuestVolume) -> (any FileTree)? {
    guard let fileSystem = volume.finding?.fileSystem,
      kinds.contains(.swap) || !exclusions.isEmpty
    else { return nil }
    if let doubt = fileSystem.fileDoubt {
      // Swap files are seldom; who names files wants to know.
      if exclusions.isEmpty {
        tellSwapFiles(volume, fileSystem, doubt)
      } else {
        warn("no file is left out: \(doubt)", volume)
      }
      return nil
    }
    do {
      let tree = try fileSystem.files()
      if tree == nil, !exclusions.isEmpty {
        warn("no file is left out: files of \(name(of: volume)) are not read", volume)
      }
      return tree
    } catch {
      warn("no file is left out: \(error)", volume)
      return nil
    }
  }

  private static let fstab = Array("/etc/fstab".utf8)

  private func name(of volume: GuestVolume) -> String { volume.finding?.kind ?? "it" }

  private mutating func warn(_ text: String, _ volume: GuestVolume) {
    warnings[volume.placement.run(at: 0).place.disk].append("\(volume.title): \(text)")
  }

  /// Names the swap files of a file system that are read because of a doubt.
  private mutating func tellSwapFiles(
    _ volume: GuestVolume, _ fileSystem: any GuestFileSystem, _ doubt: String
  ) {
    do {
      guard let tree = try fileSystem.files() else { return }
      var claims = FileClaims(tree)
      try claims.takeSwapFiles(named: MountPoints([volume], [tree], UnseenPlaces()).swapFiles)
      for index in 0..<claims.files.count {
        warn("\(GuestText.path(Array(claims.files.path(index)))) is not left out: \(doubt)", volume)
      }
    } catch {
      warn("no swap file is left out: \(doubt)", volume)
    }
  }

  /// Whether it is a physical volume of a group that was found, and tells of itself.
  private func isGrouped(_ volume: GuestVolume) -> Bool {
    guard let physical = volume.finding?.physicalVolume else { return false }
    return volume.logicalName == nil && grouped.contains(physical.uuid)
  }

  /// Tells why all of a volume is read that holds no file system which is understood.
  private mutating func tellWhole(_ volume: GuestVolume) {
    guard let finding = volume.finding, finding.fileSystem == nil,
      !LinuxSwap.kinds.contains(finding.kind), !isGrouped(volume)
    else { return }
    matches.isComplete = false
    // What has warned of itself said so, and what is never written has nothing free.
    guard finding.warnings.isEmpty,
      !exclusions.isEmpty
        || kinds.contains(.free) && !Signature.isReadOnly(finding.kind)
    else { return }
    let usual =
      finding.isPhysicalVolume
      ? "no volume group that is known has it" : "vpipe does not know what is free in it"
    var reason = finding.note ?? usual
    for end in [": read whole", ", read whole"] where reason.hasSuffix(end) {
      reason.removeLast(end.count)
    }
    warn("\(finding.kind) is read whole: \(reason)", volume)
  }

  /// Looks for what patterns match where nothing is left out for a doubt: they are not mistyped.
  ///
  /// - Parameter mountPoint: Where a file system that compares names in that way is mounted.
  private mutating func searchInVain(
    _ volume: GuestVolume, _ mountPoint: (NameRule) -> [[UInt8]]?
  ) {
    guard !exclusions.isEmpty, let fileSystem = volume.finding?.fileSystem else {
      return tellWhole(volume)
    }
    do {
      guard let tree = try fileSystem.files() else {
        matches.isComplete = false
        return
      }
      var walk = ExclusionWalk(tree)
      defer { matches.patterns.formUnion(walk.matched) }
      try walk.run(exclusions, mountPoint: mountPoint(tree.nameRule)) { _, _ in }
    } catch {
      matches.isComplete = false
    }
  }

  /// Adds the free space of a file system, and the files in it that are left out.
  ///
  /// - Returns: Whether its files were looked at.
  private mutating func plan(
    _ volume: GuestVolume, _ tree: (any FileTree)?, _ mountPoint: [[UInt8]]?,
    _ swapFiles: [[[UInt8]]], number: Int
  ) -> Bool {
    guard let fileSystem = volume.finding?.fileSystem, kinds.contains(.free) || tree != nil
    else { return false }
    do {
      // Where free space is in doubt, so is everything else.
      let free = try fileSystem.freeSpace().extents
      try take(volume, tree, free, mountPoint, swapFiles, number)
      if kinds.contains(.free) { gathered.add(free, .free, of: volume) }
    } catch {
      warn("\(name(of: volume)) is read whole: \(error)", volume)
      return false
    }
    return tree != nil
  }

  /// Takes the files that are left out of a volume.
  ///
  /// - Throws: `GuestDoubt` when they contradict what is free.
  private mutating func take(
    _ volume: GuestVolume, _ tree: (any FileTree)?, _ free: ExtentSet, _ mountPoint: [[UInt8]]?,
    _ swapFiles: [[[UInt8]]], _ number: Int
  ) throws(GuestDoubt) {
    guard let tree else { return }
    let claims: FileClaims
    do {
      claims = try self.claims(of: tree, mountPoint, swapFiles)
    } catch {
      matches.isComplete = false
      return warn("no file is left out: \(error)", volume)
    }
    try claims.check(against: free)
    do throws(GuestDoubt) {
      try claims.checkAmongThemselves()
    } catch {
      matches.isComplete = false
      return warn("no file is left out: \(error)", volume)
    }
    for text in claims.warnings { warn(text, volume) }
    for index in 0..<claims.files.count {
      for range in claims.files.ranges(index) {
        volume.placement.forEachPlace(of: range) {
          gathered.add($1, claims.files.kind(index), disk: $0)
        }
      }
    }
    if claims.files.count > 0 {
      files.add(claims.files, of: volume, number: number, in: mountPoint ?? [])
    }
  }

  private mutating func claims(
    of tree: any FileTree, _ mountPoint: [[UInt8]]?, _ swapFiles: [[[UInt8]]]
  ) throws -> FileClaims {
    var claims = FileClaims(tree)
    if kinds.contains(.swap) {
      try claims.takeSwapFiles(named: swapFiles)
    }
    guard !exclusions.isEmpty else { return claims }
    let swap = Set((0..<claims.files.count).map { Array(claims.files.path($0)) })
    var walk = ExclusionWalk(tree)
    defer { matches.patterns.formUnion(walk.matched) }
    try walk.run(exclusions, mountPoint: mountPoint) { path, file in
      // Without it nobody could tell where a restored machine mounts its file systems.
      guard path != SkipPlan.fstab, !swap.contains(path) else { return }
      try claims.take(file, path, .excluded)
    }
    return claims
  }
}

/// Ranges on their way into sets, in bounded memory.
private struct GatheredRanges {
  private var ranges: [[HoleKind: [Range<UInt64>]]]
  private var count = 0
  /// Smaller ones are read.
  private var leastByteCount = FreeSpace.leastHoleByteCount

  init(diskCount: Int) { ranges = Array(repeating: [:], count: diskCount) }

  mutating func add(_ extents: ExtentSet, _ kind: HoleKind, of volume: GuestVolume) {
    for range in extents.ranges {
      volume.placement.forEachPlace(of: range) { add($1, kind, disk: $0) }
    }
  }

  mutating func add(_ range: Range<UInt64>, _ kind: HoleKind, disk: Int) {
    guard range.upperBound - range.lowerBound >= leastByteCount else { return }
    ranges[disk][kind, default: []].append(range)
    count += 1
    while count > FreeSpace.rangeLimit { thin() }
  }

  /// Gives up the smallest ranges: what is read in vain costs space only.
  private mutating func thin() {
    leastByteCount *= 2
    let least = leastByteCount
    for disk in ranges.indices {
      for kind in Array(ranges[disk].keys) {
        ranges[disk][kind]?.removeAll { $0.upperBound - $0.lowerBound < least }
      }
    }
    count = ranges.reduce(0) { $0 + $1.values.reduce(0) { $0 + $1.count } }
  }

  func sets() -> [[HoleKind: ExtentSet]] { ranges.map { $0.mapValues { ExtentSet($0) } } }
}
