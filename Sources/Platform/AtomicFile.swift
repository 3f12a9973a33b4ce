internal import Bytes
internal import CLinux
internal import Glibc

/// A file that appears under its final name only when it is whole.
///
/// It is written under a temporary name in the same folder, flushed, and renamed; a signal, an
/// error or a crash before that leaves nothing under the final name.
public final class AtomicFile {
  public let path: String
  /// The name that it has until it is whole.
  public let temporary: String
  private let slot: Int32
  private var finished = false
  public let file: FileDescriptor

  /// - Parameters:
  ///   - path: The final name.
  ///   - replacing: Whether a file of that name may be there already.
  ///   - permissions: Of the file, before the umask takes its part.
  public init(
    _ path: String, replacing: Bool, permissions: UInt32 = 0o666
  ) throws(SystemError) {
    if !replacing, try Files.isTaken(path) { throw SystemError("create", code: EEXIST) }
    self.path = path
    let folder = Files.folder(of: path)
    let tag = Hex.text(try Random.bytes(6))
    temporary = "\(folder)/.\(Files.name(of: path)).\(tag).partial"
    file = try FileDescriptor(temporary, .create, permissions: permissions)
    slot = unsafe cl_register_cleanup(temporary)
  }

  deinit { if !finished { discard() } }

  /// Flushes the file and gives it its final name.
  public func commit(replacing: Bool) throws(SystemError) {
    try file.sync()
    try file.close()
    if replacing {
      try Files.rename(temporary, to: path)
    } else {
      try Files.renameNoReplace(temporary, to: path)
    }
    cl_forget_cleanup(slot)
    finished = true
    try Files.syncDirectory(Files.folder(of: path))
  }

  /// Removes what was written.
  public func discard() {
    finished = true
    cl_forget_cleanup(slot)
    _ = unsafe unlink(temporary)
  }
}
