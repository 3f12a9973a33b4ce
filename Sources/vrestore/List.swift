internal import ArgumentParser
internal import Bytes
internal import GuestLayouts
internal import Platform
internal import Repositories
internal import ToolSupport

/// `vrestore ls`: the files in a point, or its file systems.
struct List: Tool {
  static let configuration = CommandConfiguration(
    commandName: "ls", abstract: "List files in a point's disks, or their file systems.")

  @OptionGroup
  var arguments: PointArguments

  @Argument(help: "Files and folders in the machine; without any, its file systems are listed.")
  var paths: [String] = []

  @OptionGroup
  var guest: GuestArguments

  @Flag(name: .customShort("l"), help: "With mode, owner, group, size, time and links' targets.")
  var long = false

  @Flag(name: [.customShort("R"), .customLong("recursive")], help: "All beneath folders, too.")
  var recursive = false

  @Flag(
    name: [.customShort("0"), .customLong("null")], help: "Plain names, each with a NUL behind.")
  var null = false

  @Flag(help: "One JSON object a line; errors as JSON.")
  var json = false

  func validate() throws {
    if null, long || json {
      throw ValidationError("-0 gives names alone: it excludes -l and --json")
    }
    if paths.isEmpty, long || recursive || null {
      throw ValidationError("-l, -R and -0 need a path, such as /")
    }
  }

  func run() throws {
    let point = try guest.open(arguments)
    point.warn(ofAll: paths.isEmpty)
    if paths.isEmpty {
      try FileSystemList(point, json: json).show()
      if let trouble = point.trouble { throw trouble }
      return
    }
    let found = try paths.map { text throws(Failure) in try point.find(text) }
    let style: FileList.Style = json ? .json : null ? .null : long ? .long : .names
    let list = FileList(
      style, isRecursive: recursive, hasTitles: found.count > 1, holes: point.holes)
    for place in found {
      if let doubt = place.fileSystem.doubt {
        Console.warn("\(point.title(place.fileSystem.volume)): \(doubt)")
      }
      if let closed = place.closedMount { Console.warn(closed) }
    }
    for (text, place) in zip(paths, found) { try list.show(place, text) }
    try list.finish()
    if let trouble = point.trouble { throw trouble }
    if list.problemCount > 0 || !point.selected.point.complete { leave(.incomplete) }
  }
}
