internal import Bytes
internal import CLinux
internal import Glibc

/// A folder that is written to under names that somebody else chose: whatever they are, nothing is
/// made, opened or replaced outside it, and no symbolic link is followed.
///
/// All is done relative to open folders with one name at a time, and opened by openat2(2) with
/// RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS and RESOLVE_NO_MAGICLINKS.
public final class TargetFolder: Sendable {
  /// Open for reading, to be flushed and given attributes.
  public let file: FileDescriptor

  private init(_ file: FileDescriptor) { self.file = file }

  /// Opens a folder by a name that the user chose, links followed.
  ///
  /// - Throws: When the kernel has no openat2, too: Linux before 5.6, or a container that forbids it.
  public convenience init(opening path: String) throws(SystemError) {
    self.init(try FileDescriptor(path, .directory))
    _ = try open([UInt8(ascii: ".")], O_RDONLY | O_DIRECTORY)
  }

  /// Opens a folder in it.
  ///
  /// - Parameter path: Names that folders in it have, with `/` between them.
  public func folder(_ path: [UInt8]) throws(SystemError) -> TargetFolder {
    TargetFolder(try open(path, O_RDONLY | O_DIRECTORY))
  }

  /// Makes a folder in it, for nobody else yet.
  public func makeFolder(_ name: [UInt8]) throws(SystemError) {
    try unsafe withName(name) { name throws(SystemError) in
      _ = try retrying("mkdir") { unsafe mkdirat(number, name, 0o700) }
    }
  }

  /// What has that name, links not followed; nil when nothing has.
  public func status(_ name: [UInt8]) throws(SystemError) -> FileStatus? {
    try unsafe withName(name) { name throws(SystemError) in
      var info = stat()
      if unsafe fstatat(number, name, &info, AT_SYMLINK_NOFOLLOW) == 0 { return FileStatus(info) }
      if errno == ENOENT { return nil }
      throw SystemError("stat")
    }
  }

  /// Whether names of which only the case differs are one name in it: a file is made to find out.
  public func ignoresCase() throws(SystemError) -> Bool {
    let probe = try beginFile()
    let upper = probe.name.map { (0x61...0x7A).contains($0) ? $0 & ~0x20 : $0 }
    return try status(upper) != nil
  }

  /// Begins a file in it, which has a name of nobody's choice until it is whole.
  public func beginFile() throws(SystemError) -> PartialEntry {
    let entry = try PartialEntry(self)
    entry.file = try open(entry.name, O_WRONLY | O_CREAT | O_EXCL, permissions: 0o600)
    entry.exists = true
    return entry
  }

  /// Begins a symbolic link in it.
  public func beginLink(to target: [UInt8]) throws(SystemError) -> PartialEntry {
    let entry = try PartialEntry(self)
    try unsafe withName(entry.name) { name throws(SystemError) in
      try unsafe withName(target) { target throws(SystemError) in
        _ = try retrying("symlink") { unsafe symlinkat(target, number, name) }
      }
    }
    entry.exists = true
    return entry
  }

  /// Begins another name for a file in a folder.
  public func beginHardLink(
    to other: [UInt8], in folder: TargetFolder
  ) throws(SystemError) -> PartialEntry {
    let entry = try PartialEntry(self)
    try unsafe withName(entry.name) { name throws(SystemError) in
      try unsafe withName(other) { other throws(SystemError) in
        _ = try retrying("link") { unsafe linkat(folder.number, other, number, name, 0) }
      }
    }
    entry.exists = true
    return entry
  }

  fileprivate var number: Int32 { file.number }

  private func open(
    _ path: [UInt8], _ flags: Int32, permissions: UInt32 = 0
  ) throws(SystemError) -> FileDescriptor {
    try unsafe withName(path) { path throws(SystemError) in
      FileDescriptor(
        try retrying("open") {
          unsafe cl_open_beneath(number, path, flags | O_NOFOLLOW | O_CLOEXEC, permissions)
        })
    }
  }
}

/// Something in a folder that gets its name when it is whole; else it is removed.
public final class PartialEntry {
  private let folder: TargetFolder
  fileprivate let name: [UInt8]
  private let slot: Int32
  fileprivate var exists = false
  /// A file's content; nil for links.
  public fileprivate(set) var file: FileDescriptor?

  fileprivate init(_ folder: TargetFolder) throws(SystemError) {
    self.folder = folder
    let text = ".vrestore.\(Hex.text(try Random.bytes(8))).partial"
    name = Array(text.utf8)
    // The descriptor leads to the folder, whatever has become of its path.
    slot = unsafe cl_register_cleanup("/proc/self/fd/\(folder.number)/\(text)")
  }

  deinit {
    // What cannot be removed stays, under a name that tells what it is.
    if exists { do { try discard() } catch {} }
    cl_forget_cleanup(slot)
  }

  private func discard() throws(SystemError) {
    try unsafe withName(name) { name throws(SystemError) in
      _ = try retrying("unlink") { unsafe unlinkat(folder.number, name, 0) }
    }
  }

  /// Gives it its name.
  ///
  /// - Parameter replacing: Whether something else of that name goes; never a folder.
  /// - Throws: An error that `exists` when something has the name.
  public func commit(as wanted: [UInt8], replacing: Bool) throws(SystemError) {
    try file?.close()
    try unsafe withName(name) { name throws(SystemError) in
      try unsafe withName(wanted) { wanted throws(SystemError) in
        let number = folder.number
        _ = try retrying("rename") {
          unsafe replacing
            ? renameat(number, name, number, wanted) : cl_rename_in_folder(number, name, wanted)
        }
        // Another name of the same file is left where it is.
        if replacing { _ = unsafe unlinkat(number, name, 0) }
      }
    }
    exists = false
  }
}

// MARK: Attributes

/// What a file is given besides its content.
public struct TargetAttributes: Sendable {
  public struct Time: Sendable {
    public var seconds: Int64
    public var nanoseconds: UInt32

    public init(seconds: Int64, nanoseconds: UInt32) {
      self.seconds = seconds
      self.nanoseconds = min(nanoseconds, 999_999_999)
    }

    fileprivate var value: timespec { timespec(tv_sec: Int(seconds), tv_nsec: Int(nanoseconds)) }
  }

  /// User and group; nil leaves them.
  public var owner: (user: UInt32, group: UInt32)?
  /// The lower twelve bits of a mode; nil leaves what the umask makes of what is usual.
  public var mode: UInt16?
  /// Nil leaves it.
  public var modified: Time?
  public var accessed: Time?

  public init() {}

  fileprivate var times: [timespec] {
    let omitted = timespec(tv_sec: 0, tv_nsec: cl_utime_omit)
    return [accessed?.value ?? omitted, modified?.value ?? omitted]
  }
}

extension FileDescriptor {
  /// Sets an extended attribute of the file.
  public func setAttribute(_ name: [UInt8], _ value: [UInt8]) throws(SystemError) {
    try unsafe withName(name) { name throws(SystemError) in
      _ = try retrying("setxattr") {
        unsafe cl_set_attribute(number, name, value, value.count)
      }
    }
  }

  /// Sets user and group: before the mode, as it takes setuid away.
  public func setOwner(_ attributes: TargetAttributes) throws(SystemError) {
    guard let owner = attributes.owner else { return }
    _ = try retrying("chown") { fchown(number, owner.user, owner.group) }
  }

  /// Sets the mode.
  ///
  /// - Parameter usual: What it is before the umask takes its part, where the attributes have none.
  public func setMode(_ attributes: TargetAttributes, usual: UInt32) throws(SystemError) {
    let mode = attributes.mode.map { UInt32($0) } ?? usual & ~FileDescriptor.umask
    _ = try retrying("chmod") { fchmod(number, mode) }
  }

  /// Sets the times, as the last thing of all.
  public func setTimes(_ attributes: TargetAttributes) throws(SystemError) {
    let times = attributes.times
    _ = try retrying("utimensat") { unsafe futimens(number, times) }
  }

  /// Flushes all of the file system that the file is in.
  public func syncFileSystem() throws(SystemError) {
    _ = try retrying("syncfs") { cl_sync_file_system(number) }
  }

  /// The process's umask; asking for it sets it for a moment, so it is done once.
  private static let umask: UInt32 = {
    let mask = Glibc.umask(0o077)
    _ = Glibc.umask(mask)
    return mask
  }()
}

extension TargetFolder {
  /// Sets user and group of a symbolic link in it, before it has its name.
  public func setOwner(
    of link: PartialEntry, _ attributes: TargetAttributes
  ) throws(SystemError) {
    guard let owner = attributes.owner else { return }
    try unsafe withName(link.name) { name throws(SystemError) in
      _ = try retrying("chown") {
        unsafe fchownat(number, name, owner.user, owner.group, AT_SYMLINK_NOFOLLOW)
      }
    }
  }

  /// Sets the times of a symbolic link in it, before it has its name.
  public func setTimes(
    of link: PartialEntry, _ attributes: TargetAttributes
  ) throws(SystemError) {
    try unsafe withName(link.name) { name throws(SystemError) in
      let times = attributes.times
      _ = try retrying("utimensat") {
        unsafe utimensat(number, name, times, AT_SYMLINK_NOFOLLOW)
      }
    }
  }

  /// Sets an extended attribute of a symbolic link in it.
  public func setAttribute(
    of link: PartialEntry, _ name: [UInt8], _ value: [UInt8]
  ) throws(SystemError) {
    // There is no such call that takes a folder; its descriptor's name leads to it alone.
    let path = Array("/proc/self/fd/\(number)/".utf8) + link.name
    try unsafe withName(path) { path throws(SystemError) in
      try unsafe withName(name) { name throws(SystemError) in
        _ = try retrying("setxattr") {
          unsafe cl_set_link_attribute(path, name, value, value.count)
        }
      }
    }
  }
}

/// Runs `body` with a name as C has it; one with a NUL in it is no name.
private func withName<Result>(
  _ name: [UInt8], _ body: (UnsafePointer<CChar>) throws(SystemError) -> Result
) throws(SystemError) -> Result {
  guard !name.contains(0), !name.isEmpty else { throw SystemError("name", code: EINVAL) }
  let text = name.map { CChar(bitPattern: $0) } + [0]
  return try unsafe text.withUnsafeBufferPointer { buffer throws(SystemError) in
    guard let base = buffer.baseAddress else { throw SystemError("name", code: EINVAL) }
    return try unsafe body(base)
  }
}
