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
  ///
  /// - Parameter sources: What is read with them.
  public func options(for sources: [String]) throws(Failure) -> ReadOptions {
    try common.options(for: sources, format: format)
  }

  /// Refuses what a disk is read with when it comes as a stream, and so has been read already.
  public func refuseForStream() throws(Failure) {
    try common.refuse(format == nil ? [] : ["--format"], CommonReadingArguments.streamHint)
  }
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
  ///
  /// - Parameter sources: What is read with them.
  public func options(for sources: [String]) throws(Failure) -> ReadOptions {
    var options = try common.options(for: sources, format: sourceFormat)
    options.formatOption = "--source-format"
    return options
  }

  /// Refuses what a disk is read with when it comes on stdin, and so has been read already.
  ///
  /// - Parameter isPlain: Whether plain bytes come instead of a stream.
  public func refuseForStream(isPlain: Bool) throws(Failure) {
    try common.refuse(
      sourceFormat == nil ? [] : ["--source-format"],
      isPlain ? "name the disk instead of sending its bytes" : CommonReadingArguments.streamHint)
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
  public var skip: [String] = []

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
  public var choosesKinds: Bool { !skip.isEmpty }

  /// The options in the words of the library.
  func options(for sources: [String], format: String?) throws(Failure) -> ReadOptions {
    if excludeFrom.count(where: { $0 == "-" }) + sources.count(where: { $0 == "-" }) > 1 {
      throw Failure(
        .usage, "--exclude-from -: stdin is named twice", hint: "save the list to a file first")
    }
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

  fileprivate static let streamHint = "in a pipe it belongs to vread, which reads the disk"

  /// Refuses all options that were given: nothing is read by name.
  fileprivate func refuse(_ others: [String], _ hint: String) throws(Failure) {
    let given: [(option: String, isGiven: Bool)] = [
      ("--skip", !skip.isEmpty), ("--exclude", !exclude.isEmpty),
      ("--exclude-from", !excludeFrom.isEmpty), ("--exclude-set", !excludeSet.isEmpty),
      ("--salvage", salvage), ("--allow-references", !allowReferences.isEmpty),
      ("--snapshot", snapshot != nil), ("--backing-format", backingFormat != nil),
    ]
    let options = given.filter(\.isGiven).map(\.option) + others
    guard let option = options.first else { return }
    throw Failure(
      .usage, "\(option): what comes on stdin has been read already and is taken as it is",
      hint: hint)
  }

  private func kinds() throws(Failure) -> Set<HoleKind> {
    let words = skip.flatMap { $0.split(separator: ",", omittingEmptySubsequences: false) }
      .map { String($0.trimmed) }
    var kinds: Set<HoleKind> = [.zero]
    for word in words where word != "none" {
      let kind = HoleKind.allCases.first { $0.name == word }
      guard let kind, ReadOptions.skippableKinds.contains(kind) else {
        throw Failure(
          .usage, "--skip: '\(word)' is not known", hint: CommonReadingArguments.hint(word))
      }
      kinds.insert(kind)
    }
    guard !words.contains("none") || words.allSatisfy({ $0 == "none" }) else {
      throw Failure(
        .usage, "--skip: none leaves nothing out, and goes with no other kind",
        hint: "give the kinds that are left out, or none alone")
    }
    return kinds
  }

  /// What to give instead of a word that is no kind.
  private static func hint(_ word: String) -> String {
    if Exclusions.sets.contains(where: { $0.name == word }) {
      return "a set of files is left out with --exclude-set \(word)"
    }
    return word == HoleKind.excluded.name
      ? "files are left out with --exclude" : "zero, free, swap and none can be given"
  }

  /// The most bytes of a file of patterns.
  private static let patternByteLimit = 1 << 20

  private func exclusions() throws(Failure) -> Exclusions {
    var exclusions = Exclusions()
    /// Who wrote a pattern is told when it matches nothing; those of sets are for any machine.
    func add(_ pattern: String, _ place: String, isOwn: Bool = true) throws(Failure) {
      do {
        try exclusions.add(pattern, from: isOwn ? place : nil)
      } catch {
        throw Failure(.usage, "\(place): \(error)")
      }
    }
    for pattern in exclude { try add(pattern, "--exclude") }
    for path in excludeFrom {
      let file = path == "-" ? "stdin" : path
      let text = try naming(file) {
        try (path == "-" ? .standardInput : FileDescriptor(path, .read))
          .readAll(limit: CommonReadingArguments.patternByteLimit)
      }
      guard let text else {
        throw Failure(.usage, "\(file): more than 1 MiB is no list of patterns")
      }
      for (number, pattern) in try CommonReadingArguments.patterns(text, of: file) {
        try add(pattern, "\(file):\(number)")
      }
    }
    for name in excludeSet {
      guard let set = Exclusions.sets.first(where: { $0.name == name }) else {
        throw Failure(
          .usage, "--exclude-set: '\(name)' is not known",
          hint: "sets: \(Exclusions.sets.map(\.name).joined(separator: ", "))")
      }
      for pattern in set.patterns { try add(pattern, "--exclude-set", isOwn: false) }
    }
    return exclusions
  }

  /// The patterns of a list and the numbers of their lines: without comments, blanks around them,
  /// and the mark that Windows' editors begin a file with.
  private static func patterns(
    _ bytes: [UInt8], of file: String
  ) throws(Failure) -> [(line: Int, pattern: String)] {
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    let bytes = bytes.starts(with: mark) ? Array(bytes.dropFirst(mark.count)) : bytes
    do {
      _ = try UTF8Span(validating: bytes.span)
    } catch {
      let before = String(decoding: bytes[..<error.byteOffsets.lowerBound], as: UTF8.self)
      throw Failure(
        .usage, "\(file):\(before.count(where: \.isNewline) + 1): is not UTF-8",
        hint: "save the list as UTF-8; * stands for other bytes of a name, too")
    }
    let text = String(decoding: bytes, as: UTF8.self)
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    return lines.enumerated().compactMap { index, line in
      let pattern = line.trimmed
      return pattern.isEmpty || pattern.hasPrefix("#") ? nil : (index + 1, String(pattern))
    }
  }
}

extension Substring {
  /// Without the blanks around it.
  fileprivate var trimmed: Substring {
    var text = drop(while: \.isWhitespace)
    while text.last?.isWhitespace == true { text.removeLast() }
    return text
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
