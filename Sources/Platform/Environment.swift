internal import Glibc

/// The process's environment variables and arguments.
public enum Environment {
  /// The variables that name folders which are written to or read.
  private static let folders = ["VPIPE_REPO", "TMPDIR"]

  /// A variable's value; nil when it is not set or empty.
  public static func value(_ name: String) -> String? {
    guard let text = unsafe getenv(name) else { return nil }
    let value = unsafe String(cString: text)
    return value.isEmpty ? nil : value
  }

  /// The first argument, or variable that names a folder, whose bytes are no UTF-8, as it can be
  /// shown; nil when there is none.
  ///
  /// As text its bytes are replaced, and as a path that text would mean another file.
  public static var undecodable: String? {
    for index in 1..<max(1, Int(CommandLine.argc)) {
      guard let word = unsafe CommandLine.unsafeArgv[index] else { break }
      if unsafe String(validatingCString: word) == nil { return unsafe String(cString: word) }
    }
    for name in folders {
      guard let value = unsafe getenv(name), unsafe String(validatingCString: value) == nil
      else { continue }
      return unsafe "\(name): \(String(cString: value))"
    }
    return nil
  }
}
