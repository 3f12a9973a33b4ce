internal import Blocks
internal import Bytes
internal import GuestLayouts

/// Makes sure that no file of a copy lies in what was left out as nobody's.
///
/// What the original was is not known here: directories, inodes and extents of the copy itself say
/// where files lie.
struct HoleWalk {
  private let tree: any FileTree
  private let placement: Placement
  private let holes: [[HoleKind: ExtentSet]]
  private let listed: Set<String>
  private(set) var counts = TreeComparison.Counts()
  private(set) var problems: [String] = []
  private var seen: Set<UInt64> = []

  /// - Parameters:
  ///   - tree: The files.
  ///   - placement: Where their file system lies on the disks.
  ///   - holes: What is left out of each disk.
  ///   - listed: The paths of files of which the content was left out, and all that they end in.
  init(
    _ tree: any FileTree, _ placement: Placement, holes: [[HoleKind: ExtentSet]],
    listed: Set<String>
  ) {
    self.tree = tree
    self.placement = placement
    self.holes = holes
    self.listed = listed
  }

  mutating func run() throws { try walk(tree.root, "", depth: 0) }

  private mutating func fail(_ path: String, _ text: String) {
    if problems.count < 50 { problems.append("\(path.isEmpty ? "/" : path): \(text)") }
  }

  private mutating func walk(_ id: UInt64, _ path: String, depth: Int) throws {
    guard depth < 1000, seen.insert(id).inserted else { return }
    counts.folders += 1
    var entries: [DirectoryEntry] = []
    do {
      try tree.forEachEntry(of: tree.file(id)) {
        entries.append($0)
        return true
      }
    } catch let error as FormatError {
      fail(path, "\(error)")
    }
    for entry in entries {
      let inside = "\(path)/\(String(decoding: entry.name, as: UTF8.self))"
      do {
        let file = try tree.file(entry.id)
        if file.kind == .directory {
          try walk(entry.id, inside, depth: depth + 1)
        } else if file.linkCount <= 1 || seen.insert(entry.id).inserted {
          try look(at: file, inside)
        }
      } catch let error as FormatError {
        fail(inside, "\(error)")
      }
    }
  }

  private mutating func look(at file: GuestFile, _ path: String) throws {
    counts.files += 1
    guard file.kind == .regular else { return }
    var kinds: Set<HoleKind> = []
    do {
      for extent in try tree.extents(of: file) {
        guard extent.range.upperBound <= placement.byteCount else {
          return fail(path, "it lies behind the end of its file system")
        }
        placement.forEachPlace(of: extent.range) { disk, range in
          for (kind, set) in holes[disk] where !set.intersection(range).isEmpty {
            kinds.insert(kind)
          }
        }
      }
    } catch is GuestDoubt {
      // Its room is shared with other files; where that is cannot be told.
      counts.unknown += 1
      return
    }
    if kinds.contains(.free) { return fail(path, "it lies in what was left out as free") }
    if kinds.contains(.bad) { return fail(path, "parts of it could not be read") }
    if kinds.isEmpty {
      counts.bytes += file.size
    } else if listed.contains(GuestText.path(Array(path.utf8))) {
      counts.skipped += 1
    } else {
      fail(path, "it is left out, and the point does not say so")
    }
  }
}
