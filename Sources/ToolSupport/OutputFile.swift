public import Platform

/// The file that a tool writes its result to.
public enum OutputFile {
  /// Begins a file that appears under its name when it is committed.
  ///
  /// - Parameters:
  ///   - isForced: Whether an existing file may be replaced; that of a link, where the link leads.
  ///   - permissions: Of the file, before the umask takes its part.
  public static func open(
    _ path: String, isForced: Bool, permissions: UInt32 = 0o666
  ) throws(Failure) -> AtomicFile {
    let place = isForced ? try target(of: path) : path
    do {
      return try AtomicFile(place, replacing: isForced, permissions: permissions)
    } catch {
      if error.exists { throw Failure(.usage, "\(path): exists", hint: "--force replaces it") }
      throw Failure(path, error)
    }
  }

  /// The file that a path stands for: where a link leads, so that the link stays.
  ///
  /// - Throws: For a link that leads nowhere.
  public static func target(of path: String) throws(Failure) -> String {
    try naming(path) {
      guard try Files.isLink(path) else { return path }
      guard let target = try Files.realPath(path) else {
        throw Failure(.usage, "\(path): a link that leads nowhere", hint: "remove it first")
      }
      return target
    }
  }
}
