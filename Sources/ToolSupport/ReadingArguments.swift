public import ArgumentParser
internal import Blocks
internal import GuestLayouts
internal import Platform
public import Reading

/// How sources are read: the same options wherever a tool takes sources by name.
public struct ReadingArguments: ParsableArguments {
  @OptionGroup
  public var common: CommonReadingArguments

  @Option(
    help: ArgumentHelp(
      "The format that the sources are in, instead of looking for it: "
        + ReadOptions.formats.joined(separator: ", ") + ".", valueName: "format"),
    completion: .list(ReadOptions.formats))
  public var format: String?

  public init() {}

  /// The options in the words of the library.
  public func options() throws(Failure) -> ReadOptions { try common.options(format: format) }
}

/// The same where `--format` is that of what is made.
public struct ReadingArgumentsOfMaker: ParsableArguments {
  @OptionGroup
  public var common: CommonReadingArguments

  @Option(
    help: ArgumentHelp(
      "The format that the sources are in, instead of looking for it: "
        + ReadOptions.formats.joined(separator: ", ") + ".", valueName: "format"),
    completion: .list(ReadOptions.formats))
  public var sourceFormat: String?

  public init() {}

  /// The options in the words of the library.
  public func options() throws(Failure) -> ReadOptions {
    var options = try common.options(format: sourceFormat)
    options.formatOption = "--source-format"
    return options
  }
}

/// How sources are read, in whatever format.
public struct CommonReadingArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What is not read although it is there: free (what no file uses), swap, zero or none.",
      discussion: "Zeros are never carried, whatever is given; they come back as they were.",
      valueName: "kinds"),
    completion: .list(["zero", "free", "swap", "none"]))
  public var skip: String?

  @Option(
    help: ArgumentHelp(
      "Leave out the content of the guest's files that match, such as '/var/cache/**'.",
      valueName: "pattern"))
  public var exclude: [String] = []

  @Option(
    help: ArgumentHelp(
      "Leave out what the patterns in this file say, one in each line.",
      valueName: "file"),
    completion: .file())
  public var excludeFrom: [String] = []

  @Option(
    help: ArgumentHelp(
      "Leave out a known set of files: "
        + Exclusions.sets.map(\.name).joined(separator: ", ") + ".", valueName: "name"),
    completion: .list(Exclusions.sets.map(\.name)))
  public var excludeSet: [String] = []

  @Flag(help: "Go on at unreadable sectors and mark them as bad; ends in status 3.")
  public var salvage = false

  @Option(
    help: ArgumentHelp(
      "Let images refer to files (parents, extents, backing files) in this folder, too.",
      discussion: "Without it, such files must lie beside the image.", valueName: "folder"),
    completion: .directory)
  public var allowReferences: [String] = []

  @Option(
    help: ArgumentHelp(
      "Read this snapshot of a qcow2 image, by its name or number.", valueName: "name"))
  public var snapshot: String?

  @Option(
    help: ArgumentHelp(
      "The format of a backing file of which the image does not tell it.", valueName: "format"),
    completion: .list(ReadOptions.formats))
  public var backingFormat: String?

  public init() {}

  /// Whether the user has said what is skipped.
  public var choosesKinds: Bool { skip != nil }

  /// The options in the words of the library.
  func options(format: String?) throws(Failure) -> ReadOptions {
    var options = ReadOptions()
    options.skip = try kinds()
    options.exclusions = try exclusions()
    options.salvage = salvage
    options.format = format
    options.references = allowReferences
    options.snapshot = snapshot
    options.backingFormat = backingFormat
    return options
  }

  private func kinds() throws(Failure) -> Set<HoleKind> {
    let words = (skip ?? "zero").split(separator: ",", omittingEmptySubsequences: false).map(
      String.init)
    var kinds: Set<HoleKind> = [.zero]
    if words == ["none"] { return kinds }
    for word in words {
      let kind = HoleKind.allCases.first { $0.name == word }
      guard let kind, ReadOptions.skippableKinds.contains(kind) else {
        throw Failure(
          .usage, "--skip: '\(word)' is not known",
          hint: kind == .excluded
            ? "files are left out with --exclude" : "zero, free, swap and none can be given")
      }
      kinds.insert(kind)
    }
    return kinds
  }

  /// The most bytes of a file of patterns.
  private static let patternByteLimit = 1 << 20

  private func exclusions() throws(Failure) -> Exclusions {
    var exclusions = Exclusions()
    func add(_ pattern: String, _ option: String) throws(Failure) {
      do {
        try exclusions.add(pattern)
      } catch {
        throw Failure(.usage, "\(option): \(error)")
      }
    }
    for pattern in exclude { try add(pattern, "--exclude") }
    for path in excludeFrom {
      let text = try naming(path) {
        try FileDescriptor(path, .read).readAll(limit: CommonReadingArguments.patternByteLimit)
      }
      guard let text else {
        throw Failure(.usage, "\(path): more than 1 MiB is no list of patterns")
      }
      let lines = String(decoding: text, as: UTF8.self)
      for line in lines.split(whereSeparator: \.isNewline) where !line.hasPrefix("#") {
        try add(String(line), path)
      }
    }
    for name in excludeSet {
      guard let set = Exclusions.sets.first(where: { $0.name == name }) else {
        throw Failure(
          .usage, "--exclude-set: '\(name)' is not known",
          hint: "sets: \(Exclusions.sets.map(\.name).joined(separator: ", "))")
      }
      for pattern in set.patterns { try add(pattern, "--exclude-set") }
    }
    return exclusions
  }
}

extension Failure {
  /// Gives an error of reading its status.
  init(_ error: ReadingError) {
    switch error {
    case .request(let problem, let hint): self.init(.usage, problem, hint: hint)
    case .failed(let problem, let hint): self.init(.failed, problem, hint: hint)
    case .unsupported(_, _, let hint): self.init(.impossible, "\(error)", hint: hint)
    case .unreachable(_, _, let hint): self.init(.failed, "\(error)", hint: hint)
    case .source(let source, let error): self.init(source, error)
    }
  }
}
