public import Blocks
internal import Bytes
public import Platform

/// An image into a pipe that cannot be made in order.
///
/// Its tables come first and say where the rest is, which is only known at the end. So the image is
/// built in a file that has no name, and copied once it is whole; a stream that breaks off gives no
/// output at all.
public final class SpooledTarget: DiskTarget {
  private let spool: FileDescriptor
  private let image: any DiskTarget
  private let output: FileDescriptor

  /// - Parameters:
  ///   - output: The pipe.
  ///   - spool: An empty file.
  ///   - image: Builds the image in it.
  public init(_ output: FileDescriptor, spool: FileDescriptor, _ image: any DiskTarget) {
    self.output = output
    self.spool = spool
    self.image = image
  }

  public func write(_ segment: Segment, _ pieces: [SegmentWriter.Piece]) throws {
    try image.write(segment, pieces)
  }

  public func finish() throws {
    try image.finish()
    try SpoolFile.copy(spool, to: output)
  }

  public func close() { image.close() }
}

/// A file without a name, gone when the process is.
public enum SpoolFile {
  /// The folder that was asked for, else `TMPDIR`, else `/tmp`.
  public static func folder(_ asked: String?) -> String {
    asked ?? Environment.value("TMPDIR") ?? "/tmp"
  }

  /// Makes one.
  ///
  /// - Parameter folder: Where.
  /// - Returns: The open file.
  /// - Throws: When the folder does not take it.
  public static func open(in folder: String) throws(SystemError) -> FileDescriptor {
    let path = "\(folder)/vpipe-\(Hex.text(try Random.bytes(8))).spool"
    let file = try FileDescriptor(path, .create, permissions: 0o600)
    try Files.remove(path)
    return file
  }

  /// Copies all of a spool file into a pipe.
  public static func copy(_ spool: FileDescriptor, to output: FileDescriptor) throws {
    let size = try spool.status().size
    let pipe = OrderedOutput(output)
    let buffer = Buffer(count: 1 << 20)
    var position: UInt64 = 0
    while let data = try spool.nextData(at: position, size: size) {
      position = data.lowerBound
      while position < data.upperBound {
        let count = Int(min(UInt64(buffer.count), data.upperBound - position))
        var target = buffer.mutableSpan(0..<count)
        guard try spool.read(into: &target, at: position) == count else {
          throw SystemError("read of the spool file", code: 5)
        }
        try pipe.write(buffer.span(0..<count), at: position)
        position += UInt64(count)
      }
    }
    try pipe.finish(byteCount: size)
  }
}
