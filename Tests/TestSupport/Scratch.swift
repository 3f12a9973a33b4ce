import Bytes
import Platform

/// A folder that is removed, with all in it, when the test is done.
public final class Scratch: Sendable {
  public let path: String

  public init() throws {
    let parent = Environment.value("TMPDIR") ?? "/tmp"
    path = "\(parent)/vpipe-unit-" + Hex.text(try Random.bytes(6))
    try Files.makeDirectory(path)
  }

  deinit { try? Scratch.remove(path) }

  /// A name in the folder.
  public subscript(name: String) -> String { "\(path)/\(name)" }

  /// Writes a file and opens it for reading.
  @discardableResult
  public func file(_ name: String, _ content: [UInt8]) throws -> FileDescriptor {
    let path = self[name]
    if try Files.status(path) != nil { try Files.remove(path) }
    let file = try FileDescriptor(path, .create)
    try file.write(content)
    try file.close()
    return try FileDescriptor(path, .read)
  }

  /// The bytes of a file in the folder.
  public func contents(_ name: String) throws -> [UInt8] {
    try Files.contents(self[name], limit: .max) ?? []
  }

  /// Removes a file, or a folder with all in it.
  public static func remove(_ path: String) throws {
    let isFolder = (try? FileDescriptor(path, .directory)) != nil
    guard isFolder else { return try Files.remove(path) }
    for name in try Files.names(in: path) { try remove("\(path)/\(name)") }
    try Files.removeDirectory(path)
  }

  /// Copies a folder with all in it.
  public static func copy(_ source: String, to target: String) throws {
    try Files.makeDirectory(target)
    for name in try Files.names(in: source) {
      let from = "\(source)/\(name)"
      if try Files.status(from)?.kind == .directory {
        try copy(from, to: "\(target)/\(name)")
      } else {
        let file = try FileDescriptor("\(target)/\(name)", .create)
        try file.write(try Files.contents(from, limit: .max) ?? [])
        try file.close()
      }
    }
  }

  /// The names of all files below a folder, without the folder's own.
  public static func files(below path: String) throws -> [String] {
    var result: [String] = []
    for name in try Files.names(in: path) {
      if try Files.status("\(path)/\(name)")?.kind == .directory {
        result += try files(below: "\(path)/\(name)").map { "\(name)/\($0)" }
      } else {
        result.append(name)
      }
    }
    return result
  }
}
