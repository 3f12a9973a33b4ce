/// How a tool ends: the table of vpipe(7), and the only place where it stands in code.
public enum ExitStatus: Int32, Sendable {
  case done = 0
  /// A check or comparison found a difference.
  case different = 1
  case failed = 2
  /// Done, but some of the source could not be read.
  case incomplete = 3
  /// Upstream failed or its stream is not sealed; nothing was committed.
  case upstream = 4
  /// No such repository or point.
  case notFound = 10
  /// Somebody else holds it.
  case busy = 11
  case wrongKey = 12
  /// A policy forbids it.
  case refused = 13
  /// This format cannot do that.
  case impossible = 63
  case usage = 64
  /// Input or stored data is damaged or not what it claims.
  case damaged = 65
}
