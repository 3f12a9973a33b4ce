internal import ArgumentParser
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
      guard let root = try Files.realPath(repository),
        let folder = try Files.realPath(Files.folder(of: try OutputFile.target(of: path)))
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

  /// The point as a feed.
  ///
  /// - Parameter selections: The volumes wanted; nil for all with the attachments.
  func feed(_ selections: [RestoreFeed.Selection]?) throws(Failure) -> RestoreFeed {
    try naming(selector) { try RestoreFeed(repository, stored, selections: selections) }
  }
}
