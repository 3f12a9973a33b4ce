public import ArgumentParser
internal import Glibc
internal import Platform
internal import Reading

/// A command that ends as vpipe(7) says: one status, one message, on stderr.
public protocol Tool: ParsableCommand {}

extension Tool {
  /// Parses the command line, runs the command and leaves the process.
  public static func main() {
    FileDescriptor.holdStandardOnes()
    Signals.cleanUpOnDeath()
    Signals.answerProgress()
    let words = Array(CommandLine.arguments.dropFirst())
    let check = CommandLineCheck(self, words)
    do {
      try CommandLineCheck.requireText()
      try check.requireCommand()
      try parseAndRun(try SourceCommands.gather(words))
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

  private static func parseAndRun(_ arguments: [String]) throws {
    do {
      var command = try parseAsRoot(arguments)
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
/// But servers that were started for a source are gone when it has ended.
public func leave(_ status: ExitStatus) -> Never {
  ServedSources.closeAll()
  _exit(status.rawValue)
}
