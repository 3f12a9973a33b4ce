internal import ObjectStores
internal import Platform

/// Trouble with a repository; each kind has its exit status.
public enum RepositoryError: Error, CustomStringConvertible {
  case notARepository(String)
  case noSuchPoint(String)
  case ambiguous(String)
  case busy(String)
  /// Something stored is damaged: which file or chunk, and how.
  case damaged(String)
  /// What arrives contradicts itself or what it claims.
  case badInput(String)
  /// A reference to a chunk that is not in the repository.
  case missingChunk(String)
  case unsupported(String)
  case failed(String)

  public var description: String {
    switch self {
    case .notARepository(let text), .noSuchPoint(let text), .ambiguous(let text),
      .busy(let text), .damaged(let text), .badInput(let text), .missingChunk(let text),
      .unsupported(let text), .failed(let text):
      text
    }
  }
}

/// Whether an error says nothing about the repository: no descriptors left, no permission.
func isFaultOfMachine(_ error: any Error) -> Bool {
  var cause = error as? SystemError
  if let error = error as? StoreError, case .system(let system) = error.reason { cause = system }
  guard let cause else { return false }
  return !cause.isMissing && !cause.isUnreadable && !cause.isNoDirectory
}
