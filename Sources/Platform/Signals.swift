internal import CLinux
internal import Glibc

/// Signals that the tools answer to.
public enum Signals {
  /// Removes temporary files on SIGINT, SIGTERM, SIGHUP and SIGPIPE, then dies of the signal.
  public static func cleanUpOnDeath() { cl_install_cleanup() }

  /// Makes SIGUSR1 ask for a line of progress.
  public static func answerProgress() { cl_install_progress_signal() }

  /// Whether SIGUSR1 came since the last call.
  public static func progressWanted() -> Bool { cl_take_progress_signal() != 0 }
}

extension FileDescriptor {
  /// Makes sure that standard input, output and error are open, if only to give errors: else the
  /// next file that is opened would get the number of one that the caller closed, and with it what
  /// is written there.
  public static func holdStandardOnes() { cl_hold_standard_descriptors() }

  /// Writes a line that may be lost: nothing happens when the reader is gone or does not keep up.
  public func tell(_ text: String) {
    guard cl_begin_telling(number) != 0 else { return }
    do { try write(text) } catch {}
    cl_end_telling()
  }

  /// Has a signal that ends the process empty this file first, until `keepOnDeath`.
  public func emptyOnDeath() throws(SystemError) {
    if cl_empty_on_death(number) != 0 { throw SystemError("dup") }
  }

  /// Leaves the file of `emptyOnDeath` as it is from now on.
  public static func keepOnDeath() { cl_keep_on_death() }

  /// Whether the other end is a program's.
  public var isPipe: Bool {
    do { return try status().kind == .pipe } catch { return false }
  }
}
