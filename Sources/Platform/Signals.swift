internal import CLinux

/// Signals that the tools answer to.
public enum Signals {
  /// Removes temporary files on SIGINT, SIGTERM, SIGHUP and SIGPIPE, then dies of the signal.
  public static func cleanUpOnDeath() { cl_install_cleanup() }

  /// Makes SIGUSR1 ask for a line of progress.
  public static func answerProgress() { cl_install_progress_signal() }

  /// Whether SIGUSR1 came since the last call.
  public static func progressWanted() -> Bool { cl_take_progress_signal() != 0 }
}
