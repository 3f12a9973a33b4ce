public import Blocks
internal import Bytes
public import GuestLayouts
internal import Platform

/// Proves that a copy of a machine's disks has lost nothing but what was left out on purpose.
///
/// Two roads that know nothing of the maps by which free space was left out: the file systems' own
/// checkers on what would be restored, and a walk through all files of both sides.
public struct Audit {
  private let layout: MachineLayout
  /// Nil where only the copies are at hand.
  private let originals: [any BlockSource]?
  private let copies: [any BlockSource]
  private let leftOut: LeftOut
  /// All that was left out of each disk.
  private let skipped: [ExtentSet]
  private let names: [String]
  private let scratch: Scratch

  /// The most ranges of a disk that are told to differ.
  private static let rangeLimit = 20

  /// - Parameters:
  ///   - layout: What the original disks hold, or the copies where those are all there is.
  ///   - originals: The disks; nil when they are not at hand.
  ///   - copies: What comes back of them, in the same order.
  ///   - holes: What was left out of each disk on purpose, by kind; zeros are not among it.
  ///   - files: What of it was content of the guest's files.
  ///   - names: The disks' names.
  ///   - folder: Where file systems are restored to be checked.
  public init(
    _ layout: MachineLayout, originals: [any BlockSource]?, copies: [any BlockSource],
    holes: [[HoleKind: ExtentSet]], files: [LeftOutRange], names: [String], folder: String
  ) {
    self.layout = layout
    self.originals = originals
    self.copies = copies
    leftOut = LeftOut(holes, files)
    skipped = holes.map { ExtentSet($0.values.flatMap(\.ranges)) }
    self.names = names
    scratch = Scratch(folder: folder)
  }

  /// Runs it.
  ///
  /// Where copies are of other sizes than their originals, nothing else is looked at: what lies
  /// where is told by the originals.
  ///
  /// - Parameter tell: Takes each check as soon as it is done.
  /// - Throws: `AuditTrouble`, and what reading a copy throws.
  public func run(_ tell: (AuditCheck) throws -> Void) throws {
    let sizes = differingSizes()
    guard sizes.isEmpty else { return try sizes.forEach(tell) }
    var differing: Set<Int> = []
    for (index, original) in (originals ?? []).enumerated() {
      let result = try outside(index, original)
      if result.hasFailed { differing.insert(index) }
      try tell(result)
    }
    for check in AccountedHoles(layout, names).checks(of: leftOut.holes) { try tell(check) }
    for volume in layout.volumes where volume.placement.byteCount > 0 {
      let place = place(of: volume)
      guard skips(volume) else {
        try tell(AuditCheck(place, "skipped", .passed("nothing is left out")))
        continue
      }
      guard let finding = volume.finding, finding.fileSystem != nil else {
        if let check = withoutFiles(volume, place) { try tell(check) }
        continue
      }
      var isProven = false
      func note(_ check: AuditCheck) throws {
        if case .notDone = check.outcome {} else { isProven = true }
        try tell(check)
      }
      let copy = try scratch.image(of: volume.source(on: copies))
      try note(try lookAtFiles(of: volume, finding, copy, place))
      // A checker would go on about bytes that are known to differ already.
      guard differing.isDisjoint(with: volume.placement.disks) else {
        for checker in Checker.all(for: finding.kind) {
          try tell(AuditCheck(place, checker.name, .notDone("bytes of it differ")))
        }
        continue
      }
      try check(volume, finding, copy, place, note)
      if !isProven {
        try tell(AuditCheck(place, "proof", .failed(["nothing could look at what is left out"])))
      }
    }
  }

  /// Disks that cannot be compared with their copies.
  private func differingSizes() -> [AuditCheck] {
    guard let originals else { return [] }
    guard originals.count == copies.count else {
      let text = "\(originals.count) disks, but \(copies.count) copies"
      return [AuditCheck("disks", "size", .failed([text]))]
    }
    return originals.indices.filter { originals[$0].size != copies[$0].size }.map { index in
      let text = "\(originals[index].size) bytes, but its copy has \(copies[index].size)"
      return AuditCheck(names[index], "size", .failed([text]))
    }
  }

  /// The check of a volume that no file system is in; nil where what is in it is looked at elsewhere.
  private func withoutFiles(_ volume: GuestVolume, _ place: String) -> AuditCheck? {
    guard let finding = volume.finding else {
      let text = "\(leftOut(of: volume)) left out, but nothing in it is known"
      return AuditCheck(place, "skipped", .failed([text]))
    }
    guard !finding.isPhysicalVolume else { return nil }
    return AuditCheck(
      place, "skipped", .passed("\(finding.kind), \(leftOut(of: volume)) left out, header kept"))
  }

  private func leftOut(of volume: GuestVolume) -> String {
    var byteCount: UInt64 = 0
    volume.placement.forEachPlace(of: 0..<volume.placement.byteCount) { disk, range in
      for part in skipped[disk].intersection(range) {
        byteCount += part.upperBound - part.lowerBound
      }
    }
    return ByteSize.text(byteCount)
  }

  private func place(of volume: GuestVolume) -> String {
    var disks: [String] = []
    for disk in volume.placement.disks { disks.append(names[disk]) }
    return "\(disks.joined(separator: ", ")): \(volume.title)"
  }

  private func skips(_ volume: GuestVolume) -> Bool {
    var result = false
    volume.placement.forEachPlace(of: 0..<volume.placement.byteCount) { disk, range in
      if !result { result = !skipped[disk].intersection(range).isEmpty }
    }
    return result
  }

  /// All bytes that were not left out must have come back.
  private func outside(_ disk: Int, _ original: any BlockSource) throws -> AuditCheck {
    var problems: [String] = []
    let left = original.size - skipped[disk].byteCount
    var comparison = DiskComparison(
      HoledSource(original, holes: skipped[disk]), copies[disk])
    do {
      try comparison.forEachDifference { range in
        guard problems.count < Audit.rangeLimit else {
          problems.append("and more")
          return false
        }
        problems.append("bytes \(range.lowerBound) to \(range.upperBound) differ")
        return true
      }
    } catch let trouble as ComparisonError {
      throw AuditTrouble(trouble, original: names[disk])
    }
    if !problems.isEmpty, copies.count > 1 {
      problems.append("are the disks given in their order, \(names.joined(separator: ", "))?")
    }
    let text = ByteSize.text(skipped[disk].byteCount)
    return AuditCheck(
      names[disk], "bytes",
      problems.isEmpty
        ? .passed("\(ByteSize.text(left)) are as they were, \(text) left out")
        : .failed(problems))
  }

  private func lookAtFiles(
    of volume: GuestVolume, _ finding: GuestFinding, _ copy: ScratchImage, _ place: String
  ) throws -> AuditCheck {
    do {
      let found = try GuestLayouts.contents(of: GuestArea(copy))
      guard found.count == 1, found[0].kind == finding.kind, let system = found[0].fileSystem
      else { return AuditCheck(place, "files", .failed(["the copy is no \(finding.kind)"])) }
      guard let after = try system.files() else {
        return AuditCheck(place, "files", .notDone("files of \(finding.kind) are not read"))
      }
      var replayed = ""
      switch system.log {
      case .settled: break
      case .replayedInMemory: replayed = ", after a replay in memory"
      // What is gone may seem to be there still, and what is there to be gone.
      case .open(let doubt): return AuditCheck(place, "files", .notDone(doubt))
      }
      guard originals != nil, let before = try finding.fileSystem?.files() else {
        var walk = HoleWalk(after, volume.placement, leftOut)
        try walk.run()
        let verdict = "are all there\(replayed)"
        return AuditCheck(
          place, "files", outcome(walk.problems, walk.counts, verdict, notes: []))
      }
      var comparison = TreeComparison(
        (before, volume.source), (after, copy), volume.placement, leftOut)
      try comparison.run()
      return AuditCheck(
        place, "files",
        outcome(
          comparison.problems, comparison.counts, "are the same\(replayed)",
          notes: comparison.notes))
    } catch let error as FormatError {
      return AuditCheck(place, "files", .failed(["\(error)"]))
    }
  }

  private func outcome(
    _ problems: [String], _ counts: TreeComparison.Counts, _ verdict: String, notes: [String]
  ) -> AuditCheck.Outcome {
    guard problems.isEmpty else { return .failed(problems) }
    let files = counts.files == 1 ? "1 file" : "\(counts.files) files"
    let folders = counts.folders == 1 ? "1 folder" : "\(counts.folders) folders"
    var text = "\(files) of \(ByteSize.text(counts.bytes)) in \(folders) \(verdict)"
    if counts.skipped > 0 { text += ", \(counts.skipped) left out on purpose" }
    if counts.unknown > 0 {
      text += ", \(counts.unknown) cannot be compared"
      if !notes.isEmpty { text += " (\(notes.joined(separator: "; ")))" }
    }
    return .passed(text)
  }

  private func check(
    _ volume: GuestVolume, _ finding: GuestFinding, _ copy: ScratchImage, _ place: String,
    _ tell: (AuditCheck) throws -> Void
  ) throws {
    for checker in Checker.all(for: finding.kind) {
      var outcome = try checker.check(copy) {
        try originals.map { try scratch.image(of: volume.source(on: $0)) }
      }
      if case .open(let doubt)? = finding.fileSystem?.log {
        switch outcome {
        // It has looked at what was before a replay.
        case .passed(let text): outcome = .notDone("\(text), but \(doubt)")
        // What it does not like may be the guest's, as far as nothing tells how it was.
        case .failed(let problems) where originals == nil:
          outcome = .notDone("\(problems[0]), but \(doubt)")
        default: break
        }
      }
      try tell(AuditCheck(place, checker.name, outcome))
    }
  }
}
