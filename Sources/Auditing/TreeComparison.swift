internal import Blocks
internal import Bytes
internal import GuestLayouts

/// Compares the files of a file system with those of its copy, byte for byte.
///
/// It goes by directories, inodes and extents, never by the map of what is free: whatever that map
/// is wrong about shows here.
struct TreeComparison {
  /// What there was.
  struct Counts {
    var files: UInt64 = 0
    var bytes: UInt64 = 0
    var folders: UInt64 = 0
    /// Files that were left out on purpose.
    var skipped: UInt64 = 0
    /// Files of which neither content nor place can be told.
    var unknown: UInt64 = 0
  }

  private let original: any FileTree
  private let copy: any FileTree
  private let originalDisk: any BlockSource
  private let copyDisk: any BlockSource
  private let placement: Placement
  private let leftOut: LeftOut
  private(set) var counts = Counts()
  private(set) var problems: [String] = []
  /// Why files could not be compared, the first few.
  private(set) var notes: [String] = []
  private var seenFolders: Set<UInt64> = []
  private var seenLinks: Set<UInt64> = []

  /// The most problems that are told.
  private static let problemLimit = 50

  /// - Parameters:
  ///   - original: The files, and the bytes of their file system.
  ///   - copy: The same of the copy.
  ///   - placement: Where their file system lies on the disks.
  ///   - leftOut: What is left out of the disks.
  init(
    _ original: (tree: any FileTree, disk: any BlockSource),
    _ copy: (tree: any FileTree, disk: any BlockSource), _ placement: Placement,
    _ leftOut: LeftOut
  ) {
    self.original = original.tree
    self.copy = copy.tree
    originalDisk = original.disk
    copyDisk = copy.disk
    self.placement = placement
    self.leftOut = leftOut
  }

  mutating func run() throws {
    try compareFolder(original.root, "", depth: 0)
  }

  private mutating func fail(_ path: String, _ text: String) {
    guard problems.count < TreeComparison.problemLimit else { return }
    problems.append("\(path.isEmpty ? "/" : path): \(text)")
  }

  private mutating func note(_ path: String, _ error: any Error) {
    counts.unknown += 1
    if notes.count < 5 { notes.append("\(path): \(error)") }
  }

  private mutating func compareFolder(_ id: UInt64, _ path: String, depth: Int) throws {
    guard seenFolders.insert(id).inserted, depth < 1000 else { return }
    counts.folders += 1
    let folder = try original.file(id)
    var entries: [DirectoryEntry] = []
    do {
      if case .wrong(let problem) = try verdict(on: folder, path) { fail(path, problem) }
      try original.forEachEntry(of: folder) {
        entries.append($0)
        return true
      }
    } catch let error as FormatError {
      return note(path, error)
    }
    do {
      guard try copy.file(id) == folder else { return fail(path, "the folder's inode differs") }
      var index = 0
      var isSame = true
      try copy.forEachEntry(of: folder) { entry in
        isSame = index < entries.count && entries[index] == entry
        index += 1
        return isSame
      }
      guard isSame, index == entries.count else {
        return fail(path, "the folder's entries differ")
      }
    } catch let error as FormatError {
      return fail(path, "\(error)")
    }
    for entry in entries { try compare(entry, "\(path)/\(shown(entry.name))", depth: depth) }
  }

  private func shown(_ name: [UInt8]) -> String { String(decoding: name, as: UTF8.self) }

  private mutating func compare(_ entry: DirectoryEntry, _ path: String, depth: Int) throws {
    let file: GuestFile
    do {
      file = try original.file(entry.id)
    } catch let error as FormatError {
      return note(path, error)
    }
    if file.kind == .directory {
      return try compareFolder(entry.id, path, depth: depth + 1)
    }
    if file.linkCount > 1, !seenLinks.insert(entry.id).inserted { return }
    counts.files += 1
    do {
      guard try copy.file(entry.id) == file else { return fail(path, "its inode differs") }
      guard try original.attributes(of: file) == copy.attributes(of: file) else {
        return fail(path, "its extended attributes differ")
      }
      switch try verdict(on: file, path) {
      case .wrong(let problem): return fail(path, problem)
      case .leftOut:
        counts.skipped += 1
        return
      case .kept: break
      }
      switch file.kind {
      case .regular: try compareContent(of: file, path)
      case .symbolicLink:
        if try original.target(of: file) != copy.target(of: file) {
          fail(path, "the link's target differs")
        }
      default: break
      }
    } catch let error as FormatError {
      // What is damaged in the original cannot be compared; damage of the copy alone is a loss.
      if isDamaged(file) { note(path, error) } else { fail(path, "\(error)") }
    }
  }

  /// Whether something of a file or folder is left out.
  ///
  /// All its bytes that are in no hole are as they were: that has been looked at before.
  private func verdict(on file: GuestFile, _ path: String) throws -> LeftOut.Verdict {
    do {
      let ranges = try original.ranges(of: file)
      return leftOut.verdict(on: ranges, of: placement, path: GuestText.path(Array(path.utf8)))
    } catch is GuestDoubt {
      return .kept
    }
  }

  /// Whether the original itself cannot be read.
  private func isDamaged(_ file: GuestFile) -> Bool {
    do {
      _ = try original.attributes(of: file)
      switch file.kind {
      case .regular:
        let content = try original.content(of: file)
        var position: UInt64 = 0
        while position < content.size {
          _ = try content.bytes(Int(min(1 << 20, content.size - position)), at: position)
          position += 1 << 20
        }
      case .symbolicLink: _ = try original.target(of: file)
      default: break
      }
      return false
    } catch {
      return true
    }
  }

  private mutating func compareContent(of file: GuestFile, _ path: String) throws {
    do {
      var comparison = DiskComparison(
        try original.content(of: file), try copy.content(of: file))
      var first: Range<UInt64>?
      try comparison.forEachDifference { range in
        first = range
        return false
      }
      if let first { fail(path, "its content differs from byte \(first.lowerBound) on") }
      counts.bytes += file.size
    } catch is GuestDoubt {
      try compareExtents(of: file, path)
    } catch let trouble as ComparisonError {
      throw trouble.error
    }
  }

  /// Compares where the content lies: for what cannot be read as it is, such as encrypted files.
  private mutating func compareExtents(of file: GuestFile, _ path: String) throws {
    do {
      for extent in try original.extents(of: file) {
        guard extent.range.upperBound <= originalDisk.size else {
          return note(
            path,
            FormatError(
              "extent", at: extent.range.lowerBound, .impossible("it lies behind the end")))
        }
        var position = extent.range.lowerBound
        while position < extent.range.upperBound {
          let count = Int(min(1 << 20, extent.range.upperBound - position))
          guard
            try originalDisk.bytes(count, at: position) == copyDisk.bytes(count, at: position)
          else { return fail(path, "its bytes on the disk differ near byte \(position)") }
          position += UInt64(count)
        }
      }
      counts.bytes += file.size
    } catch let doubt as GuestDoubt {
      note(path, doubt)
    }
  }
}
