internal import ArgumentParser
internal import ToolSupport

/// Keeps recovery points in a repository.
@main
struct Vstore: Tool {
  static let configuration = CommandConfiguration(
    commandName: "vstore",
    abstract: "Keep recovery points of disks in a repository.",
    version: Version.text,
    subcommands: [
      Init.self, Put.self, List.self, Show.self, Check.self, AuditPoint.self, Stats.self,
      Known.self,
      MakeBaseline.self, RepairIndex.self,
    ])
}
