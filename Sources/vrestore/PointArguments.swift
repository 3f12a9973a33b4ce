internal import ArgumentParser
internal import Bytes
internal import Platform
internal import Repositories
internal import ToolSupport

/// A point of a repository, and perhaps one of its volumes.
struct PointArguments: ParsableArguments {
  @Argument(
    help: ArgumentHelp(
      "NAME (its newest), NAME~2 (two before), an id or the start of one; :VOLUME picks a disk "
        + "by its name or number, from 0.",
      valueName: "point"))
  var selector: String

  @OptionGroup
  var repository: RepositoryArguments

  /// Refuses an output in the repository's own folder: one of its objects would be replaced.
  func refuse(output path: String) throws(Failure) {
    guard path != "-" else { return }
    let repository = try repository.requiredPath()
    let inside = try naming(path) {
      guard let root = try Files.comparablePath(repository),
        let folder = try Files.comparablePath(Files.folder(of: try OutputFile.target(of: path)))
      else { return false }
      return folder == root || folder.hasPrefix("\(root)/")
    }
    if inside {
      throw Failure(
        .usage, "\(path): lies in the repository that is read", hint: "write it somewhere else")
    }
  }

  /// Opens the repository and finds the point.
  func open() throws(Failure) -> SelectedPoint {
    let repository = try repository.open()
    let parts = selector.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let stored = try naming(repository.location) { try repository.resolve(String(parts[0])) }
    if !stored.point.complete {
      Console.warn(
        "\(selector): parts of the source were missing when it was made; see vstore show")
    }
    return SelectedPoint(
      selector: selector, repository: repository, stored: stored,
      volume: parts.count == 2 ? String(parts[1]) : nil)
  }
}

/// A point that was found.
struct SelectedPoint {
  let selector: String
  let repository: Repository
  let stored: Repository.StoredPoint
  /// The name or number of the volume that was picked.
  let volume: String?

  var point: RecoveryPoint { stored.point }

  private var names: String { point.volumes.map(\.name).joined(separator: ", ") }

  /// The number of the volume that was picked; nil when none was.
  func pickedVolume() throws(Failure) -> Int? { try pickedVolume(volume) }

  /// The number of the volume of a name or number; nil for none.
  func pickedVolume(_ volume: String?) throws(Failure) -> Int? {
    guard let volume else { return nil }
    guard
      let found = point.volumes.firstIndex(where: { $0.name == volume })
        ?? Int(volume).flatMap({ point.volumes.indices.contains($0) ? $0 : nil })
    else { throw Failure(.notFound, "\(selector): no such volume", hint: "it has \(names)") }
    return found
  }

  /// The number of the one volume that is wanted.
  func onlyVolume() throws(Failure) -> Int {
    if let picked = try pickedVolume() { return picked }
    guard point.volumes.count == 1 else {
      throw Failure(
        .usage, "\(selector): it has \(point.volumes.count) volumes",
        hint: "pick one with POINT:VOLUME, of \(names)")
    }
    return 0
  }

  /// The most bytes of lists of files that are counted.
  private static let listLimit: UInt64 = 32 << 20

  /// Tells how many of the guest's files come back as zeros, as they were left out on purpose.
  ///
  /// - Parameters:
  ///   - number: The volume.
  ///   - wanted: The bytes of it that come back; nil for all.
  func tellFilesLeftOut(ofVolume number: Int, _ wanted: Range<UInt64>? = nil) {
    let volume = point.volumes[number]
    let lists = point.attachments.filter {
      $0.name == "\(volume.name).skipped" || $0.name.hasPrefix("\(volume.name).skipped.")
    }
    guard !lists.isEmpty else { return }
    let hint = "vstore show --holes names them"
    guard lists.reduce(0, { $0 + min($1.size, 1 << 32) }) <= SelectedPoint.listLimit else {
      return Console.say("note: \(volume.name): files left out on purpose are zeros; \(hint)")
    }
    do {
      let files = try PointHoles(repository, stored).skippedFiles(ofVolume: number)
      var paths: Set<String> = []
      var byteCount: UInt64 = 0
      for (range, path) in files.parts(of: wanted ?? 0..<volume.size) {
        guard let path else { continue }
        paths.insert(path)
        byteCount += range.upperBound - range.lowerBound
      }
      guard !paths.isEmpty else { return }
      let count = paths.count == 1 ? "1 file" : "\(paths.count) files"
      Console.say(
        "note: \(volume.name): \(count) left out on purpose (\(ByteSize.text(byteCount))) "
          + "\(paths.count == 1 ? "is" : "are") zeros; \(hint)")
    } catch {
      Console.warn("\(selector): which files were left out cannot be told: \(error)")
    }
  }

  /// The point as a feed.
  ///
  /// - Parameter selections: The volumes wanted; nil for all with the attachments.
  func feed(_ selections: [RestoreFeed.Selection]?) throws(Failure) -> RestoreFeed {
    try naming(selector) { try RestoreFeed(repository, stored, selections: selections) }
  }
}
