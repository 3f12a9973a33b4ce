internal import CLinux
public import Glibc

/// A system call that failed.
public struct SystemError: Error, Equatable, CustomStringConvertible {
  /// The errno value.
  public let code: Int32
  /// What was tried, such as `open` or `write`.
  public let operation: String

  public init(_ operation: String, code: Int32 = errno) {
    self.operation = operation
    self.code = code
  }

  /// An answer to `operation` that makes no sense.
  public static func senseless(_ operation: String) -> SystemError {
    SystemError(operation, code: EPROTO)
  }

  /// Whether the trouble is that something is not there.
  public var isMissing: Bool { code == ENOENT }
  /// Whether what should be a folder on the way is something else.
  public var isNoDirectory: Bool { code == ENOTDIR }
  /// Whether something is there already.
  public var exists: Bool { code == EEXIST }
  /// Whether the call makes no sense for this file, such as direct writes that it cannot take.
  public var isInvalid: Bool { code == SystemError.invalid }
  static let invalid = EINVAL
  /// Whether a name is no UTF-8.
  public var isUndecodable: Bool { code == EILSEQ }
  /// Whether nobody reads the pipe any more.
  public var isClosedPipe: Bool { code == EPIPE }
  /// Whether the kernel does not have the call.
  public var isNotSupported: Bool { code == ENOSYS }
  /// Whether a folder that is written to can take nothing any more, whatever its name.
  public var isLossOfTarget: Bool {
    [ENOSPC, EDQUOT, EIO, EROFS, ENODEV, EMFILE, ENFILE, ENOMEM].contains(code)
  }
  /// Whether the medium could not read a sector.
  public var isUnreadable: Bool { code == EIO || code == ENODATA || code == EBADMSG }

  public var description: String {
    // The system's own words for it are of characters that are wide or of several bytes.
    if isUndecodable { return "\(operation): a name is not UTF-8" }
    var text = [CChar](repeating: 0, count: 256)
    unsafe text.withUnsafeMutableBufferPointer {
      unsafe cl_error_text(code, $0.baseAddress, $0.count)
    }
    let message = String(
      decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return "\(operation): \(message.prefix(1).lowercased() + message.dropFirst())"
  }
}

/// Calls `body` until it is not interrupted by a signal; a negative result is thrown.
@inline(__always)
func retrying<T: SignedInteger>(
  _ operation: @autoclosure () -> String, _ body: () -> T
) throws(SystemError) -> T {
  while true {
    let result = body()
    if result >= 0 { return result }
    let code = errno
    if code != EINTR { throw SystemError(operation(), code: code) }
  }
}
