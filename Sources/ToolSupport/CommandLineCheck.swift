internal import ArgumentParser
internal import Platform

/// What is said of a command line that makes no sense.
///
/// The parser's own words are good where an option is wrong; where a command is missing,
/// misspelt or behind its options, and where the help is to be found, they lead astray.
struct CommandLineCheck {
  private let tool: any ParsableCommand.Type
  private let arguments: [String]
  private let commands: [any ParsableCommand.Type]

  init(_ tool: any ParsableCommand.Type, _ arguments: [String]) {
    self.tool = tool
    self.arguments = arguments
    commands = tool.configuration.subcommands
  }

  private var names: [String] { commands.map { $0._commandName } }

  /// The command that the first argument names, else the one that is meant without a name; the tool
  /// itself when it has none.
  private var command: any ParsableCommand.Type {
    commands.first { $0._commandName == arguments.first }
      ?? tool.configuration.defaultSubcommand ?? tool
  }

  /// `vstore put --help`, or `vread --help`.
  private var help: String {
    command == tool
      ? "\(Console.toolName) --help" : "\(Console.toolName) \(command._commandName) --help"
  }

  /// Refuses arguments, and variables that name folders, that are no UTF-8: they would be taken for
  /// the name that they are shown as, which is another file's.
  static func requireText() throws(Failure) {
    guard let word = Environment.undecodable else { return }
    throw Failure(
      .usage, "\(word): is not UTF-8",
      hint: "rename it, go to its folder first, or send what is to be read by a pipe")
  }

  /// Refuses a command line without a command, where there must be one, and help for none that exists.
  func requireCommand() throws(Failure) {
    guard !commands.isEmpty else { return }
    if arguments.first == "help" {
      let topic = arguments.dropFirst().first { !$0.hasPrefix("-") && $0 != "help" }
      if let topic, !names.contains(topic) { throw unknownCommand(topic) }
      return
    }
    guard tool.configuration.defaultSubcommand == nil else { return }
    guard let first = arguments.first else {
      throw Failure(
        .usage, "no command was named", hint: "\(Console.toolName) --help lists them")
    }
    if first.hasPrefix("-") { return try refuseOptionsInFront(first) }
    if !names.contains(first) { throw unknownCommand(first) }
  }

  private func unknownCommand(_ word: String) -> Failure {
    let hint =
      nearest(to: word, of: names).map { "\(Console.toolName) \($0) is close to it" }
      ?? "the commands are \(names.joined(separator: ", "))"
    return Failure(.usage, "\(word): no such command", hint: hint)
  }

  private func refuseOptionsInFront(_ first: String) throws(Failure) {
    let isAnswered = arguments.contains { word in
      ["-h", "--help", "--version"].contains(word)
        || ["--help-", "--generate-completion-script", "---", "--experimental"].contains {
          word.hasPrefix($0)
        }
    }
    if isAnswered { return }
    guard let command = arguments.first(where: { names.contains($0) }) else {
      throw Failure(
        .usage, "no command was named",
        hint: "it goes before the options; \(Console.toolName) --help lists them")
    }
    throw Failure(
      .usage, "\(first): stands before the command",
      hint: "options go behind the command: \(Console.toolName) \(command) \(first) ...")
  }

  /// The failure for what the parser says.
  func failure(_ text: String) -> Failure {
    // A command that serves a disk came as one word, whose parts are parted by NUL.
    let text = String(text.map { $0 == "\0" ? " " : $0 })
    var message = text.prefix(1).lowercased() + text.dropFirst()
    // What is missing is looked for first; but then it is an unknown word that is in the way.
    if message.hasPrefix("missing expected argument"), let option = unknownOption {
      message = "unknown option '\(option)'"
    }
    if message.contains("unexpected argument"), let word = misspeltCommand {
      return unknownCommand(word)
    }
    return Failure(.usage, message, hint: "\(help) shows the options")
  }

  /// The first word, where it went to the command that needs no name but is close to another's.
  private var misspeltCommand: String? {
    guard tool.configuration.defaultSubcommand != nil, let first = arguments.first,
      !first.hasPrefix("-"), !names.contains(first), nearest(to: first, of: names) != nil
    else { return nil }
    return first
  }

  /// The first word that looks like an option and is none.
  private var unknownOption: String? {
    var known: Set<String> = []
    let text = command == tool ? tool.helpMessage() : tool.helpMessage(for: command)
    for line in text.split(separator: "\n") where line.hasPrefix("  -") {
      let words = line.split { " ,/<>[]".contains($0) }
      known.formUnion(words.prefix { $0.hasPrefix("-") }.map(String.init))
    }
    let words = arguments.prefix { $0 != "--" }
    return words.lazy.map { String($0.prefix { $0 != "=" }) }
      .first { $0.hasPrefix("--") && !known.contains($0) }
  }

  /// The one of `words` that `word` may have been meant to be.
  private func nearest(to word: String, of words: [String]) -> String? {
    let nearest = words.map { ($0, distance($0, word)) }.min { $0.1 < $1.1 }
    // The shortest names may be off by one letter all the same.
    guard let nearest, nearest.1 <= min(2, max(1, nearest.0.count - 2)) else { return nil }
    return nearest.0
  }

  /// How many letters must be added, taken away or changed, or change places with the next one.
  private func distance(_ first: String, _ second: String) -> Int {
    let first = Array(first)
    let second = Array(second.prefix(64))
    var rows = [Array(0...second.count)]
    for (row, letter) in first.enumerated() {
      var line = [row + 1]
      for (column, other) in second.enumerated() {
        var best = min(
          rows[row][column] + (letter == other ? 0 : 1), rows[row][column + 1] + 1,
          line[column] + 1)
        if row > 0, column > 0, letter == second[column - 1], first[row - 1] == other {
          best = min(best, rows[row - 1][column - 1] + 1)
        }
        line.append(best)
      }
      rows.append(line)
    }
    return rows[first.count][second.count]
  }
}
