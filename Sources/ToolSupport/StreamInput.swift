internal import Bytes
internal import Platform
public import Streams

/// The stream on stdin.
public enum StreamInput {
  /// Begins to read it.
  ///
  /// - Parameter hint: What to do when it is no stream at all.
  public static func open(hint: String) throws(Failure) -> StreamFeed {
    do {
      return try StreamFeed(.standardInput)
    } catch StreamError.damaged(let error) where error.reason == .badMagic && error.offset == 0 {
      throw Failure(.damaged, "stdin: not a stream of vpipe: \(error)", hint: hint)
    } catch {
      throw Failure("stdin", error)
    }
  }
}
