internal import CLinux
internal import Glibc

/// What kind of thing a descriptor is.
public enum FileKind: Sendable {
  case regular
  case blockDevice
  case characterDevice
  case directory
  case pipe
  case other
}

/// What `fstat` tells.
public struct FileStatus: Sendable {
  public let kind: FileKind
  /// The size in bytes that the file system reports; 0 for devices.
  public let size: UInt64
  /// Bytes allocated on the medium.
  public let allocated: UInt64
  public let device: UInt64
  public let inode: UInt64
  /// Which device it is, if it is one.
  let ownNumber: UInt64
  /// When content or attributes last changed, in nanoseconds since 1970.
  public let changed: Int64
  /// When content last changed, in seconds since 1970, as far as nobody has set it.
  public let modified: Int64
  public let permissions: UInt32
}

/// An open file, closed when its owner goes.
///
/// All calls go on after EINTR and after short transfers, and report every error; none is retried
/// that the kernel has refused.
public final class FileDescriptor: @unchecked Sendable {
  /// The descriptor's number.
  public let number: Int32
  private let owned: Bool
  private var closed = false

  /// - Parameters:
  ///   - number: An open descriptor.
  ///   - owned: Whether it is closed with this object.
  public init(_ number: Int32, owned: Bool = true) {
    self.number = number
    self.owned = owned
  }

  deinit { if owned, !closed { _ = Glibc.close(number) } }

  public static let standardInput = FileDescriptor(0, owned: false)
  public static let standardOutput = FileDescriptor(1, owned: false)
  public static let standardError = FileDescriptor(2, owned: false)

  /// How a file is opened.
  public enum Mode: Sendable {
    case read
    /// For reading and writing what exists.
    case update
    /// For reading and writing; a block device that is in use (mounted) is an error.
    case updateExclusive
    /// A new file; an existing one is an error.
    case create
    case directory
    /// For reading, without following a symbolic link at the end.
    case readNoFollow
  }

  /// Opens `path`.
  public convenience init(
    _ path: String, _ mode: Mode, permissions: UInt32 = 0o666
  ) throws(SystemError) {
    let flags: Int32 =
      switch mode {
      case .read: O_RDONLY
      case .update: O_RDWR
      case .updateExclusive: O_RDWR | O_EXCL
      case .create: O_RDWR | O_CREAT | O_EXCL
      case .directory: O_RDONLY | O_DIRECTORY
      case .readNoFollow: O_RDONLY | O_NOFOLLOW
      }
    let number = try retrying("open") { unsafe Glibc.open(path, flags | O_CLOEXEC, permissions) }
    self.init(number)
  }

  /// Closes the file, so that errors that only show then are seen.
  public func close() throws(SystemError) {
    guard !closed else { return }
    closed = true
    // EINTR leaves the descriptor closed on Linux: it is not an error to repeat.
    if Glibc.close(number) != 0, errno != EINTR { throw SystemError("close") }
  }

  public func status() throws(SystemError) -> FileStatus {
    var info = stat()
    _ = try retrying("stat") { unsafe fstat(number, &info) }
    return FileStatus(info)
  }

  /// The size in bytes of what can be read: a regular file's length or a block device's capacity.
  public func contentSize() throws(SystemError) -> UInt64 {
    let status = try status()
    guard status.kind == .blockDevice else { return status.size }
    var size: UInt64 = 0
    _ = try retrying("block device size") { unsafe cl_block_device_size(number, &size) }
    return size
  }

  /// The logical sector size in bytes of a block device; 512 for anything else.
  public func sectorSize() -> UInt32 {
    var size: UInt32 = 0
    return unsafe cl_block_device_sector_size(number, &size) == 0 && size > 0 ? size : 512
  }

  // MARK: Reading

  /// Reads up to `bytes.count` bytes at the file's position.
  ///
  /// - Returns: How many arrived; 0 at the end.
  public func read(into bytes: inout MutableSpan<UInt8>) throws(SystemError) -> Int {
    try unsafe bytes.withUnsafeMutableBytes { raw throws(SystemError) in
      try retrying("read") { unsafe Glibc.read(number, raw.baseAddress, raw.count) }
    }
  }

  /// Reads until `bytes` is full or the input ends.
  ///
  /// - Parameter start: Where in `bytes` to begin.
  /// - Returns: How many arrived.
  public func readFully(
    into bytes: inout MutableSpan<UInt8>, from start: Int = 0
  ) throws(SystemError) -> Int {
    try unsafe bytes.withUnsafeMutableBytes { raw throws(SystemError) in
      var done = start
      while done < raw.count {
        let got = try retrying("read") {
          unsafe Glibc.read(number, raw.baseAddress.map { unsafe $0 + done }, raw.count - done)
        }
        if got == 0 { break }
        done += got
      }
      return done - start
    }
  }

  /// Reads at `offset` until `bytes` is full or the file ends.
  ///
  /// - Returns: How many bytes arrived.
  public func read(
    into bytes: inout MutableSpan<UInt8>, at offset: UInt64
  ) throws(SystemError) -> Int {
    try unsafe bytes.withUnsafeMutableBytes { raw throws(SystemError) in
      var done = 0
      while done < raw.count {
        let got = try retrying("read") {
          unsafe pread(
            number, raw.baseAddress.map { unsafe $0 + done }, raw.count - done,
            off_t(offset) + off_t(done))
        }
        if got == 0 { break }
        done += got
      }
      return done
    }
  }

  /// Reads up to `count` bytes at `offset`; fewer only at the file's end.
  public func read(_ count: Int, at offset: UInt64) throws(SystemError) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: count)
    var span = result.mutableSpan
    let got = try read(into: &span, at: offset)
    if got < count { result.removeLast(count - got) }
    return result
  }

  /// Reads the whole rest of a file of at most `limit` bytes; nil when it is longer.
  public func readAll(limit: Int) throws(SystemError) -> [UInt8]? {
    var result: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65536)
    while true {
      var span = piece.mutableSpan
      let got = try read(into: &span)
      if got == 0 { return result }
      if result.count + got > limit { return nil }
      result += piece[0..<got]
    }
  }

  // MARK: Writing

  /// Writes all of `bytes` at the file's position.
  public func write(_ bytes: Span<UInt8>) throws(SystemError) {
    try unsafe bytes.withUnsafeBytes { raw throws(SystemError) in
      var done = 0
      while done < raw.count {
        done += try retrying("write") {
          unsafe Glibc.write(number, raw.baseAddress.map { unsafe $0 + done }, raw.count - done)
        }
      }
    }
  }

  public func write(_ bytes: [UInt8]) throws(SystemError) { try write(bytes.span) }
  public func write(_ text: String) throws(SystemError) { try write(Array(text.utf8)) }

  /// Writes all of `bytes` at `offset`.
  public func write(_ bytes: Span<UInt8>, at offset: UInt64) throws(SystemError) {
    try unsafe bytes.withUnsafeBytes { raw throws(SystemError) in
      var done = 0
      while done < raw.count {
        done += try retrying("write") {
          unsafe pwrite(
            number, raw.baseAddress.map { unsafe $0 + done }, raw.count - done,
            off_t(offset) + off_t(done))
        }
      }
    }
  }

  /// Writes `first`, then `second`, in as few calls as the kernel allows.
  public func write(_ first: Span<UInt8>, _ second: Span<UInt8>) throws(SystemError) {
    try unsafe first.withUnsafeBytes { head throws(SystemError) in
      try unsafe second.withUnsafeBytes { tail throws(SystemError) in
        var done = 0
        while done < head.count {
          var parts = unsafe [
            iovec(
              iov_base: UnsafeMutableRawPointer(
                mutating: head.baseAddress.map { unsafe $0 + done }),
              iov_len: head.count - done),
            iovec(
              iov_base: UnsafeMutableRawPointer(mutating: tail.baseAddress), iov_len: tail.count),
          ]
          done += try retrying("write") { unsafe writev(number, &parts, 2) }
        }
        done -= head.count
        while done < tail.count {
          done += try retrying("write") {
            unsafe Glibc.write(number, tail.baseAddress.map { unsafe $0 + done }, tail.count - done)
          }
        }
      }
    }
  }

  /// Whether large writes should go past the page cache: on a device, and on a local file system
  /// that is known to write straight to one.
  var gainsFromDirectWrites: Bool { cl_is_on_local_disk(number) != 0 }

  /// The same file, opened so that writes go past the page cache; nil where that cannot be or would
  /// gain nothing.
  ///
  /// Places, counts and memory must then be multiples of `BulkFile.unit`.
  func openDirect() -> FileDescriptor? {
    guard gainsFromDirectWrites else { return nil }
    let number = unsafe Glibc.open("/proc/self/fd/\(number)", O_RDWR | cl_o_direct | O_CLOEXEC)
    return number < 0 ? nil : FileDescriptor(number)
  }

  /// Has all writes from now on go past the page cache, or into it again.
  ///
  /// - Returns: False when the file cannot.
  func setDirect(_ isDirect: Bool) -> Bool { cl_set_direct(number, isDirect ? 1 : 0) == 0 }

  /// Flushes data and metadata.
  ///
  /// An error means that what was written is lost: never try again.
  public func sync() throws(SystemError) { _ = try retrying("fsync") { fsync(number) } }

  /// Has the kernel read a range that will be asked for soon; a hint only.
  public func willNeed(_ range: Range<UInt64>) {
    posix_fadvise(number, off_t(range.lowerBound), off_t(range.count), POSIX_FADV_WILLNEED)
  }

  /// Starts write-out of a range, so that a later `sync` has less to wait for; a hint only.
  public func startWriteback(_ range: Range<UInt64>) {
    _ = cl_start_writeback(number, off_t(range.lowerBound), off_t(range.count))
  }

  public func truncate(to size: UInt64) throws(SystemError) {
    guard size <= UInt64(Int64.max) else { throw SystemError("truncate", code: EFBIG) }
    _ = try retrying("truncate") { ftruncate(number, off_t(size)) }
  }

  /// Gives the bytes of `range` back to the file system; they read as zero.
  ///
  /// - Returns: False when the file system or device cannot.
  public func punchHole(_ range: Range<UInt64>) -> Bool {
    cl_punch_hole(number, off_t(range.lowerBound), off_t(range.count)) == 0
  }

  /// Makes the bytes of `range` zero without writing them.
  ///
  /// - Returns: False when the file system or device cannot.
  public func zero(_ range: Range<UInt64>) -> Bool {
    cl_zero_range(number, off_t(range.lowerBound), off_t(range.count)) == 0
  }

  // MARK: Holes, pipes, locks

  /// The first extent of data at or after `offset`, half-open; nil when only a hole is left.
  public func nextData(
    at offset: UInt64, size: UInt64
  ) throws(SystemError) -> Range<UInt64>? {
    guard offset < size else { return nil }
    let start = cl_seek_data(number, off_t(offset))
    if start < 0 {
      if errno == ENXIO { return nil }
      // The file system does not know: then everything is data.
      if errno == EINVAL { return offset..<size }
      throw SystemError("seek to data")
    }
    let end = cl_seek_hole(number, start)
    if end < 0 { throw SystemError("seek to hole") }
    let first = max(UInt64(start), offset)
    guard first < size else { return nil }
    return first..<min(max(UInt64(end), first), size)
  }

  /// Asks for 1 MiB of pipe buffer, the most an ordinary user gets; anything but a pipe ignores it.
  public func widenPipe() { _ = cl_set_pipe_size(number, 1 << 20) }

  /// Takes the file's lock, which the kernel releases when its last descriptor closes.
  ///
  /// - Returns: False when somebody else holds it.
  public func lock() throws(SystemError) -> Bool {
    if cl_lock(number) == 0 { return true }
    if errno == EAGAIN || errno == EACCES { return false }
    throw SystemError("lock")
  }

  public var isTerminal: Bool { isatty(number) == 1 }

  /// Free bytes, for this user, of the file system that holds the file.
  public func freeBytes() throws(SystemError) -> UInt64 {
    var bytes: UInt64 = 0
    _ = try retrying("statvfs") { unsafe cl_free_bytes(number, &bytes) }
    return bytes
  }
}

extension FileStatus {
  init(_ info: stat) {
    kind =
      cl_is_regular(info.st_mode) != 0
      ? .regular
      : cl_is_block_device(info.st_mode) != 0
        ? .blockDevice
        : cl_is_character_device(info.st_mode) != 0
          ? .characterDevice
          : cl_is_directory(info.st_mode) != 0
            ? .directory : cl_is_fifo(info.st_mode) != 0 ? .pipe : .other
    size = UInt64(max(info.st_size, 0))
    allocated = UInt64(max(info.st_blocks, 0)) * 512
    device = UInt64(info.st_dev)
    inode = UInt64(info.st_ino)
    ownNumber = UInt64(info.st_rdev)
    // Unlike the time of modification, nobody can set this one.
    changed = Int64(info.st_ctim.tv_sec) &* 1_000_000_000 &+ Int64(info.st_ctim.tv_nsec)
    modified = Int64(info.st_mtim.tv_sec)
    permissions = info.st_mode & 0o7777
  }
}
