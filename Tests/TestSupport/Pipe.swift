import Glibc
import Platform

/// A pipe within the process.
public final class Pipe: Sendable {
  public let input: FileDescriptor
  public let output: FileDescriptor

  public init() throws {
    var numbers: [Int32] = [0, 0]
    guard Glibc.pipe(&numbers) == 0 else { throw SystemError("pipe") }
    input = FileDescriptor(numbers[0])
    output = FileDescriptor(numbers[1])
  }
}
