/// Why bytes were refused: what was being read, at which byte of the input, and what was wrong.
public struct FormatError: Error, Equatable, CustomStringConvertible {
  /// What was wrong.
  public enum Reason: Equatable, Sendable {
    case truncated
    case badMagic
    case badChecksum(stored: UInt64, computed: UInt64)
    case unsupported(String)
    case impossible(String)
    /// It can be read in several ways, and the user has to say which is meant.
    case ambiguous(String, hint: String?)
    /// It is not what its name says.
    case misnamed(String, hint: String?)
  }

  /// The structure that was being read, such as `VHD footer`.
  public let structure: String
  /// The byte of the input at which the trouble lies.
  public let offset: UInt64
  public let reason: Reason

  public init(_ structure: String, at offset: UInt64, _ reason: Reason) {
    self.structure = structure
    self.offset = offset
    self.reason = reason
  }

  /// The same trouble, in a structure of another file.
  public func inFile(_ name: String) -> FormatError {
    FormatError("\(name): \(structure)", at: offset, reason)
  }

  public var description: String {
    let problem =
      switch reason {
      case .truncated: "truncated"
      case .badMagic: "not the expected signature"
      case .badChecksum(let stored, let computed):
        "checksum is 0x\(String(stored, radix: 16)), computed 0x\(String(computed, radix: 16))"
      case .unsupported(let what): "\(what) is not supported"
      case .impossible(let what), .ambiguous(let what, _), .misnamed(let what, _): what
      }
    return "\(structure) at byte \(offset): \(problem)"
  }
}
