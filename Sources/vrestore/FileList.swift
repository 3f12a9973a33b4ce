internal import Blocks
internal import Bytes
internal import GuestLayouts
internal import Platform
internal import ToolSupport
internal import Writing

/// Lists files as they come, without keeping them.
final class FileList: FileVisitor {
  enum Style {
    case names, long, json
    /// Names as they are, each with a NUL behind it.
    case null
  }

  private struct Entry: Encodable {
    let messageType = "file"
    let path: String
    /// The bytes of the path in hexadecimal digits, where they are no UTF-8.
    let pathBytes: String?
    let kind: String
    let size: UInt64
    let links: UInt32
    /// Octal digits.
    let mode: String?
    let owner: UInt32?
    let group: UInt32?
    let modified: String?
    let target: String?
    /// The kind of hole that its content was left out of the backup as.
    let leftOut: String?
  }

  /// The most problems that are told one by one.
  private static let problemLimit = 1000

  private(set) var problemCount = 0
  private let style: Style
  private let isRecursive: Bool
  private let hasTitles: Bool
  private let output = LineOutput()
  /// Tells what was left out of the backup; nil when nothing was.
  private let holes: ContentHoles.Finder?
  private var fileSystem: MachineFiles.FileSystem?
  /// The guest's folder around what is listed.
  private var prefix: [UInt8] = []
  private var depth = 0
  /// Whether names alone would not tell where files are.
  private var needsPaths = false

  init(_ style: Style, isRecursive: Bool, hasTitles: Bool, holes: ContentHoles.Finder?) {
    self.holes = holes
    self.style = style
    self.isRecursive = isRecursive
    self.hasTitles = hasTitles
  }

  /// Lists a file, or what is in a folder.
  ///
  /// - Parameter text: What the user called it.
  func show(_ found: PointFiles.Found, _ text: String) throws {
    fileSystem = found.fileSystem
    let isFolder = found.place.file.kind == .directory
    prefix = [UInt8(ascii: "/")] + found.path.dropLast().flatMap { $0 + [UInt8(ascii: "/")] }
    depth = isFolder ? 0 : 1
    needsPaths = isRecursive || !isFolder
    if isFolder, hasTitles, !isRecursive, style == .names || style == .long {
      try output.write(Array("\(GuestText.path(Array(text.utf8))):\n".utf8))
    }
    var walk = FileWalk(found.fileSystem.tree, self)
    try walk.run(found.place.file, named: found.path.last ?? [])
  }

  func finish() throws {
    try output.flush()
    if problemCount > FileList.problemLimit {
      Console.warn("\(problemCount - FileList.problemLimit) more problems")
    }
  }

  func take(_ walked: WalkedFile) throws -> Bool {
    let isFolder = walked.file.kind == .directory
    defer { if isFolder { depth += 1 } }
    // The folder that was asked for stands for what is in it.
    if depth > 0 { try write(walked) }
    guard isFolder, depth > 0, !isRecursive else { return isFolder }
    depth -= 1
    return false
  }

  func leave(_ folder: WalkedFile) throws { depth -= 1 }

  func tell(_ problem: any Error, at path: [UInt8]) {
    problemCount += 1
    guard problemCount <= FileList.problemLimit else { return }
    Console.warn("\(GuestText.path(prefix + path)): \(problem)")
  }

  private func write(_ walked: WalkedFile) throws {
    let name = needsPaths ? prefix + walked.path : walked.name
    switch style {
    case .names: try output.write(Array((GuestText.path(name) + "\n").utf8))
    case .null: try output.write(name + [0])
    case .long:
      var line = FileList.line(walked.file) + " " + GuestText.path(name)
      if let target = target(of: walked) { line += " -> \(GuestText.path(target))" }
      if let kind = leftOut(walked) { line += "  (left out of the backup: \(kind.name))" }
      try output.write(Array((line + "\n").utf8))
    case .json:
      try output.write(Array((Console.encode(entry(walked)) + "\n").utf8))
    }
  }

  private func target(of walked: WalkedFile) -> [UInt8]? {
    guard walked.file.kind == .symbolicLink else { return nil }
    do {
      return try fileSystem?.tree.target(of: walked.file)
    } catch {
      tell(error, at: walked.path)
      return nil
    }
  }

  private func entry(_ walked: WalkedFile) -> Entry {
    let path = prefix + walked.path
    let text = String(decoding: path, as: UTF8.self)
    let file = walked.file
    return Entry(
      path: text, pathBytes: Array(text.utf8) == path ? nil : Hex.text(path),
      kind: file.kind.name, size: file.size, links: file.linkCount,
      mode: file.mode.map { String($0, radix: 8) }, owner: file.owner, group: file.group,
      modified: file.modified.map { $0.text(withFraction: true) },
      target: target(of: walked).map { String(decoding: $0, as: UTF8.self) },
      leftOut: leftOut(walked)?.name)
  }

  /// As what a file's content was left out of the backup.
  private func leftOut(_ walked: WalkedFile) -> HoleKind? {
    guard let holes, let fileSystem, walked.file.kind == .regular else { return nil }
    do {
      return try ContentHoles(of: walked.file, in: fileSystem, holes).leftOut
    } catch {
      tell(error, at: walked.path)
      return nil
    }
  }

  /// `-rw-r--r--     0     0       1234 2026-11-22T03:04:05Z`, with what is not known as `-`.
  private static func line(_ file: GuestFile) -> String {
    func right(_ text: String, _ width: Int) -> String {
      String(repeating: " ", count: max(0, width - text.count)) + text
    }
    let size =
      switch file.kind {
      case .characterDevice(let major, let minor), .blockDevice(let major, let minor):
        "\(major),\(minor)"
      default: "\(file.size)"
      }
    let time = file.modified.map { $0.text(withFraction: false) } ?? "-"
    return String(file.kind.letter) + modeText(file.mode) + " "
      + right(file.owner.map { "\($0)" } ?? "-", 5) + " "
      + right(file.group.map { "\($0)" } ?? "-", 5) + " " + right(size, 12) + " " + time
  }

  private static func modeText(_ mode: UInt16?) -> String {
    guard let mode else { return "---------" }
    var text = Array("rwxrwxrwx")
    for bit in 0..<9 where mode >> UInt16(8 - bit) & 1 == 0 { text[bit] = "-" }
    for (bit, place, set, clear) in [
      (11, 2, "s", "S"), (10, 5, "s", "S"), (9, 8, "t", "T"),
    ] as [(UInt16, Int, Character, Character)] where mode >> bit & 1 == 1 {
      text[place] = text[place] == "x" ? set : clear
    }
    return String(text)
  }
}

extension FileTime {
  /// RFC 3339 in UTC; `@` and the seconds where years have more than four digits.
  fileprivate func text(withFraction: Bool) -> String {
    guard (-62_135_596_800...253_402_300_799).contains(seconds) else { return "@\(seconds)" }
    let text = Clock.text(seconds)
    guard withFraction, nanoseconds > 0 else { return text }
    let digits = String(nanoseconds)
    return text.dropLast() + "." + String(repeating: "0", count: max(0, 9 - digits.count)) + digits
      + "Z"
  }
}

extension GuestFile.Kind {
  /// The letter in front of a mode.
  fileprivate var letter: Character {
    switch self {
    case .regular: "-"
    case .directory: "d"
    case .symbolicLink: "l"
    case .characterDevice: "c"
    case .blockDevice: "b"
    case .fifo: "p"
    case .socket: "s"
    case .other: "?"
    }
  }

  fileprivate var name: String {
    switch self {
    case .regular: "file"
    case .directory: "folder"
    case .symbolicLink: "symbolic link"
    case .characterDevice: "character device"
    case .blockDevice: "block device"
    case .fifo: "fifo"
    case .socket: "socket"
    case .other: "other"
    }
  }
}

/// Lines on their way to stdout, many at a time.
private final class LineOutput {
  private var waiting: [UInt8] = []

  func write(_ bytes: [UInt8]) throws(Failure) {
    waiting += bytes
    if waiting.count >= 1 << 16 { try flush() }
  }

  func flush() throws(Failure) {
    defer { waiting.removeAll(keepingCapacity: true) }
    try naming("stdout") { try FileDescriptor.standardOutput.write(waiting) }
  }
}
