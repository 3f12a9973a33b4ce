internal import Blocks
internal import Bytes
public import GuestLayouts
internal import Platform

/// What was restored.
public struct RestoredCounts: Encodable, Sendable {
  public var files = 0
  public var folders = 0
  public var symbolicLinks = 0
  public var hardLinks = 0
  /// Devices and fifos.
  public var specialFiles = 0
  /// Devices, fifos and sockets that the target does not get.
  public var specialFilesLeftOut = 0
  /// Files with several names that became files of their own.
  public var copiedLinks = 0
  /// Of files' content, holes not counted.
  public var bytes: UInt64 = 0
  /// Files and folders of which something is missing, and why was told.
  public var problems = 0
}

/// Restores guests' files, one after the other; what cannot be read of one spoils no other.
public final class FileRestorer: FileVisitor {
  private struct FileKey: Hashable {
    let system: Int
    let id: UInt64
  }

  private struct Names {
    let path: [UInt8]
    /// How many are still to come, if the file system counts right.
    var left: UInt32
  }

  /// The most files with several names that are known at a time, and the bytes of their paths.
  private static let nameLimit = 1 << 16
  private static let nameByteLimit = 16 << 20

  public private(set) var counts = RestoredCounts()
  private let target: any FileTarget
  private let holes: ContentHoles.Finder?
  private let say: (_ path: String, _ problem: String) -> Void
  private let advance: (UInt64) -> Void
  private let buffer = Buffer(count: FileContent.pieceByteCount)
  private var names: [FileKey: Names] = [:]
  private var nameByteCount = 0
  /// What is being restored.
  private var system = 0
  private var source: MachineFiles.FileSystem?
  /// The guest's folder around it, as messages show it.
  private var prefix = "/"

  private init(
    target: any FileTarget, holes: ContentHoles.Finder?, advance: @escaping (UInt64) -> Void,
    say: @escaping (_ path: String, _ problem: String) -> Void
  ) {
    self.target = target
    self.holes = holes
    self.advance = advance
    self.say = say
  }

  /// - Parameters:
  ///   - target: Where files go.
  ///   - holes: Tells what was left out of the backup; nil when nothing was.
  ///   - advance: Hears of bytes of content that were written.
  ///   - say: Hears of problems, with the guest's path.
  public convenience init(
    into target: FolderTarget, holes: ContentHoles.Finder?, advance: @escaping (UInt64) -> Void,
    say: @escaping (_ path: String, _ problem: String) -> Void
  ) {
    self.init(target: target, holes: holes, advance: advance, say: say)
  }

  /// As for a folder.
  public convenience init(
    into target: TarTarget, holes: ContentHoles.Finder?, advance: @escaping (UInt64) -> Void,
    say: @escaping (_ path: String, _ problem: String) -> Void
  ) {
    self.init(target: target as any FileTarget, holes: holes, advance: advance, say: say)
  }

  /// Restores a file, or a folder with all in it.
  ///
  /// - Parameters:
  ///   - file: The file.
  ///   - fileSystem: Its file system, and a number of that.
  ///   - path: Its names in the guest.
  ///   - place: The last of them, which it gets in the target: one for its name, more where it
  ///     belongs into what was restored before, none for the target itself.
  ///   - fillsUp: Whether it may be a folder that is there.
  /// - Throws: When nothing more can be written.
  public func restore(
    _ file: GuestFile, of fileSystem: MachineFiles.FileSystem, _ number: Int, path: [[UInt8]],
    place: [[UInt8]], fillsUp: Bool = false
  ) throws {
    system = number
    source = fileSystem
    prefix = "/" + path.dropLast(place.count).map { GuestText.path($0) + "/" }.joined()
    var walk = FileWalk(fileSystem.tree, self)
    do {
      let isThere = try telling(Array(place.joined(separator: [UInt8(ascii: "/")]))) {
        try target.begin(in: Array(place.dropLast()), firstMayExist: fillsUp)
      }
      guard isThere else { return }
      try walk.run(file, named: place.last ?? [], in: Array(place.dropLast()))
    } catch let loss as TargetLoss {
      throw loss.reason
    }
  }

  public func tell(_ problem: any Error, at path: [UInt8]) {
    counts.problems += 1
    let reason = (problem as? ReadTrouble)?.reason ?? problem
    say(prefix + GuestText.path(path), "\(reason)")
  }

  /// Runs `body`; what it throws is told, unless it ends everything.
  ///
  /// - Returns: Whether it threw nothing.
  @discardableResult
  private func telling(_ path: [UInt8], _ body: () throws -> Void) throws -> Bool {
    do {
      try body()
      return true
    } catch let loss as TargetLoss {
      throw loss
    } catch {
      tell(error, at: path)
      return false
    }
  }

  public func take(_ walked: WalkedFile) throws -> Bool {
    switch walked.file.kind {
    case .directory:
      return try telling(walked.path) {
        // Its own attributes are set when all in it is there.
        try target.enterFolder(RestoredFile(walked: walked, attributes: attributesForTar(walked)))
        counts.folders += 1
      }
    case .regular: try restoreFile(walked)
    case .symbolicLink:
      try telling(walked.path) {
        guard let link = try source?.tree.target(of: walked.file) else { return }
        try target.addLink(
          RestoredFile(walked: walked, attributes: attributes(of: walked)), to: link)
        counts.symbolicLinks += 1
      }
    case .characterDevice, .blockDevice, .fifo, .socket:
      try telling(walked.path) {
        let file = RestoredFile(walked: walked, attributes: attributes(of: walked))
        if try target.addSpecial(file) {
          counts.specialFiles += 1
        } else {
          counts.specialFilesLeftOut += 1
        }
      }
    case .other:
      tell(
        FileContent.Problem(description: "it is of a kind that cannot be restored"), at: walked.path
      )
    }
    return false
  }

  public func leave(_ folder: WalkedFile) throws {
    try telling(folder.path) {
      let attributes = target is FolderTarget ? attributes(of: folder) : []
      try target.leaveFolder(RestoredFile(walked: folder, attributes: attributes))
    }
  }

  private func attributesForTar(_ folder: WalkedFile) -> [ExtendedAttribute] {
    target is FolderTarget ? [] : attributes(of: folder)
  }

  /// The extended attributes of a file; when they cannot be read that is told, and there are none.
  private func attributes(of walked: WalkedFile) -> [ExtendedAttribute] {
    do {
      return try source?.tree.attributes(of: walked.file) ?? []
    } catch {
      tell(
        FileContent.Problem(description: "its extended attributes cannot be read: \(error)"),
        at: walked.path)
      return []
    }
  }

  // MARK: Regular files

  private func restoreFile(_ walked: WalkedFile) throws {
    if try restoreAsHardLink(walked) { return }
    try telling(walked.path) {
      guard let tree = source?.tree else { return }
      try refuseLeftOut(walked)
      let content = try FileContent(
        try tree.content(of: walked.file), buffer, advance: advance)
      let file = RestoredFile(walked: walked, attributes: attributes(of: walked))
      try target.addFile(file, content)
      counts.files += 1
      counts.bytes += content.data.reduce(0) { $0 + ($1.upperBound - $1.lowerBound) }
      remember(walked)
    }
  }

  /// Throws where a file's content was left out of the backup: it is not restored as zeros.
  ///
  /// What could not be read when the backup was made is told only: the rest may be worth much.
  private func refuseLeftOut(_ walked: WalkedFile) throws {
    guard let holes, let source else { return }
    let found = try ContentHoles(of: walked.file, in: source, holes)
    if let kind = found.leftOut {
      throw FileContent.Problem(
        description: "its content was left out of the backup (\(kind.name))")
    }
    if let count = found.byKind[.bad] {
      let text = "\(count) bytes of it could not be read when the backup was made: they are zeros"
      tell(FileContent.Problem(description: text), at: walked.path)
    }
  }

  // MARK: Files with several names

  /// Makes another name of a file that was restored before.
  ///
  /// - Returns: False when it is none, or has to be a file of its own.
  private func restoreAsHardLink(_ walked: WalkedFile) throws -> Bool {
    let key = FileKey(system: system, id: walked.file.id)
    guard walked.file.linkCount > 1, var known = names[key] else { return false }
    var isLink = false
    let isTold = try !telling(walked.path) {
      let file = RestoredFile(walked: walked, attributes: [])
      isLink = try target.addHardLink(file, to: known.path)
    }
    if isLink { counts.hardLinks += 1 } else if !isTold { counts.copiedLinks += 1 }
    known.left -= 1
    names[key] = known
    if known.left == 0 {
      names[key] = nil
      nameByteCount -= known.path.count
    }
    return isLink || isTold
  }

  private func remember(_ walked: WalkedFile) {
    let key = FileKey(system: system, id: walked.file.id)
    guard walked.file.linkCount > 1, names[key] == nil else { return }
    guard names.count < FileRestorer.nameLimit,
      nameByteCount + walked.path.count <= FileRestorer.nameByteLimit
    else {
      counts.copiedLinks += 1
      return
    }
    names[key] = Names(path: walked.path, left: walked.file.linkCount - 1)
    nameByteCount += walked.path.count
  }
}
