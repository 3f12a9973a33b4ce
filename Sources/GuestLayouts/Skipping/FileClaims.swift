public import Blocks
internal import Bytes

/// A file of which the content is left out.
public struct SkippedFile: Sendable {
  /// Its path in the guest, with the folder in which its file system is mounted.
  public let path: String
  /// The index of its volume in the machine's layout, and its id there.
  public let volume: Int
  public let id: UInt64
  /// `swap` or `excluded`.
  public let kind: HoleKind
  /// What of the disks it takes.
  public internal(set) var places: [(disk: Int, range: Range<UInt64>)]
}

/// What the files of one file system give up.
struct FileClaims {
  /// A file and its extents, in bytes of the area.
  struct Claim {
    let path: [UInt8]
    let id: UInt64
    let kind: HoleKind
    let ranges: [Range<UInt64>]
  }

  private(set) var claims: [Claim] = []
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
  private var rangeCount = 0
  private let tree: any FileTree

  /// Bytes of paths that are kept; a list of more has no use.
  static let pathByteLimit = 64 << 20
  private var pathByteCount = 0

  init(_ tree: any FileTree) { self.tree = tree }

  // MARK: Swap files

  private static let linuxNames = ["swapfile", "swap.img", ".swap", "swap/swapfile"]
  private static let windowsNames = ["pagefile.sys", "swapfile.sys", "hiberfil.sys"]

  /// Takes the swap files of a file system.
  ///
  /// - Parameter named: Paths from its root that an fstab names.
  mutating func takeSwapFiles(named: [[[UInt8]]]) throws {
    var paths = named
    for name in FileClaims.linuxNames {
      let path = name.utf8.split(separator: UInt8(ascii: "/")).map { Array($0) }
      if !paths.contains(path) { paths.append(path) }
    }
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
    do {
      var ranges: [Range<UInt64>] = []
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
      guard !ranges.isEmpty else { return }
      rangeCount += ranges.count
      pathByteCount += path.count
      guard rangeCount <= FreeSpace.rangeLimit, pathByteCount <= FileClaims.pathByteLimit else {
        throw GuestDoubt("too many files would be left out")
      }
      claims.append(Claim(path: path, id: file.id, kind: kind, ranges: ranges))
    } catch let doubt as GuestDoubt where rangeCount <= FreeSpace.rangeLimit {
      leave(path, doubt.description)
    }
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

  /// Makes sure that no byte is claimed twice, nor free.
  ///
  /// - Throws: `GuestDoubt` when the file system contradicts itself.
  func check(against free: ExtentSet) throws(GuestDoubt) {
    var all = claims.flatMap(\.ranges)
    all.sort { $0.lowerBound < $1.lowerBound }
    for (first, second) in zip(all, all.dropFirst()) where first.upperBound > second.lowerBound {
      throw GuestDoubt("two files claim the bytes at \(second.lowerBound)")
    }
    for range in all where !free.intersection(range).isEmpty {
      throw GuestDoubt("a file lies in what is called free, at byte \(range.lowerBound)")
    }
  }
}
