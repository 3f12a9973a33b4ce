internal import Blocks
internal import Bytes

/// What there is at a path.
public enum PathFinding: Equatable, Sendable {
  case file(GuestFile)
  /// Nothing.
  case missing
  /// A symbolic link on the way, which so many names lead to.
  case link(nameCount: Int, target: [UInt8])
}

extension FileTree {
  /// The file at a path below the root, without following links; nil when it is not there.
  public func find(_ path: [[UInt8]]) throws -> GuestFile? {
    guard case .file(let file) = try lookUp(path) else { return nil }
    return file
  }

  /// What there is at a path below the root, without following links.
  public func lookUp(_ path: [[UInt8]]) throws -> PathFinding {
    var file = try self.file(root)
    for (index, name) in path.enumerated() {
      if file.kind == .symbolicLink {
        return .link(nameCount: index, target: try target(of: file))
      }
      guard file.kind == .directory, let id = try entry(name, of: file) else { return .missing }
      file = try self.file(id)
    }
    return .file(file)
  }

  private func entry(_ name: [UInt8], of directory: GuestFile) throws -> UInt64? {
    let wanted = NameText(name, nameRule)
    var found: UInt64?
    try forEachEntry(of: directory) { entry in
      let isSame =
        switch nameRule {
        case .exact: entry.name == name
        case .ignoringCase:
          // Bytes that are no signs are equal to none.
          entry.name == name
            || !wanted.folded.contains(nil)
              && NameText(entry.name, nameRule).folded == wanted.folded
        }
      if isSame { found = entry.id }
      return !isSame
    }
    return found
  }
}

/// Goes through the files of a tree that patterns match.
struct ExclusionWalk {
  /// The most folders that are looked into: what their ids take stays below 64 MiB.
  static let folderLimit = 2 << 20
  static let depthLimit = 1000

  private let tree: any FileTree
  private var seen: Set<UInt64> = []
  /// The patterns that a file or a folder has matched so far.
  private(set) var matched: Set<Int> = []

  init(_ tree: any FileTree) { self.tree = tree }

  /// - Parameters:
  ///   - exclusions: The patterns.
  ///   - mountPoint: The names of the folder that the tree's root is in its guest; nil when it is not known.
  ///   - body: Takes each regular file that is excluded, with its path in the file system.
  /// - Throws: `FormatError`, `GuestDoubt` when a folder is in two places, and what `body` throws.
  mutating func run(
    _ exclusions: Exclusions, mountPoint: [[UInt8]]?,
    _ body: (_ path: [UInt8], GuestFile) throws -> Void
  ) throws {
    var progress = Exclusions.Progress(exclusions, isAnchored: mountPoint != nil)
    for name in mountPoint ?? [] { progress = progress.into(NameText(name, .exact), .exact) }
    guard progress.isOpen else { return }
    if mountPoint?.isEmpty == false { matched.formUnion(progress.completed) }
    matched.formUnion(progress.entered)
    try walk(try tree.file(tree.root), [], progress, depth: 0, body)
  }

  private mutating func walk(
    _ folder: GuestFile, _ path: [UInt8], _ progress: Exclusions.Progress, depth: Int,
    _ body: (_ path: [UInt8], GuestFile) throws -> Void
  ) throws {
    guard seen.insert(folder.id).inserted else {
      throw GuestDoubt("a folder is in two places: \(GuestText.path(path))")
    }
    guard seen.count <= ExclusionWalk.folderLimit, depth <= ExclusionWalk.depthLimit else {
      throw GuestDoubt("it has too many folders to look for files to leave out")
    }
    // Folders are looked into when the one around them has been read: nothing stays open.
    var folders: [DirectoryEntry] = []
    try tree.forEachEntry(of: folder) { entry in
      let next = self.next(progress, entry)
      guard next.isOpen else { return true }
      let file = try tree.file(entry.id)
      if file.kind == .directory {
        matched.formUnion(next.completed)
        matched.formUnion(next.entered)
        folders.append(entry)
      } else if file.kind == .regular {
        matched.formUnion(next.completed)
        if next.isExcluded { try body(ExclusionWalk.path(path, entry), file) }
      }
      return true
    }
    for entry in folders {
      try walk(
        try tree.file(entry.id), ExclusionWalk.path(path, entry), next(progress, entry),
        depth: depth + 1, body)
    }
  }

  private func next(
    _ progress: Exclusions.Progress, _ entry: DirectoryEntry
  ) -> Exclusions.Progress {
    if progress.isSettled { return progress }
    return progress.into(NameText(entry.name, tree.nameRule), tree.nameRule)
  }

  private static func path(_ folder: [UInt8], _ entry: DirectoryEntry) -> [UInt8] {
    folder + [UInt8(ascii: "/")] + entry.name
  }
}
