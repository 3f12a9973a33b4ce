internal import ArgumentParser
internal import ToolSupport

/// Makes, describes and checks virtual hard disks.
@main
struct Vhd: Tool {
  static let configuration = CommandConfiguration(
    commandName: "vhd",
    abstract: "Make, describe, check and repair virtual hard disks.",
    discussion: "A disk comes as a sealed stream on stdin, or from a file by its name.",
    version: Version.text,
    subcommands: [
      Create.self, Convert.self, Diff.self, Info.self, Check.self, Repair.self, Resize.self,
      Compare.self, Ranges.self,
    ])
}
