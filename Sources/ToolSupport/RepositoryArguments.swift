public import ArgumentParser
internal import Platform
public import Repositories

/// Which repository to work on.
public struct RepositoryArguments: ParsableArguments {
  @Option(
    name: [.customShort("r"), .customLong("repo")],
    help: ArgumentHelp("The repository's folder; else the variable VPIPE_REPO.", valueName: "repo"),
    completion: .directory)
  public var path: String?

  public init() {}

  /// The folder that was named.
  public func requiredPath() throws(Failure) -> String {
    guard let path = path ?? Environment.value("VPIPE_REPO") else {
      throw Failure(
        .usage, "no repository is named", hint: "use -r FOLDER or set VPIPE_REPO")
    }
    return path
  }

  /// Opens the repository; what is odd about it goes to stderr.
  public func open() throws(Failure) -> Repository {
    let path = try requiredPath()
    let repository = try naming(path) { try Repository(path) }
    for warning in repository.warnings { Console.warn("\(path): \(warning)") }
    return repository
  }
}
