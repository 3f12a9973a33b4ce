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
  private let leftOut: LeftOut
  private(set) var counts = TreeComparison.Counts()
  private(set) var problems: [String] = []
  private var seen: Set<UInt64> = []

  /// - Parameters:
  ///   - tree: The files.
  ///   - placement: Where their file system lies on the disks.
  ///   - leftOut: What is left out of the disks.
  init(_ tree: any FileTree, _ placement: Placement, _ leftOut: LeftOut) {
    self.tree = tree
    self.placement = placement
    self.leftOut = leftOut
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
      let folder = try tree.file(id)
      try look(at: folder, path)
      try tree.forEachEntry(of: folder) {
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
          counts.files += 1
          try look(at: file, inside)
        }
      } catch let error as FormatError {
        fail(inside, "\(error)")
      }
    }
  }

  private mutating func look(at file: GuestFile, _ path: String) throws {
    do {
      let ranges = try tree.ranges(of: file)
      guard ranges.allSatisfy({ $0.upperBound <= placement.byteCount }) else {
        return fail(path, "it lies behind the end of its file system")
      }
      switch leftOut.verdict(on: ranges, of: placement, path: GuestText.path(Array(path.utf8))) {
      case .kept: if file.kind == .regular { counts.bytes += file.size }
      case .leftOut: counts.skipped += 1
      case .wrong(let problem): fail(path, problem)
      }
    } catch is GuestDoubt {
      // Its room is shared with other files; where that is cannot be told.
      counts.unknown += 1
    }
  }
}
