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
      target = try Folder(output, force: force)
    }
    let point = try guest.open(
      arguments, writing: isTar ? [] : [output], libraries: isTar ? TarTarget.libraryFolders : [])
    point.warn(ofAll: false)
    let found = try paths.map { text throws(Failure) in try point.find(text) }
    try target.check(found.map { ($0.path.last, $0.path.last.map { GuestText.path($0) } ?? "/") })
    try warn(of: found, point)

    let problems = ProblemList()
    let progress = Progress("restored", isTar ? options.feedingOutput() : options)
    let restorer = try target.restorer(
      point.holes, { progress.advance($0) }, { problems.tell($0, $1) })
    for file in found {
      try naming(target.name) {
        try restorer.restore(
          file.place.file, of: file.fileSystem, file.place.system, path: file.path)
      }
    }
    try naming(target.name) { try target.finish() }
    progress.finish()
    problems.finish()
    try report(restorer.counts, target)
    if let trouble = point.trouble { throw trouble }
    let isDoubtful = found.contains { $0.fileSystem.doubt != nil }
    if restorer.counts.problems > 0 || isDoubtful || !point.selected.point.complete {
      leave(.incomplete)
    }
  }

  /// Tells why files may not be as their guest would see them.
  private func warn(of found: [PointFiles.Found], _ point: PointFiles) throws {
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
  typealias HoleFinder = FileRestorer.HoleFinder

  /// For messages.
  var name: String { get }
  var losses: [String: FolderTarget.Loss] { get }
  /// Refuses what cannot be before anything is written.
  ///
  /// - Parameter names: What is to come, raw and as it is shown; nil is the whole of a file system.
  func check(_ names: [(raw: [UInt8]?, shown: String)]) throws(Failure)
  func restorer(
    _ holes: HoleFinder?, _ advance: @escaping (UInt64) -> Void,
    _ say: @escaping (_ path: String, _ problem: String) -> Void
  ) throws(Failure) -> FileRestorer
  func finish() throws
}

extension Target {
  fileprivate func refuseTwins(_ names: [(raw: [UInt8]?, shown: String)]) throws(Failure) {
    var seen: Set<[UInt8]> = []
    for name in names where !seen.insert(name.raw ?? []).inserted {
      throw Failure(
        .usage, "two of the paths would become '\(name.shown)'",
        hint: "bring them back one after the other, into several folders")
    }
  }
}

private final class Folder: Target {
  let name: String
  private let folder: TargetFolder
  private let target: FolderTarget
  private let isForced: Bool

  init(_ path: String, force: Bool) throws(Failure) {
    name = path
    isForced = force
    folder = try naming(path) {
      if try Files.status(path) == nil { try Files.makeDirectory(path) }
      do {
        return try TargetFolder(opening: path)
      } catch let error as SystemError where error.isNotSupported {
        throw Failure(
          .failed, "\(path): this kernel has no openat2, by which nothing is written outside it",
          hint: "write a tar, with -o -")
      }
    }
    target = FolderTarget(folder, replaces: force)
  }

  var losses: [String: FolderTarget.Loss] { target.losses }

  func check(_ names: [(raw: [UInt8]?, shown: String)]) throws(Failure) {
    try refuseTwins(names)
    guard !isForced else { return }
    for name in names {
      guard let raw = name.raw else { continue }
      let isThere = try naming(self.name) { try folder.status(raw) != nil }
      if isThere {
        throw Failure(
          .usage, "\(self.name)/\(name.shown): exists",
          hint: "--force replaces files and fills up folders")
      }
    }
  }

  func restorer(
    _ holes: HoleFinder?, _ advance: @escaping (UInt64) -> Void,
    _ say: @escaping (_ path: String, _ problem: String) -> Void
  ) -> FileRestorer { FileRestorer(into: target, holes: holes, advance: advance, say: say) }

  func finish() throws { try target.finish() }
}

private final class StandardOutput: Target {
  let name = "stdout"
  private var target: TarTarget?

  var losses: [String: FolderTarget.Loss] { [:] }

  func check(_ names: [(raw: [UInt8]?, shown: String)]) throws(Failure) { try refuseTwins(names) }

  func restorer(
    _ holes: HoleFinder?, _ advance: @escaping (UInt64) -> Void,
    _ say: @escaping (_ path: String, _ problem: String) -> Void
  ) throws(Failure) -> FileRestorer {
    let target = try naming(name) { try TarTarget(.standardOutput) }
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
