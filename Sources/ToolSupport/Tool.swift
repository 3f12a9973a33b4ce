public import ArgumentParser
internal import Glibc
internal import Platform

/// A command that ends as vpipe(7) says: one status, one message, on stderr.
public protocol Tool: ParsableCommand {}

extension Tool {
  /// Parses the command line, runs the command and leaves the process.
  public static func main() {
    Signals.cleanUpOnDeath()
    Signals.answerProgress()
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let failure as Failure {
      Console.complain(failure)
      Glibc.exit(failure.status.rawValue)
    } catch let error as SystemError {
      Console.complain(Failure(.failed, "\(error)"))
      Glibc.exit(ExitStatus.failed.rawValue)
    } catch {
      let code = exitCode(for: error)
      if Console.wantsJSON, code != .success {
        Console.complain(Failure(.usage, message(for: error)))
        Glibc.exit(ExitStatus.usage.rawValue)
      }
      exit(withError: error)
    }
    Glibc.exit(ExitStatus.done.rawValue)
  }
}

/// Ends the process with `status`; for results that are no failure, such as a difference found.
public func leave(_ status: ExitStatus) -> Never { Glibc.exit(status.rawValue) }
