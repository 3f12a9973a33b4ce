public import Platform

/// The file that a tool writes its result to.
public enum OutputFile {
  /// Begins a file that appears under its name when it is committed.
  ///
  /// - Parameter isForced: Whether an existing file may be replaced.
  public static func open(_ path: String, isForced: Bool) throws(Failure) -> AtomicFile {
    do {
      return try AtomicFile(path, replacing: isForced)
    } catch {
      if error.exists { throw Failure(.usage, "\(path): exists", hint: "--force replaces it") }
      throw Failure(path, error)
    }
  }
}
