internal import Bytes
internal import CLinux
internal import Glibc

/// Whole-file and folder operations by name.
public enum Files {
  /// What `path` is, links followed; nil when there is nothing.
  public static func status(_ path: String) throws(SystemError) -> FileStatus? {
    var info = stat()
    if unsafe stat(path, &info) == 0 { return FileStatus(info) }
    if errno == ENOENT || errno == ENOTDIR { return nil }
    throw SystemError("stat")
  }

  /// Whether the name is in use, be it by a link that leads nowhere.
  public static func isTaken(_ path: String) throws(SystemError) -> Bool {
    var info = stat()
    if unsafe lstat(path, &info) == 0 { return true }
    if errno == ENOENT { return false }
    throw SystemError("stat")
  }

  /// Whether the name is a symbolic link's, wherever it leads.
  public static func isLink(_ path: String) throws(SystemError) -> Bool {
    var info = stat()
    if unsafe lstat(path, &info) == 0 { return info.st_mode & S_IFMT == S_IFLNK }
    if errno == ENOENT || errno == ENOTDIR { return false }
    throw SystemError("stat")
  }

  /// Whether the name is a folder's own, not a link to one.
  public static func isFolder(_ path: String) throws(SystemError) -> Bool {
    var info = stat()
    if unsafe lstat(path, &info) == 0 { return FileStatus(info).kind == .directory }
    if errno == ENOENT { return false }
    throw SystemError("stat")
  }

  /// - Parameter permissions: Before the umask takes its part.
  public static func makeDirectory(
    _ path: String, permissions: UInt32 = 0o777
  ) throws(SystemError) {
    _ = try retrying("mkdir") { unsafe mkdir(path, permissions) }
  }

  public static func remove(_ path: String) throws(SystemError) {
    _ = try retrying("unlink") { unsafe unlink(path) }
  }

  public static func removeDirectory(_ path: String) throws(SystemError) {
    _ = try retrying("rmdir") { unsafe rmdir(path) }
  }

  public static func rename(_ from: String, to: String) throws(SystemError) {
    _ = try retrying("rename") { unsafe Glibc.rename(from, to) }
  }

  /// Renames; an existing target is left alone and is an error that `exists`.
  public static func renameNoReplace(_ from: String, to: String) throws(SystemError) {
    _ = try retrying("rename") { unsafe cl_rename_no_replace(from, to) }
  }

  /// Makes the names in a folder durable.
  ///
  /// Some network file systems cannot flush a folder (EINVAL); that is no failure of ours.
  public static func syncDirectory(_ path: String) throws(SystemError) {
    let folder = try FileDescriptor(path, .directory)
    do {
      try folder.sync()
    } catch {
      guard error.code == EINVAL || error.code == ENOTSUP else { throw error }
    }
    try folder.close()
  }

  /// The names in a folder, sorted, without `.` and `..`; an error while listing is thrown, never
  /// taken for the end.
  public static func names(in path: String) throws(SystemError) -> [String] {
    guard let folder = unsafe opendir(path) else { throw SystemError("open folder") }
    defer { unsafe _ = closedir(folder) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = unsafe readdir(folder) else {
        if errno != 0 { throw SystemError("read folder") }
        break
      }
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { raw in
        unsafe String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// The whole of a file of at most `limit` bytes; nil when it is longer.
  public static func contents(_ path: String, limit: Int) throws(SystemError) -> [UInt8]? {
    let file = try FileDescriptor(path, .read)
    return try file.readAll(limit: limit)
  }

  /// The path without links and dots; nil when nothing is there.
  ///
  /// - Throws: Also an error that `isUndecodable`: where it leads has no name as text.
  public static func realPath(_ path: String) throws(SystemError) -> String? {
    guard let resolved = unsafe try resolve(path) else { return nil }
    defer { unsafe free(resolved) }
    guard let text = unsafe String(validatingCString: resolved) else {
      throw SystemError("resolve '\(path)'", code: EILSEQ)
    }
    return text
  }

  /// The same to be compared only, never opened: bytes that are no UTF-8 are replaced in it.
  public static func comparablePath(_ path: String) throws(SystemError) -> String? {
    guard let resolved = unsafe try resolve(path) else { return nil }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
  }

  /// - Returns: The real path, which the caller frees; nil when nothing is there.
  private static func resolve(_ path: String) throws(SystemError) -> UnsafeMutablePointer<CChar>? {
    if let resolved = unsafe realpath(path, nil) { return unsafe resolved }
    // A name that no file system takes, and links in a circle, lead nowhere either.
    if [ENOENT, ENOTDIR, ENAMETOOLONG, ELOOP].contains(errno) { return nil }
    throw SystemError("resolve '\(path)'")
  }

  /// Lets the process have as many files open as the administrator permits: a disk may be made of
  /// more parts than usually may be.
  public static func allowMany() throws(SystemError) {
    var limit = rlimit()
    let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    _ = try retrying("getrlimit") { unsafe getrlimit(kind, &limit) }
    limit.rlim_cur = limit.rlim_max
    _ = try retrying("setrlimit") { unsafe setrlimit(kind, &limit) }
  }

  /// A new file in `folder`, for reading and writing, that has no name: it is gone when it is closed.
  public static func unnamed(in folder: String) throws(SystemError) -> FileDescriptor {
    let path = "\(folder)/vpipe-\(Hex.text(try Random.bytes(8))).spool"
    let file = try FileDescriptor(path, .create, permissions: 0o600)
    try remove(path)
    return file
  }

  /// The folder part of a path, `.` when it has none.
  public static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// The last part of a path.
  public static func name(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return path }
    return String(path[path.index(after: slash)...])
  }
}
