public import Blocks
internal import Bytes
public import DiskImages
public import Platform

/// A disk in one piece, in a file: zeros become holes.
public final class StraightFile: DiskTarget {
  private let file: BulkFile
  private let writer: SegmentWriter
  private let layout: any StraightLayout

  /// - Parameters:
  ///   - file: An empty file.
  ///   - layout: What stands around the disk.
  ///   - recycle: Takes back segments.
  /// - Throws: When the file system takes no file of that size.
  public init(
    _ file: BulkFile, _ layout: any StraightLayout, recycle: @escaping Recycling
  ) throws {
    self.file = file
    self.layout = layout
    writer = SegmentWriter(file, recycle: recycle)
    try file.file.truncate(to: layout.byteCount)
  }

  public func write(_ segment: Segment, _ pieces: [SegmentWriter.Piece]) throws {
    let start = layout.dataOffset
    try writer.write(segment, pieces.map { .init($0.bytes, at: start + $0.place) })
  }

  public func finish() throws {
    try writer.finish()
    let write: StructureWriter = { [file] in try file.write($0.span, at: $1) }
    try layout.writeStart(write)
    try layout.writeEnd(write)
  }

  public func close() { writer.close() }
}

/// A disk in one piece, into a pipe: everything in order, zeros written out.
public final class StraightPipe: DiskTarget {
  private let pipe: OrderedOutput
  private let layout: any StraightLayout
  private let recycle: Recycling

  /// - Parameters:
  ///   - file: The pipe.
  ///   - layout: What stands around the disk.
  ///   - recycle: Takes back segments.
  /// - Throws: When what stands in front of the disk cannot be written.
  public init(
    _ file: FileDescriptor, _ layout: any StraightLayout, recycle: @escaping Recycling
  ) throws {
    let pipe = OrderedOutput(file)
    self.pipe = pipe
    self.layout = layout
    self.recycle = recycle
    try layout.writeStart { try pipe.write($0.span, at: $1) }
  }

  public func write(_ segment: Segment, _ pieces: [SegmentWriter.Piece]) throws {
    let buffer = segment.buffer
    for piece in pieces {
      try pipe.write(buffer.span(piece.bytes), at: layout.dataOffset + piece.place)
    }
    recycle(segment)
  }

  public func finish() throws {
    try layout.writeEnd { [pipe] in try pipe.write($0.span, at: $1) }
    try pipe.finish(byteCount: layout.byteCount)
  }

  public func close() {}
}
