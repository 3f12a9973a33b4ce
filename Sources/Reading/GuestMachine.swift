public import Blocks
public import GuestLayouts

/// The disks of one machine as their guest sees them, and what is left out of them for it.
public struct GuestMachine: Sendable {
  public let layout: MachineLayout
  /// The guest's files of which the content is left out.
  public let files: SkippedFiles
  /// One for each disk.
  public let disks: [GuestDisk]
  /// Which patterns of the exclusions have matched something.
  let matches: PatternMatches

  /// Looks at the disks of a machine; nil when nobody wants to know.
  ///
  /// - Parameters:
  ///   - sources: The disks.
  ///   - options: What is to be left out.
  ///   - wantsLayout: Whether to look even if nothing is left out for it.
  init?(of sources: [any BlockSource], _ options: ReadOptions, wantsLayout: Bool) {
    var kinds = ReadOptions.skippableKinds.filter { $0 != .zero && options.skip.contains($0) }
    if !options.exclusions.isEmpty { kinds.append(.excluded) }
    guard wantsLayout || !kinds.isEmpty else { return nil }
    let layout = MachineLayout(of: sources)
    let plan = SkipPlan(layout, kinds: Set(kinds), exclusions: options.exclusions)
    self.layout = layout
    files = plan.files
    matches = plan.matches
    disks = layout.disks.enumerated().map { index, disk in
      var skipped = TypedExtents()
      for kind in kinds {
        if let extents = plan.skipped[index][kind] {
          skipped.add(extents, kind, size: sources[index].size)
        }
      }
      return GuestDisk(
        layout: disk, kinds: kinds, skipped: skipped,
        files: SkippedFileList(plan.files, disk: index, skipped),
        warnings: disk.warnings + plan.warnings[index])
    }
  }
}

/// What a guest put on one disk.
public struct GuestDisk: Sendable {
  public let layout: DiskLayout
  /// The kinds that were looked for.
  let kinds: [HoleKind]
  /// What is left out, in whole sectors of the disk.
  let skipped: TypedExtents
  /// The files of which some content is left out.
  public let files: SkippedFileList
  /// Damage, and why something is read after all.
  public let warnings: [String]
}

/// The files of which some content is left out of one disk: a small file that travels with it.
///
/// Each line is `KIND START LENGTH PATH`: a range of the disk in bytes, and the file that it belongs
/// to. docs/stream-format.md describes it.
public struct SkippedFileList: Sendable {
  /// A file that loses something.
  public struct Entry: Sendable {
    /// Its path in the guest.
    public let path: String
    /// `swap` or `excluded`.
    public let kind: HoleKind
    /// How much of it is left out: very small pieces stay.
    public let byteCount: UInt64
  }

  /// How many files there are, those included that are not in the text.
  public private(set) var count = 0
  /// Those that lose most, the largest loss first.
  public private(set) var largest: [Entry] = []
  /// The most of them.
  public static let entryLimit = 1000
  private var parts: [[UInt8]] = []

  /// The most parts; what is beyond is counted only.
  private static let partLimit = 4

  init(_ files: SkippedFiles, disk: Int, _ skipped: TypedExtents) {
    var unnamed = 0
    for file in files {
      let places = file.places.filter { $0.disk == disk }
      let byteCount = places.reduce(0) { $0 + skipped.byteCount(file.kind, in: $1.range) }
      guard byteCount > 0 else { continue }
      count += 1
      add(Entry(path: file.path, kind: file.kind, byteCount: byteCount))
      let text = places.map { place in
        let range = place.range
        return "\(file.kind.name) \(range.lowerBound) "
          + "\(range.upperBound - range.lowerBound) \(file.path)\n"
      }.joined()
      if !append(Array(text.utf8)) { unnamed += 1 }
    }
    if unnamed > 0 { parts.append(Array("# \(unnamed) more files\n".utf8)) }
    cut()
  }

  private mutating func add(_ entry: Entry) {
    largest.append(entry)
    if largest.count >= 2 * SkippedFileList.entryLimit { cut() }
  }

  /// Keeps those that lose most.
  private mutating func cut() {
    largest.sort { ($1.byteCount, $0.path) < ($0.byteCount, $1.path) }
    largest.removeLast(max(0, largest.count - SkippedFileList.entryLimit))
  }

  private mutating func append(_ text: [UInt8]) -> Bool {
    guard text.count <= Attachment.byteLimit else { return false }
    if let last = parts.last, last.count + text.count <= Attachment.byteLimit {
      parts[parts.count - 1] += text
      return true
    }
    guard parts.count < SkippedFileList.partLimit else { return false }
    parts.append(text)
    return true
  }

  /// The list as files of a stream: `DISK.skipped`, `DISK.skipped.2`.
  func attachments(_ disk: String) -> [Attachment] {
    parts.enumerated().map { index, bytes in
      Attachment(name: "\(disk).skipped" + (index == 0 ? "" : ".\(index + 1)"), bytes: bytes)
    }
  }
}
