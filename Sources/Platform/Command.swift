internal import Glibc

/// A program that is run to its end.
public enum Command {
  /// How a program ended.
  public struct Result: Sendable {
    /// As a shell tells it: 128 and the number of the signal that ended it.
    public let status: Int32
    /// The last bytes that it wrote, on both its outputs.
    public let output: [UInt8]
  }

  /// Folders in which programs are looked for besides those of PATH: administrators' tools.
  private static let folders = ["/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin"]

  /// Where a program is; nil when it is not installed.
  public static func path(of program: String) -> String? {
    // What is no UTF-8 has become this sign, and would be another folder.
    let known = (Environment.value("PATH") ?? "").split(separator: ":").map(String.init)
      .filter { !$0.unicodeScalars.contains("\u{FFFD}") }
    return (known + folders).map { "\($0)/\(program)" }.first { unsafe access($0, X_OK) == 0 }
  }

  /// Runs a program without input and waits for its end.
  ///
  /// - Parameters:
  ///   - words: Its path, and its arguments.
  ///   - limit: How many bytes of its output are kept.
  public static func run(_ words: [String], limit: Int = 64 << 10) throws(SystemError) -> Result {
    var ends: [Int32] = [0, 0]
    guard unsafe pipe(&ends) == 0 else { throw SystemError("pipe") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let output = FileDescriptor(ends[0])
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
    var arguments: [UnsafeMutablePointer<CChar>?] = unsafe words.map { unsafe strdup($0) }
    unsafe arguments.append(nil)
    defer { for index in words.indices { unsafe free(arguments[index]) } }
    var process: pid_t = 0
    let code = unsafe posix_spawn(&process, words[0], &actions, nil, arguments, environ)
    close(ends[1])
    guard code == 0 else { throw SystemError("cannot be run", code: code) }
    let kept = try tail(of: output, limit)
    var status: Int32 = 0
    while unsafe waitpid(process, &status, 0) < 0 {
      guard errno == EINTR else { throw SystemError("wait") }
    }
    let signal = status & 0x7F
    return Result(status: signal == 0 ? status >> 8 & 0xFF : 128 + signal, output: kept)
  }

  private static func tail(of file: FileDescriptor, _ limit: Int) throws(SystemError) -> [UInt8] {
    var kept: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 16 << 10)
    while true {
      var span = piece.mutableSpan
      let count = try file.read(into: &span)
      guard count > 0 else { return kept }
      kept += piece[0..<count]
      if kept.count > 2 * limit { kept.removeFirst(kept.count - limit) }
    }
  }
}
