internal import ArgumentParser
internal import ToolSupport

/// Brings a recovery point back.
@main
struct Vrestore: Tool {
  static let configuration = CommandConfiguration(
    commandName: "vrestore",
    abstract: "Bring a recovery point back: as a stream, as plain bytes, to a file or device.",
    discussion: "Without a command: restore.",
    version: Version.text,
    subcommands: [Restore.self, Export.self, List.self, FileCopy.self],
    defaultSubcommand: Restore.self)
}
