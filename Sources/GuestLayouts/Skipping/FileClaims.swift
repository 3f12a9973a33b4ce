internal import Blocks
internal import Bytes

/// Files and their extents, in few pieces of memory however many they are.
struct ClaimedFiles: Sendable {
  private struct Entry {
    let id: UInt64
    /// Where its part of `paths` and its part of `ranges` end.
    let pathEnd: UInt32
    let rangeEnd: UInt32
    let kind: HoleKind
  }

  private var entries: [Entry] = []
  private var paths: [UInt8] = []
  /// Of all files, in bytes of the area.
  private(set) var ranges: [Range<UInt64>] = []

  /// Bytes of paths that are kept; a list of more has no use.
  static let pathByteLimit = 64 << 20

  var count: Int { entries.count }

  mutating func add(
    _ path: [UInt8], _ id: UInt64, _ kind: HoleKind, _ more: [Range<UInt64>]
  ) throws(GuestDoubt) {
    guard ranges.count + more.count <= FreeSpace.rangeLimit,
      paths.count + path.count <= ClaimedFiles.pathByteLimit
    else { throw GuestDoubt("too many files would be left out") }
    paths += path
    ranges += more
    entries.append(
      Entry(id: id, pathEnd: UInt32(paths.count), rangeEnd: UInt32(ranges.count), kind: kind))
  }

  func id(_ index: Int) -> UInt64 { entries[index].id }
  func kind(_ index: Int) -> HoleKind { entries[index].kind }

  func path(_ index: Int) -> ArraySlice<UInt8> {
    paths[Int(index > 0 ? entries[index - 1].pathEnd : 0)..<Int(entries[index].pathEnd)]
  }

  func ranges(_ index: Int) -> ArraySlice<Range<UInt64>> {
    ranges[Int(index > 0 ? entries[index - 1].rangeEnd : 0)..<Int(entries[index].rangeEnd)]
  }
}

/// What the files of one file system give up.
struct FileClaims {
  private(set) var files = ClaimedFiles()
  /// For the user, in the order of paths.
  var warnings: [String] {
    var texts = told
    for (path, reason) in kept.sorted(by: FileClaims.isBefore).prefix(FileClaims.keptLimit) {
      texts.append("\(GuestText.path(path)) is not left out: \(reason)")
    }
    if keptCount > FileClaims.keptLimit {
      texts.append("\(keptCount - FileClaims.keptLimit) more files are not left out")
    }
    return texts
  }
  private var told: [String] = []
  /// Files that are not left out although they are meant, and why: the first ones by their paths.
  private var kept: [(path: [UInt8], reason: String)] = []
  private var keptCount = 0
  /// The most of them that are named: a folder of hard links would else bury everything.
  private static let keptLimit = 20
  private let tree: any FileTree

  init(_ tree: any FileTree) { self.tree = tree }

  // MARK: Swap files

  private static let linuxNames = ["swapfile", "swap.img", ".swap", "swap/swapfile"]
  private static let windowsNames = ["pagefile.sys", "swapfile.sys", "hiberfil.sys"]

  /// Takes the swap files of a file system.
  ///
  /// - Parameter named: Paths from its root that an fstab names.
  mutating func takeSwapFiles(named: [[[UInt8]]]) throws {
    let paths = FileClaims.linuxPaths(named)
    for path in paths {
      if let file = try tree.find(path), file.kind == .regular {
        try takeLinuxSwap(file, FileClaims.joined(path))
      }
    }
    guard tree.nameRule == .ignoringCase else { return }
    for name in FileClaims.windowsNames {
      if let file = try tree.find([Array(name.utf8)]), file.kind == .regular {
        try takeWindowsSwap(file, FileClaims.joined([Array(name.utf8)]))
      }
    }
  }

  /// The paths at which swap files of Linux are looked for.
  static func linuxPaths(_ named: [[[UInt8]]]) -> [[[UInt8]]] {
    let usual = linuxNames.map { name in
      name.utf8.split(separator: UInt8(ascii: "/")).map { Array($0) }
    }
    return named + usual.filter { !named.contains($0) }
  }

  private static func joined(_ path: [[UInt8]]) -> [UInt8] {
    path.flatMap { [UInt8(ascii: "/")] + $0 }
  }

  /// What `swapon` would take; its first page is kept, as that of a swap partition.
  private mutating func takeLinuxSwap(_ file: GuestFile, _ path: [UInt8]) throws {
    let area = try GuestArea(tree.content(of: file))
    guard let finding = try LinuxSwap.find(in: area).first else { return }
    told += finding.warnings.map { "\(GuestText.path(path)): \($0)" }
    guard let parts = finding.skippable[.swap] else { return }
    try take(file, path, .swap, only: parts)
  }

  private mutating func takeWindowsSwap(_ file: GuestFile, _ path: [UInt8]) throws {
    let start = try tree.content(of: file).bytes(Int(min(file.size, 8)), at: 0) ?? []
    let magic = String(decoding: start, as: UTF8.self)
    if magic.lowercased().hasPrefix("hibr") || magic.hasPrefix("RSTR") {
      told.append("\(GuestText.path(path)) is not skipped: a machine has suspended to it")
    } else if magic.hasPrefix("PAGEDU") {
      told.append("\(GuestText.path(path)) is not skipped: it holds a crash dump")
    } else {
      try take(file, path, .swap)
    }
  }

  // MARK: Files

  /// Takes the content of a file, or leaves it in when it is not the file's alone.
  mutating func take(
    _ file: GuestFile, _ path: [UInt8], _ kind: HoleKind, only parts: ExtentSet? = nil
  ) throws {
    guard file.linkCount <= 1 else {
      return leave(path, "it has other names too")
    }
    var ranges: [Range<UInt64>] = []
    do {
      for extent in try tree.extents(of: file) {
        guard let parts else {
          ranges.append(extent.range)
          continue
        }
        let length = extent.range.upperBound - extent.range.lowerBound
        for part in parts.intersection(extent.offset..<extent.offset + length) {
          let start = extent.range.lowerBound + (part.lowerBound - extent.offset)
          ranges.append(start..<start + (part.upperBound - part.lowerBound))
        }
      }
    } catch let doubt as GuestDoubt {
      return leave(path, doubt.description)
    }
    if !ranges.isEmpty { try files.add(path, file.id, kind, ranges) }
  }

  private mutating func leave(_ path: [UInt8], _ reason: String) {
    keptCount += 1
    kept.append((path, reason))
    guard kept.count >= 1000 else { return }
    kept.sort(by: FileClaims.isBefore)
    kept.removeLast(kept.count - FileClaims.keptLimit)
  }

  private static func isBefore(
    _ first: (path: [UInt8], reason: String), _ second: (path: [UInt8], reason: String)
  ) -> Bool {
    first.path.lexicographicallyPrecedes(second.path)
  }

  /// Makes sure that no byte is claimed twice.
  ///
  /// - Throws: `GuestDoubt` when the file system contradicts itself.
  func checkAmongThemselves() throws(GuestDoubt) {
    var all = files.ranges
    all.sort { $0.lowerBound < $1.lowerBound }
    for (first, second) in zip(all, all.dropFirst()) where first.upperBound > second.lowerBound {
      throw GuestDoubt("two files claim the bytes at \(second.lowerBound)")
    }
  }

  /// Makes sure that what files have is not free.
  ///
  /// - Throws: `GuestDoubt` when the file system contradicts itself: then nothing is free for sure.
  func check(against free: ExtentSet) throws(GuestDoubt) {
    for range in files.ranges where !free.intersection(range).isEmpty {
      throw GuestDoubt("a file lies in what it calls free, at byte \(range.lowerBound)")
    }
  }
}
