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
    let check = CommandLineCheck(self, Array(CommandLine.arguments.dropFirst()))
    do {
      try check.requireCommand()
      try parseAndRun()
    } catch let failure as Failure {
      Console.complain(failure)
      leave(failure.status)
    } catch let error as SystemError {
      Console.complain(Failure(.failed, "\(error)"))
      leave(.failed)
    } catch {
      Console.complain(check.failure(message(for: error)))
      leave(.usage)
    }
    leave(.done)
  }

  private static func parseAndRun() throws {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch  where !(error is Failure) && exitCode(for: error) == .success {
      // Help and version: results, which a full disk must not swallow.
      try Console.result(fullMessage(for: error))
    }
  }
}

/// Ends the process with `status`.
///
/// At once, without the libraries' clean-up: other threads may still be at work in them, and
/// everything that this process writes goes out by its own system calls.
public func leave(_ status: ExitStatus) -> Never { _exit(status.rawValue) }
