public import Bytes

/// Why a stream cannot be used.
public enum StreamError: Error, CustomStringConvertible {
  /// The input ended before the seal: whoever wrote it died.
  case notSealed(at: UInt64)
  /// The producer said that it failed.
  case aborted(String)
  /// The seal does not fit what came before it, or something follows it.
  case badSeal(String)
  /// Bytes are damaged or break the format's rules.
  case damaged(FormatError)

  public var description: String {
    switch self {
    case .notSealed(let place):
      "the stream ends at byte \(place) without a seal: the stage before this one did not finish"
    case .aborted(let reason): "the stage before this one failed: \(reason)"
    case .badSeal(let reason): "the stream's seal is wrong: \(reason)"
    case .damaged(let error): "\(error)"
    }
  }
}
