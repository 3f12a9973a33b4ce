import Glibc
import Platform

/// Symbolic links.
public enum Links {
  public static func make(_ path: String, to target: String) throws {
    guard symlink(target, path) == 0 else { throw SystemError("symlink") }
  }
}
