internal import Reading

/// Commands among the arguments, `[ PROGRAM ARGUMENT... ]`, as nbdcopy(1) has them.
///
/// Each becomes one word before the options are parsed, so that the command's own options are not
/// taken for the tool's.
struct SourceCommands {
  /// - Returns: The arguments with each command as one word; see `SourceName`.
  /// - Throws: For brackets without their counterparts, and with nothing in them.
  static func gather(_ arguments: [String]) throws(Failure) -> [String] {
    var result: [String] = []
    var command: [String]?
    for word in arguments {
      switch (word, command) {
      case ("[", nil): command = []
      case ("]", nil):
        throw Failure(.usage, "]: there is no [ before it", hint: SourceCommands.hint)
      case ("]", .some(let words)):
        guard !words.isEmpty else {
          throw Failure(.usage, "[ ]: no command is in it", hint: SourceCommands.hint)
        }
        result.append(SourceName.text(ofCommand: words))
        command = nil
      case (_, .some(let words)): command = words + [word]
      default: result.append(word)
      }
    }
    guard command == nil else {
      throw Failure(.usage, "[: the ] behind the command is missing", hint: SourceCommands.hint)
    }
    return result
  }

  private static let hint =
    "a command that serves a disk: [ PROGRAM ARGUMENT... ], parted by blanks"
}
