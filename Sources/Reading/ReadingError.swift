/// Why sources cannot be read: the request itself, or trouble with one of them.
public enum ReadingError: Error, CustomStringConvertible {
  /// The request makes no sense, whatever is in the sources.
  case request(String, hint: String?)
  /// The source is of a format that is known but cannot be read.
  case unsupported(source: String, String, hint: String?)
  /// The server of that source cannot be reached, or serves nothing that can be used.
  case unreachable(source: String, String, hint: String?)
  /// Something that reading needs besides the sources is not there.
  case failed(String, hint: String?)
  /// Trouble with the source of that path.
  case source(String, any Error)

  public var description: String {
    switch self {
    case .request(let problem, _), .failed(let problem, _): problem
    case .unsupported(let source, let problem, _), .unreachable(let source, let problem, _):
      "\(source): \(problem)"
    case .source(let source, let error): "\(source): \(error)"
    }
  }
}

/// Runs `body`; what it throws leaves with the source's path.
func naming<Result>(source: String, _ body: () throws -> Result) throws(ReadingError) -> Result {
  do {
    return try body()
  } catch let error as ReadingError {
    throw error
  } catch {
    throw .source(source, error)
  }
}
