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

  /// What a stream begins with.
  ///
  /// docs/stream-format.md, "Prelude".
  static let magic: [UInt8] = [0x89, 0x56, 0x50, 0x49, 0x50, 0x45, 0x0D, 0x0A, 0x1A, 0x0A]
}
