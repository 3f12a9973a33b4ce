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
  private let originals: [any BlockSource]
  private let copies: [any BlockSource]
  private let skipped: [ExtentSet]
  private let files: [SkippedFile]
  private let names: [String]
  private let scratch: Scratch

  /// - Parameters:
  ///   - layout: What the original disks hold.
  ///   - originals: The disks.
  ///   - copies: What comes back of them, in the same order.
  ///   - skipped: What of each disk was left out.
  ///   - files: The files of which the content was left out.
  ///   - names: The disks' names.
  ///   - folder: Where file systems are restored for their checkers.
  public init(
    _ layout: MachineLayout, originals: [any BlockSource], copies: [any BlockSource],
    skipped: [ExtentSet], files: [SkippedFile], names: [String], folder: String
  ) {
    self.layout = layout
    self.originals = originals
    self.copies = copies
    self.skipped = skipped
    self.files = files
    self.names = names
    scratch = Scratch(folder: folder)
  }

  /// Runs it.
  ///
  /// - Parameter tell: Takes each check as soon as it is done.
  /// - Throws: What reading a disk or writing to the folder throws.
  public func run(_ tell: (AuditCheck) throws -> Void) throws {
    for index in originals.indices { try tell(try outside(index)) }
    for (number, volume) in layout.volumes.enumerated() where volume.placement.byteCount > 0 {
      let place = place(of: volume)
      guard skips(volume) else {
        try tell(AuditCheck(place, "skipped", .passed("nothing is left out")))
        continue
      }
      guard let finding = volume.finding, finding.fileSystem != nil else {
        if volume.finding?.isPhysicalVolume != true {
          try tell(AuditCheck(place, "skipped", .passed("no file system is in it")))
        }
        continue
      }
      try tell(try compareFiles(of: volume, finding, number, place))
      try check(volume, finding, place, tell)
    }
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
  private func outside(_ disk: Int) throws -> AuditCheck {
    var problems: [String] = []
    var comparison = DiskComparison(
      HoledSource(originals[disk], holes: skipped[disk]), copies[disk])
    try comparison.forEachDifference { range in
      problems.append("bytes \(range.lowerBound) to \(range.upperBound) differ")
      return problems.count < 20
    }
    let left = originals[disk].size - skipped[disk].byteCount
    return AuditCheck(
      names[disk], "bytes",
      problems.isEmpty
        ? .passed(
          "\(ByteSize.text(left)) are as they were, \(ByteSize.text(skipped[disk].byteCount)) left out"
        )
        : .failed(problems))
  }

  private func compareFiles(
    of volume: GuestVolume, _ finding: GuestFinding, _ number: Int, _ place: String
  ) throws -> AuditCheck {
    let copy = volume.source(on: copies)
    do {
      guard let before = try finding.fileSystem?.files() else {
        return AuditCheck(place, "files", .notDone("files of \(finding.kind) are not read"))
      }
      let found = try GuestLayouts.contents(of: GuestArea(copy))
      guard found.count == 1, found[0].kind == finding.kind,
        let after = try found[0].fileSystem?.files()
      else { return AuditCheck(place, "files", .failed(["the copy is no \(finding.kind)"])) }
      let ids = Set(files.filter { $0.volume == number }.map(\.id))
      var comparison = TreeComparison((before, volume.source), (after, copy), skipped: ids)
      try comparison.run()
      return AuditCheck(place, "files", outcome(of: comparison))
    } catch let error as FormatError {
      return AuditCheck(place, "files", .failed(["\(error)"]))
    }
  }

  private func outcome(of comparison: TreeComparison) -> AuditCheck.Outcome {
    guard comparison.problems.isEmpty else { return .failed(comparison.problems) }
    let counts = comparison.counts
    var text =
      "\(counts.files) files of \(ByteSize.text(counts.bytes)) in \(counts.folders) folders"
    text += " are the same"
    if counts.skipped > 0 { text += ", \(counts.skipped) left out on purpose" }
    if counts.unknown > 0 {
      text += ", \(counts.unknown) cannot be compared (\(comparison.notes.joined(separator: "; ")))"
    }
    return .passed(text)
  }

  private func check(
    _ volume: GuestVolume, _ finding: GuestFinding, _ place: String,
    _ tell: (AuditCheck) throws -> Void
  ) throws {
    let checkers = Checker.all(for: finding.kind)
    guard !checkers.isEmpty else { return }
    let image = try scratch.image(of: volume.source(on: copies))
    for checker in checkers {
      let outcome = try checker.check(image) {
        try scratch.image(of: volume.source(on: originals))
      }
      try tell(AuditCheck(place, checker.name, outcome))
    }
  }
}
