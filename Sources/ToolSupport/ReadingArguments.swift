public import ArgumentParser
internal import Blocks
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
      "What is not read although it is there: swap (the content of Linux swap areas), zero or none.",
      discussion: "Zeros are never carried, whatever is given; they come back as they were.",
      valueName: "kinds"),
    completion: .list(["zero", "swap", "none"]))
  public var skip = "zero"

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

  /// The options in the words of the library.
  func options(format: String?) throws(Failure) -> ReadOptions {
    var options = ReadOptions()
    options.skip = try kinds()
    options.salvage = salvage
    options.format = format
    options.references = allowReferences
    options.snapshot = snapshot
    options.backingFormat = backingFormat
    return options
  }

  private func kinds() throws(Failure) -> Set<HoleKind> {
    let words = skip.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    var kinds: Set<HoleKind> = [.zero]
    if words == ["none"] { return kinds }
    for word in words {
      let kind = HoleKind.allCases.first { $0.name == word }
      guard let kind, ReadOptions.skippableKinds.contains(kind) else {
        let isPlanned = kind == .free || kind == .excluded
        throw Failure(
          .usage, isPlanned ? "--skip \(word) is not there yet" : "--skip: '\(word)' is not known",
          hint: "zero, swap and none can be given")
      }
      kinds.insert(kind)
    }
    return kinds
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
