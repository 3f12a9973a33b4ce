internal import Bytes
internal import Platform

/// Bytes into a pipe, in order, with zeros for what is left out.
final class OrderedOutput {
  private let file: FileDescriptor
  private let zeros = Buffer(count: 1 << 20)
  private var position: UInt64 = 0

  /// - Parameter file: The pipe.
  init(_ file: FileDescriptor) {
    self.file = file
    file.widenPipe()
    zeros.clear(0..<zeros.count)
  }

  /// Writes `bytes`, which belong behind all that was written.
  func write(_ bytes: Span<UInt8>, at offset: UInt64) throws {
    try fill(to: offset)
    try file.write(bytes)
    position += UInt64(bytes.count)
  }

  /// Writes zeros until `offset` bytes are out.
  func fill(to offset: UInt64) throws {
    precondition(offset >= position)
    let zeros = zeros
    while position < offset {
      let count = Int(min(UInt64(zeros.count), offset - position))
      try file.write(zeros.span(0..<count))
      position += UInt64(count)
    }
  }
}
