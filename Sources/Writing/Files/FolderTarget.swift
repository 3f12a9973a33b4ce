internal import GuestLayouts
public import Platform

/// A folder that guests' files are written into, and nothing outside it.
public final class FolderTarget: FileTarget {
  /// What could not be kept of files, as the file system or the user's rights do not have it.
  public struct Loss: Sendable {
    public var count = 0
    /// The first file of which it is so, and why.
    public var first: (path: [UInt8], reason: String)
  }

  /// Why a file or folder is not written.
  struct Problem: Error, CustomStringConvertible {
    let description: String
  }

  /// A folder that was entered.
  private struct Level {
    let folder: TargetFolder
    /// The names that were written into it, without their case; nil where case counts.
    var names: Set<String>?
  }

  /// By what is lost: `owner`, `mode`.
  public private(set) var losses: [String: Loss] = [:]
  private let root: TargetFolder
  /// Those that were entered, the innermost last, and before them the root.
  private var open: [Level] = []
  private let replaces: Bool
  private let isRoot = Host.isRoot
  private var firstMayExist = false
  /// How many folders are entered where the first is.
  private var firstDepth = 0

  /// - Parameters:
  ///   - root: The folder.
  ///   - replaces: Whether files that are there go for others of their names.
  public init(_ root: TargetFolder, replaces: Bool) {
    self.root = root
    self.replaces = replaces
  }

  /// Brings all that was written to stable storage.
  public func finish() throws { try root.file.syncFileSystem() }

  private var folder: TargetFolder { open.last?.folder ?? root }

  /// Makes sure that no file replaces one that was restored before: where case does not count, two
  /// of a guest's names may be one.
  private func claim(_ name: [UInt8]) throws {
    guard replaces else { return }
    if open.isEmpty { try enter(root) }
    guard open[open.count - 1].names != nil else { return }
    let text = String(decoding: name, as: UTF8.self).lowercased()
    guard open[open.count - 1].names?.insert(text).inserted == true else {
      throw Problem(
        description: "case does not count here, and another one has this name: left out")
    }
  }

  private func enter(_ folder: TargetFolder) throws {
    let isPlain = try !replaces || !folder.ignoresCase()
    open.append(Level(folder: folder, names: isPlain ? nil : []))
  }

  func begin(in folder: [[UInt8]], firstMayExist: Bool) throws {
    self.firstMayExist = firstMayExist
    if open.isEmpty { try enter(root) }
    open = Array(open.prefix(1))
    var top = root
    try losing {
      for name in folder {
        do throws(SystemError) {
          top = try top.folder(name)
        } catch {
          guard error.isMissing else { throw error }
          try top.makeFolder(name)
          top = try top.folder(name)
          try top.file.setMode(TargetAttributes(), usual: 0o777)
        }
      }
    }
    if !folder.isEmpty { try enter(top) }
    firstDepth = open.count
  }

  func enterFolder(_ folder: RestoredFile) throws {
    guard !folder.name.isEmpty else { return }
    try losing {
      try claim(folder.name)
      do throws(SystemError) {
        try self.folder.makeFolder(folder.name)
      } catch {
        guard error.exists, replaces || firstMayExist && open.count == firstDepth else {
          throw error
        }
      }
      do {
        try enter(try self.folder.folder(folder.name))
      } catch let error as SystemError where error.isNoDirectory {
        throw FileContent.Problem(description: "what has its name in the target is no folder")
      }
    }
  }

  func leaveFolder(_ folder: RestoredFile) throws {
    guard !folder.name.isEmpty, let own = open.popLast()?.folder else { return }
    setAttributes(of: own.file, folder, usual: 0o777)
  }

  func addFile(_ file: RestoredFile, _ content: FileContent) throws {
    try losing {
      try claim(file.name)
      let entry = try folder.beginFile()
      guard let target = entry.file else { return }
      try content.forEachPiece { offset, bytes in try target.write(bytes, at: offset) }
      try target.truncate(to: content.size)
      setAttributes(of: target, file, usual: 0o666)
      try entry.commit(as: file.name, replacing: replaces)
    }
  }

  func addLink(_ link: RestoredFile, to target: [UInt8]) throws {
    try losing {
      try claim(link.name)
      let folder = folder
      let entry = try folder.beginLink(to: target)
      let attributes = attributes(of: link)
      keeping("owner", link) { try folder.setOwner(of: entry, attributes) }
      for attribute in link.attributes {
        keeping("extended attribute", link) {
          try folder.setAttribute(of: entry, attribute.name, attribute.value)
        }
      }
      keeping("time", link) { try folder.setTimes(of: entry, attributes) }
      try entry.commit(as: link.name, replacing: replaces)
    }
  }

  func addHardLink(_ file: RestoredFile, to path: [UInt8]) throws -> Bool {
    let slash = path.lastIndex(of: UInt8(ascii: "/"))
    let entry: PartialEntry
    do {
      let other = try slash.map { try root.folder(Array(path[..<$0])) } ?? root
      let name = Array(path[(slash.map { $0 + 1 } ?? 0)...])
      entry = try folder.beginHardLink(to: name, in: other)
    } catch {
      return false
    }
    try losing {
      try claim(file.name)
      try entry.commit(as: file.name, replacing: replaces)
    }
    return true
  }

  func addSpecial(_ file: RestoredFile) throws -> Bool { false }

  // MARK: Attributes

  private func attributes(of restored: RestoredFile) -> TargetAttributes {
    let file = restored.file
    var attributes = TargetAttributes()
    if isRoot, let owner = file.owner, let group = file.group { attributes.owner = (owner, group) }
    // Who is not root owns the file, and must not lend his rights to others by it.
    attributes.mode = file.mode.map { isRoot ? $0 : $0 & 0o1777 }
    if let mode = file.mode, !isRoot, mode & 0o6000 != 0 {
      note("setuid or setgid bit", restored, "kept for root only")
    }
    attributes.modified = file.modified.map {
      .init(seconds: $0.seconds, nanoseconds: $0.nanoseconds)
    }
    attributes.accessed = file.accessed.map {
      .init(seconds: $0.seconds, nanoseconds: $0.nanoseconds)
    }
    return attributes
  }

  private func setAttributes(of target: FileDescriptor, _ file: RestoredFile, usual: UInt32) {
    let attributes = attributes(of: file)
    keeping("owner", file) { try target.setOwner(attributes) }
    keeping("mode", file) { try target.setMode(attributes, usual: usual) }
    for attribute in file.attributes {
      keeping("extended attribute", file) {
        try target.setAttribute(attribute.name, attribute.value)
      }
    }
    keeping("time", file) { try target.setTimes(attributes) }
  }

  private func keeping(_ what: String, _ file: RestoredFile, _ body: () throws -> Void) {
    do { try body() } catch { note(what, file, "\(error)") }
  }

  private func note(_ what: String, _ file: RestoredFile, _ reason: String) {
    losses[what, default: Loss(first: (file.path, reason))].count += 1
  }

  private func losing(_ body: () throws -> Void) throws {
    do {
      try body()
    } catch let error as SystemError where error.isLossOfTarget {
      throw TargetLoss(reason: error)
    }
  }
}
