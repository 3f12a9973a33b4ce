internal import Bytes
public import Platform

/// Where an image's bytes go.
public protocol ImageOutputFile: AnyObject {
  /// Writes all of `bytes` at their place in the image.
  func write(_ bytes: Span<UInt8>, at offset: UInt64) throws
  /// Gives the image its size; what was not written of it reads as zero.
  func finish(byteCount: UInt64) throws
}

/// A file in which any place can be written.
public final class RandomOutput: ImageOutputFile {
  private let file: BulkFile

  /// - Parameter file: An empty file.
  public init(_ file: BulkFile) { self.file = file }

  public func write(_ bytes: Span<UInt8>, at offset: UInt64) throws {
    try file.write(bytes, at: offset)
  }

  public func finish(byteCount: UInt64) throws { try file.file.truncate(to: byteCount) }
}

/// Bytes in order, with zeros for what is left out: into a pipe, or a file that is only appended to.
public final class OrderedOutput: ImageOutputFile {
  /// Takes the next bytes of the output.
  public typealias Appending = (_ bytes: Span<UInt8>) throws -> Void

  /// What stays here of a large piece: an output that is not finished is never whole.
  private static let heldBack = 512

  private let append: Appending
  /// Small pieces, until they are worth a call.
  private let gathered = Buffer(count: 1 << 20)
  private var held = 0
  private let zeros = Buffer(count: 1 << 20)
  private var position: UInt64 = 0

  public init(appending append: @escaping Appending) {
    self.append = append
    zeros.clear(0..<zeros.count)
  }

  /// - Parameter pipe: A pipe, or whatever takes bytes in order.
  public convenience init(_ pipe: FileDescriptor) {
    pipe.widenPipe()
    self.init { try pipe.write($0) }
  }

  /// Writes `bytes`, which belong behind all that was written.
  public func write(_ bytes: Span<UInt8>, at offset: UInt64) throws {
    try fill(to: offset)
    try add(bytes)
  }

  private func add(_ bytes: Span<UInt8>) throws {
    position += UInt64(bytes.count)
    if bytes.count > gathered.count - held { try flush() }
    var start = 0
    if bytes.count >= gathered.count / 4 {
      try flush()
      start = bytes.count - OrderedOutput.heldBack
      try append(bytes.extracting(0..<start))
    }
    gathered.copy(bytes.extracting(start..<bytes.count), to: held)
    held += bytes.count - start
  }

  private func flush() throws {
    let gathered = gathered
    if held > 0 { try append(gathered.span(0..<held)) }
    held = 0
  }

  /// Writes zeros until `offset` bytes are out.
  private func fill(to offset: UInt64) throws {
    precondition(offset >= position)
    let zeros = zeros
    while position < offset {
      try add(zeros.span(0..<Int(min(UInt64(zeros.count), offset - position))))
    }
  }

  public func finish(byteCount: UInt64) throws {
    try fill(to: byteCount)
    try flush()
  }
}
