internal import Glibc

/// The process's environment variables.
public enum Environment {
  /// A variable's value; nil when it is not set or empty.
  public static func value(_ name: String) -> String? {
    guard let text = unsafe getenv(name) else { return nil }
    let value = unsafe String(cString: text)
    return value.isEmpty ? nil : value
  }
}
