internal import CLinux
internal import Glibc

/// Takes away from the process what it does not need, before it looks at what may be hostile.
///
/// By Landlock, which a process may use on itself without any privilege. It holds for the calling
/// thread and those that it starts later: to be called before there are others. Files that are open
/// stay open.
public enum Sandbox {
  /// From now on nothing can be opened but these files and what lies beneath these folders, for
  /// reading; nothing can be made, removed, renamed or run.
  ///
  /// - Parameter paths: Files and folders; what is not there is left out.
  /// - Returns: Whether it is so: a kernel before 5.13, or one without Landlock, cannot do it.
  /// - Throws: When the kernel can and refuses.
  @discardableResult
  public static func allowOnlyReading(_ paths: [String]) throws(SystemError) -> Bool {
    try allowOnly(reading: paths, writing: [])
  }

  /// As `allowOnlyReading`, but beneath some folders files, folders and links can be made, written,
  /// renamed and removed.
  ///
  /// - Parameters:
  ///   - paths: Files and folders to be read; what is not there is left out.
  ///   - folders: Folders that are there, to be written to.
  /// - Returns: Whether it is so.
  /// - Throws: When the kernel can and refuses.
  @discardableResult
  public static func allowOnly(
    reading paths: [String], writing folders: [String]
  ) throws(SystemError) -> Bool {
    let number = cl_sandbox_begin()
    guard number >= 0 else {
      // Containers may forbid the call that would forbid: there is nothing to be done about it.
      guard [ENOSYS, EOPNOTSUPP, EPERM].contains(errno) else { throw SystemError("Landlock") }
      return false
    }
    let rules = FileDescriptor(number)
    for path in paths where unsafe cl_sandbox_allow_reading(rules.number, path) != 0 {
      guard [ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG].contains(errno) else {
        throw SystemError("Landlock for '\(path)'")
      }
    }
    for path in folders where unsafe cl_sandbox_allow_writing(rules.number, path) != 0 {
      throw SystemError("Landlock for '\(path)'")
    }
    guard cl_sandbox_enforce(rules.number) == 0 else { throw SystemError("Landlock") }
    return true
  }
}
