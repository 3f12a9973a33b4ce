/// Why a disk cannot be had from a server, before anything of it was read.
public struct NetworkDiskError: Error, Equatable, CustomStringConvertible {
  public let description: String
  /// What the user can do about it.
  public let hint: String?

  public init(_ description: String, hint: String? = nil) {
    self.description = description
    self.hint = hint
  }
}
