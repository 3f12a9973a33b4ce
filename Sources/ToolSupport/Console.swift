internal import FoundationEssentials
internal import Glibc
internal import Platform

/// Results on stdout, messages on stderr.
public enum Console {
  /// The tool's name, as it was called.
  public static var toolName: String {
    Files.name(of: CommandLine.arguments.first ?? "vpipe")
  }

  /// Whether the command line asks for JSON; looked up here so that usage errors obey it too.
  public static var wantsJSON: Bool {
    CommandLine.arguments.prefix { $0 != "--" }.contains("--json")
  }

  /// Prints lines of results; an error (a full disk, a closed pipe) is thrown, never lost.
  public static func result(_ text: String) throws(Failure) {
    do {
      try FileDescriptor.standardOutput.write(printable(text) + "\n")
    } catch {
      throw Failure(.failed, "stdout: \(error)")
    }
  }

  /// Prints one JSON object on a line of its own.
  public static func result(json value: some Encodable) throws(Failure) {
    try result(try encode(value))
  }

  /// JSON text with sorted keys in snake case.
  public static func encode(_ value: some Encodable) throws(Failure) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    do {
      return String(decoding: try encoder.encode(value), as: UTF8.self)
    } catch {
      throw Failure(.failed, "cannot be written as JSON: \(error)")
    }
  }

  /// Prints a message to stderr, with the tool's name in front.
  public static func say(_ text: String) {
    // Nothing can be done about a stderr that cannot be written to.
    do { try FileDescriptor.standardError.write("\(toolName): \(printable(text))\n") } catch {}
  }

  private struct Report: Encodable {
    let messageType: String
    let tool: String
    let status: Int32?
    let message: String
    let hint: String?
  }

  /// Tells a failure, as text or as JSON.
  static func complain(_ failure: Failure) {
    if wantsJSON {
      let report = Report(
        messageType: "error", tool: toolName, status: failure.status.rawValue,
        message: failure.message, hint: failure.hint)
      if let text = try? encode(report) {
        do { try FileDescriptor.standardError.write(text + "\n") } catch {}
        return
      }
    }
    say(failure.message)
    if let hint = failure.hint { say("hint: \(hint)") }
  }

  /// Tells something that does not stop the tool.
  public static func warn(_ text: String) { say("warning: \(text)") }

  /// Names from images and streams may hold control characters; a terminal must not obey them.
  static func printable(_ text: String) -> String {
    String(
      String.UnicodeScalarView(
        text.unicodeScalars.map { scalar in
          let isControl =
            scalar.value < 0x20 && scalar != "\n" && scalar != "\t"
            || (0x7f...0x9f).contains(scalar.value)
          return isControl ? "?" : scalar
        }))
  }

  /// Refuses to write binary to a terminal.
  public static func requireBinaryOutput(hint: String) throws(Failure) {
    if FileDescriptor.standardOutput.isTerminal {
      throw Failure(.usage, "stdout is a terminal, and this is binary", hint: hint)
    }
  }

  /// Refuses to read a stream from a terminal.
  public static func requireBinaryInput(hint: String) throws(Failure) {
    if FileDescriptor.standardInput.isTerminal {
      throw Failure(.usage, "stdin is a terminal, and a stream is expected", hint: hint)
    }
  }
}
