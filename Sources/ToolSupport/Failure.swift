internal import Auditing
internal import Blocks
internal import Bytes
internal import DiskImages
internal import Platform
internal import Reading
internal import Repositories
internal import Streams

/// What ends a tool: a status, a message for a person, and perhaps a hint.
public struct Failure: Error, CustomStringConvertible {
  public let status: ExitStatus
  /// `thing: place: problem`, lower case, without a full stop and without the tool's name.
  public let message: String
  public let hint: String?

  public init(_ status: ExitStatus, _ message: String, hint: String? = nil) {
    self.status = status
    self.message = message
    self.hint = hint
  }

  public var description: String { message }
}

extension Failure {
  /// What to do about a damaged image that can be checked.
  public static let damageHint =
    "vhd check tells all that is wrong, vhd repair what can be brought back"

  /// Gives any error of the libraries its status, with `subject` in front of its words.
  ///
  /// - Parameter damageHint: The hint for a damaged image that can be checked; nil where none helps.
  public init(
    _ subject: String, _ error: any Error, damageHint: String? = Failure.damageHint
  ) {
    switch error {
    case let failure as Failure: self = failure
    case let error as ReadingError: self.init(error)
    case let error as RepositoryError:
      self.init(error.status, "\(subject): \(error)", hint: error.hint)
    case let error as FormatError:
      self.init(error.status, "\(subject): \(error)", hint: error.hint(damageHint))
    case let error as CompanionError:
      self.init(error.status, "\(subject): \(error)", hint: error.hint)
    case let error as LayoutError:
      self.init(.impossible, "\(subject): \(error)", hint: error.hint)
    case let error as AuditTrouble: self.init(error.subject ?? subject, error.reason)
    case let error as StreamError: self.init(error.status, "\(subject): \(error)")
    default:
      // A store's error may begin with its own name.
      let text = "\(error)"
      self.init(.failed, text.hasPrefix("\(subject): ") ? text : "\(subject): \(text)")
    }
  }
}

extension FormatError {
  /// The exit status that the error stands for.
  fileprivate var status: ExitStatus {
    switch reason {
    case .unsupported: .impossible
    case .ambiguous: .usage
    case .truncated, .badMagic, .badChecksum, .impossible, .misnamed: .damaged
    }
  }

  fileprivate func hint(_ damageHint: String?) -> String? {
    switch reason {
    case .ambiguous(_, let hint), .misnamed(_, let hint): hint
    case .truncated, .badMagic, .badChecksum, .impossible:
      CheckedFormat(structure: structure) == nil ? nil : damageHint
    case .unsupported: nil
    }
  }
}

extension CompanionError {
  /// The exit status that the error stands for.
  fileprivate var status: ExitStatus {
    switch reason {
    case .notThere: .failed
    case .notAllowed, .foreign: .refused
    case .impossible: .damaged
    }
  }

  fileprivate var hint: String? {
    switch reason {
    case .foreign: "save what is there as a file, and name that with qemu-img rebase -u"
    case .notThere, .notAllowed: "--allow-references lets an image refer to files in a folder"
    case .impossible: nil
    }
  }
}

extension RepositoryError {
  /// The exit status that the error stands for.
  fileprivate var status: ExitStatus {
    switch self {
    case .notARepository, .noSuchPoint, .ambiguous: .notFound
    case .busy: .busy
    case .damaged, .badInput: .damaged
    case .unsupported: .impossible
    case .missingChunk, .failed: .failed
    }
  }

  fileprivate var hint: String? {
    switch self {
    case .notARepository: "make one with: vstore init -r FOLDER"
    case .noSuchPoint, .ambiguous: "vstore list shows the points"
    case .busy: "run it again"
    case .damaged: "vstore check --read-data tells what is damaged"
    case .missingChunk:
      "the stream was made against a state of the repository that is gone: run it again, "
        + "with a fresh list of known chunks or baseline if one was used"
    case .badInput, .unsupported, .failed: nil
    }
  }
}

extension StreamError {
  /// The exit status that the error stands for.
  fileprivate var status: ExitStatus {
    switch self {
    case .notSealed, .aborted, .badSeal: .upstream
    case .damaged: .damaged
    }
  }
}

/// Runs `body`; an error leaves with the name of what was being worked on in front.
///
/// - Parameter damageHint: The hint for a damaged image that can be checked; nil where none helps.
public func naming<Result>(
  _ subject: String, damageHint: String? = Failure.damageHint, _ body: () throws -> Result
) throws(Failure) -> Result {
  do {
    return try body()
  } catch {
    throw Failure(subject, error, damageHint: damageHint)
  }
}
