internal import ArgumentParser
internal import Bytes
internal import GuestLayouts
internal import Platform
internal import Repositories
internal import ToolSupport
internal import Writing

/// `vrestore files`: files out of a point's disks, into a folder or a tar.
struct FileCopy: Tool {
  static let configuration = CommandConfiguration(
    commandName: "files", abstract: "Bring back files out of a point's disks.")

  @OptionGroup
  var arguments: PointArguments

  @Argument(help: "Files in the machine, and folders with all in them.")
  var paths: [String]

  @OptionGroup
  var guest: GuestArguments

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("The folder to put them in; - is a tar on stdout.", valueName: "folder"),
    completion: .directory)
  var output: String

  @Flag(help: "Replace files that are there; folders are filled up.")
  var force = false

  @Flag(help: "The result and errors as JSON.")
  var json = false

  @OptionGroup
  var options: OutputOptions

  private var isTar: Bool { output == "-" }

  func run() throws {
    let target: any Target
    if isTar {
      try Console.requireBinaryOutput(hint: "send the tar on by a pipe or into a file")
      try naming("stdout") { try TarTarget.load() }
      target = StandardOutput()
    } else {
      try arguments.refuse(output: output)
      try arguments.refuse(output: "\(output)/x")
      target = Folder(output, force: force)
    }
    let point = try guest.open(arguments, libraries: isTar ? TarTarget.libraryFolders : []) {
      () throws(Failure) in try target.begin()
    }
    point.warn(ofAll: false)
    let found = try paths.map { text throws(Failure) in try point.find(text) }
    let plan = try RestorePlan(found, point)
    try target.check(plan)
    try warn(of: found, point)

    let problems = ProblemList()
    let progress = Progress("restored", isTar ? options.feedingOutput() : options)
    let restorer = try target.restorer(
      point.holes, { progress.advance($0) }, { problems.tell($0, $1) })
    for item in plan.items {
      let file = item.found
      try naming(target.name) {
        try restorer.restore(
          file.place.file, of: file.fileSystem, file.place.system, path: file.path,
          place: item.place, fillsUp: item.isInside)
      }
    }
    try naming(target.name) { try target.finish() }
    progress.finish()
    problems.finish()
    if !options.quiet { plan.tellMountsLeftOut() }
    try report(restorer.counts, target)
    if let trouble = point.trouble { throw trouble }
    let isDoubtful = found.contains { $0.fileSystem.doubt != nil || $0.closedMount != nil }
    if restorer.counts.problems > 0 || isDoubtful || !point.selected.point.complete {
      leave(.incomplete)
    }
  }

  /// Tells why files may not be as their guest would see them.
  private func warn(of found: [PointFiles.Found], _ point: PointFiles) throws {
    for closed in Set(found.compactMap(\.closedMount)).sorted() { Console.warn(closed) }
    var told: Set<Int> = []
    for file in found where told.insert(file.place.system).inserted {
      guard let doubt = file.fileSystem.doubt else { continue }
      let title = point.title(file.fileSystem.volume)
      Console.warn("\(title): \(doubt): what was written last may be missing in its files")
    }
  }

  private func report(_ counts: RestoredCounts, _ target: any Target) throws(Failure) {
    if counts.specialFilesLeftOut > 0 {
      let kinds = isTar ? "sockets" : "devices, fifos and sockets"
      Console.warn("\(kinds) that are left out: \(counts.specialFilesLeftOut)")
    }
    if counts.copiedLinks > 0 {
      Console.warn("files with several names that became copies: \(counts.copiedLinks)")
    }
    for (what, loss) in target.losses.sorted(by: { $0.key < $1.key }) {
      let path = GuestText.path(loss.first.path)
      Console.warn(
        "files of which the \(what) is not kept: \(loss.count), such as \(path): "
          + "\(loss.first.reason)")
    }
    if json, !isTar {
      try Console.result(json: counts)
    } else if options.verbose {
      Console.say(
        "\(counts.files) files, \(counts.folders) folders, \(counts.symbolicLinks) symbolic links, "
          + "\(counts.hardLinks) hard links, \(ByteSize.text(counts.bytes))")
    }
  }
}

/// Where the files go.
private protocol Target {
  /// For messages.
  var name: String { get }
  var losses: [String: FolderTarget.Loss] { get }
  /// Makes it, where it is not there.
  ///
  /// - Returns: The folders that are to be written to.
  func begin() throws(Failure) -> [String]
  /// Refuses what cannot be before anything is written.
  func check(_ plan: RestorePlan) throws(Failure)
  func restorer(
    _ holes: ContentHoles.Finder?, _ advance: @escaping (UInt64) -> Void,
    _ say: @escaping (_ path: String, _ problem: String) -> Void
  ) throws(Failure) -> FileRestorer
  func finish() throws
}

private final class Folder: Target {
  let name: String
  private let isForced: Bool
  private var folder: TargetFolder?
  private var target: FolderTarget?

  init(_ path: String, force: Bool) {
    name = path
    isForced = force
  }

  func begin() throws(Failure) -> [String] {
    try naming(name) {
      if try Files.status(name) == nil { try Files.makeDirectory(name) }
      do {
        let folder = try TargetFolder(opening: name)
        // What nobody may write to is known now, not file by file.
        _ = try folder.beginFile()
        self.folder = folder
        target = FolderTarget(folder, replaces: isForced)
      } catch let error as SystemError where error.isNotSupported {
        throw Failure(
          .failed, "\(name): this kernel has no openat2, by which nothing is written outside it",
          hint: "write a tar, with -o -")
      }
    }
    return [name]
  }

  var losses: [String: FolderTarget.Loss] { target?.losses ?? [:] }

  func check(_ plan: RestorePlan) throws(Failure) {
    for item in plan.items where !item.isInside {
      guard let raw = item.place.last,
        let there = try naming(name, { try folder?.status(raw) })
      else { continue }
      if !isForced {
        throw Failure(
          .usage, "\(name)/\(item.shown): exists",
          hint: "--force replaces files and fills up folders")
      }
      if (there.kind == .directory) != item.isFolder {
        throw Failure(
          .usage,
          "\(name)/\(item.shown): is \(item.isFolder ? "no folder" : "a folder"), "
            + "and in the way of a \(item.isFolder ? "folder" : "file")",
          hint: "move it away, or name another target")
      }
    }
  }

  func restorer(
    _ holes: ContentHoles.Finder?, _ advance: @escaping (UInt64) -> Void,
    _ say: @escaping (_ path: String, _ problem: String) -> Void
  ) throws(Failure) -> FileRestorer {
    guard let target else { preconditionFailure("a target is begun before it is used") }
    return FileRestorer(into: target, holes: holes, advance: advance, say: say)
  }

  func finish() throws { try target?.finish() }
}

private final class StandardOutput: Target {
  let name = "stdout"
  private var target: TarTarget?
  private var places: [[[UInt8]]] = []

  var losses: [String: FolderTarget.Loss] { [:] }

  func begin() -> [String] { [] }
  func check(_ plan: RestorePlan) { places = plan.items.map(\.place) }

  func restorer(
    _ holes: ContentHoles.Finder?, _ advance: @escaping (UInt64) -> Void,
    _ say: @escaping (_ path: String, _ problem: String) -> Void
  ) throws(Failure) -> FileRestorer {
    let target = try naming(name) { try TarTarget(.standardOutput, places: places) }
    self.target = target
    return FileRestorer(into: target, holes: holes, advance: advance, say: say)
  }

  func finish() throws { try target?.finish() }
}

/// Tells problems with files: many one by one, the rest as a number.
private final class ProblemList {
  private static let limit = 1000
  private var count = 0

  func tell(_ path: String, _ problem: String) {
    count += 1
    if count <= ProblemList.limit { Console.warn("\(path): \(problem)") }
  }

  func finish() {
    if count > ProblemList.limit { Console.warn("\(count - ProblemList.limit) more problems") }
  }
}
