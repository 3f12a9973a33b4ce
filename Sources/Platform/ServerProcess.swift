internal import CLinux
internal import Glibc

/// A program that was started to serve this process through a Unix socket.
///
/// It is handed a socket that listens, as systemd's socket activation does it, so that there is
/// nothing to wait for and no name to agree on: whoever connects early is served as soon as the
/// program is ready. The socket has no name in any folder. The program gets SIGTERM when this
/// process ends, however it does, and `stopAll` waits until it is gone.
public final class ServerProcess: Sendable {
  /// How long a program may take to end before it is killed, in milliseconds.
  private static let patience: Int32 = 5000
  private static let running = Locked<[ServerProcess]>([])

  private let process: pid_t
  /// The socket's inode: its place in no folder.
  private let place: Int32
  /// How it ended, once it has.
  private let code = Locked<Int32?>(nil)

  /// Starts a program; on the main thread, as the program ends with the thread that started it.
  ///
  /// - Parameter words: Its name or path, and its arguments.
  public init(_ words: [String]) throws(SystemError) {
    var listener: Int32 = -1
    var place: Int32 = -1
    let folder = Environment.value("TMPDIR") ?? "/tmp"
    guard unsafe cl_listen_hidden(folder, &listener, &place) == 0 else {
      throw SystemError("\(folder): a socket cannot be made")
    }
    let process = ServerProcess.start(words, listener)
    let code = errno
    // From now on only the program has it; so it is gone when the program is.
    close(listener)
    guard process > 0 else {
      close(place)
      throw SystemError("cannot be started", code: code)
    }
    self.process = process
    self.place = place
    ServerProcess.running.with { $0.append(self) }
  }

  deinit { close(place) }

  private static func start(_ words: [String], _ listener: Int32) -> pid_t {
    var arguments: [UnsafeMutablePointer<CChar>?] = unsafe words.map { unsafe strdup($0) }
    unsafe arguments.append(nil)
    defer { for index in words.indices { unsafe free(arguments[index]) } }
    return unsafe cl_start_server(&arguments, listener)
  }

  /// Where to connect to.
  public var socketPath: String { "/proc/self/fd/\(place)" }

  /// How the program ended, as a shell tells it; nil when it runs on for so many milliseconds.
  public func exitCode(patience: Int32) -> Int32? {
    code.with { code in
      var status: Int32 = 0
      if code == nil, unsafe cl_has_ended(process, &status, patience) != 0 {
        code = cl_exit_code(status)
      }
      return code
    }
  }

  /// Ends the program and waits for that.
  public func stop() {
    code.with { code in
      if code != nil { return }
      cl_ask_to_end(process)
      var status: Int32 = 0
      if unsafe cl_has_ended(process, &status, ServerProcess.patience) == 0 {
        unsafe cl_kill(process, &status)
      }
      code = cl_exit_code(status)
    }
    ServerProcess.running.with { $0.removeAll { $0 === self } }
  }

  /// Ends all that were started and are still there; when this process is about to end.
  public static func stopAll() {
    for server in running.with({ $0 }) { server.stop() }
  }
}
