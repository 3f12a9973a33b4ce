internal import Bytes

/// A file that a walk came to.
public struct WalkedFile: Sendable {
  public let file: GuestFile
  /// Its last name; empty for where the walk began, if it was given none.
  public let name: [UInt8]
  /// The names from where the walk began, its own among them, with `/` between them.
  public let path: [UInt8]
}

/// Who is shown the files of a walk; what it throws ends the walk.
public protocol FileVisitor: AnyObject {
  /// Takes a file or a folder.
  ///
  /// - Returns: Whether a folder is to be gone into; then `leave` follows when all in it was shown.
  func take(_ file: WalkedFile) throws -> Bool
  /// Leaves a folder that was gone into.
  func leave(_ folder: WalkedFile) throws
  /// Hears that something cannot be read; the walk goes on with what comes next.
  func tell(_ problem: any Error, at path: [UInt8])
}

/// Goes through the files of a tree, however many there are, in the order of their names as far as a
/// folder's names fit into memory.
public struct FileWalk {
  /// What a name in a folder, and a folder among folders, makes problematic.
  struct Problem: Error, CustomStringConvertible {
    let description: String
  }

  /// The most folders that are gone into: what their ids take stays below 64 MiB.
  static let folderLimit = 2 << 20
  static let depthLimit = 1000
  /// The most names that wait, of all folders that are open, and their bytes.
  private let entryLimit: Int

  private struct Level {
    let folder: WalkedFile
    var entries: [DirectoryEntry]
    var next = 0
  }

  private let tree: any FileTree
  private unowned let visitor: any FileVisitor
  private var seen: Set<UInt64> = []
  private var levels: [Level] = []
  private var waiting = 0

  public init(_ tree: any FileTree, _ visitor: any FileVisitor) {
    self.init(tree, visitor, entryLimit: 1 << 18)
  }

  init(_ tree: any FileTree, _ visitor: any FileVisitor, entryLimit: Int) {
    self.tree = tree
    self.visitor = visitor
    self.entryLimit = entryLimit
  }

  /// Shows a file and, where the visitor wants to go into folders, all beneath it.
  ///
  /// - Parameters:
  ///   - name: What it is called; empty for a folder whose content alone is of interest.
  ///   - folder: The names of the folder that it is in, from where paths are to begin.
  public mutating func run(
    _ file: GuestFile, named name: [UInt8], in folder: [[UInt8]] = []
  ) throws {
    let path = Array((folder + [name]).joined(separator: [UInt8(ascii: "/")]))
    try show(WalkedFile(file: file, name: name, path: path))
    while let level = levels.last {
      guard level.next < level.entries.count else {
        waiting -= level.entries.count
        levels.removeLast()
        try visitor.leave(level.folder)
        continue
      }
      levels[levels.count - 1].next += 1
      try visit(level.entries[level.next], in: level.folder)
    }
  }

  /// Tells what `body` throws as a problem of a path; nil then.
  private func reading<Result>(_ path: [UInt8], _ body: () throws -> Result) -> Result? {
    do {
      return try body()
    } catch {
      visitor.tell(error, at: path)
      return nil
    }
  }

  private func walked(_ entry: DirectoryEntry, in folder: WalkedFile) -> WalkedFile? {
    let separator = folder.path.isEmpty ? [] : [UInt8(ascii: "/")]
    let path = folder.path + separator + entry.name
    guard FileWalk.isName(entry.name) else {
      visitor.tell(Problem(description: "this is no name for a file"), at: path)
      return nil
    }
    return reading(path) {
      WalkedFile(file: try tree.file(entry.id), name: entry.name, path: path)
    }
  }

  /// Whether a name can be one, and leads nowhere else.
  private static func isName(_ name: [UInt8]) -> Bool {
    !name.isEmpty && name != [UInt8(ascii: ".")] && name != Array("..".utf8)
      && !name.contains(0) && !name.contains(UInt8(ascii: "/"))
  }

  private mutating func visit(_ entry: DirectoryEntry, in folder: WalkedFile) throws {
    if let file = walked(entry, in: folder) { try show(file) }
  }

  private mutating func show(_ file: WalkedFile) throws {
    if file.file.kind == .directory, let problem = problem(with: file) {
      return visitor.tell(problem, at: file.path)
    }
    guard try visitor.take(file), file.file.kind == .directory else { return }
    try open(file)
  }

  /// Why a folder is not gone into: hostile ones lead in circles.
  private mutating func problem(with folder: WalkedFile) -> Problem? {
    if seen.contains(folder.file.id) {
      return Problem(description: "a folder that was somewhere else already: left out")
    }
    if levels.count >= FileWalk.depthLimit {
      return Problem(description: "deeper than \(FileWalk.depthLimit) folders: left out")
    }
    if seen.count >= FileWalk.folderLimit {
      return Problem(description: "more than \(FileWalk.folderLimit) folders: left out")
    }
    seen.insert(folder.file.id)
    return nil
  }

  /// Reads a folder's names.
  private mutating func open(_ folder: WalkedFile) throws {
    var gathered = GatheredNames(limit: max(min(entryLimit, 256), entryLimit - waiting))
    var stop: (any Error)?
    reading(folder.path) {
      try tree.forEachEntry(of: folder.file) { entry in
        guard gathered.isFull else {
          gathered.add(entry)
          return true
        }
        do {
          try flush(&gathered, in: folder)
        } catch {
          stop = error
          return false
        }
        gathered.add(entry)
        return true
      }
    }
    if let stop { throw stop }
    let entries = gathered.sorted()
    waiting += entries.count
    levels.append(Level(folder: folder, entries: entries))
  }

  /// Shows the files among names that do not fit into memory, so that folders alone wait.
  private func flush(_ gathered: inout GatheredNames, in folder: WalkedFile) throws {
    var folders: [DirectoryEntry] = []
    for entry in gathered.sorted() {
      guard let file = walked(entry, in: folder) else { continue }
      if file.file.kind == .directory {
        folders.append(entry)
      } else {
        _ = try visitor.take(file)
      }
    }
    if folders.count > gathered.limit / 2 {
      let problem = "it has more than \(gathered.limit / 2) folders: the others are left out"
      visitor.tell(Problem(description: problem), at: folder.path)
      folders.removeLast(folders.count - gathered.limit / 2)
    }
    gathered.keep(folders)
  }
}

/// Names of a folder on their way.
private struct GatheredNames {
  let limit: Int
  private var entries: [DirectoryEntry] = []

  init(limit: Int) { self.limit = limit }

  var isFull: Bool { entries.count >= limit }
  mutating func add(_ entry: DirectoryEntry) { entries.append(entry) }
  mutating func keep(_ some: [DirectoryEntry]) { entries = some }

  func sorted() -> [DirectoryEntry] {
    entries.sorted { $0.name.lexicographicallyPrecedes($1.name) }
  }
}
