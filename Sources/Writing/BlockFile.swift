public import Blocks
internal import Bytes
public import DiskImages
public import Platform

/// A disk in blocks, in a file: blocks that are never written to are not there.
public final class BlockFile: DiskTarget {
  private let file: BulkFile
  private let writer: SegmentWriter
  private var layout: any BlockLayout

  /// - Parameters:
  ///   - file: An empty file.
  ///   - layout: Of the disk, with no block in it.
  ///   - recycle: Takes back segments.
  public init(_ file: BulkFile, _ layout: any BlockLayout, recycle: @escaping Recycling) {
    self.file = file
    self.layout = layout
    writer = SegmentWriter(file, recycle: recycle)
  }

  public func write(_ segment: Segment, _ pieces: [SegmentWriter.Piece]) throws {
    var placed: [SegmentWriter.Piece] = []
    for piece in pieces { try place(piece, &placed) }
    try writer.write(segment, placed)
  }

  /// Appends the parts of `piece`, each of which lies in one block, at their places in the file.
  private func place(
    _ piece: SegmentWriter.Piece, _ placed: inout [SegmentWriter.Piece]
  ) throws {
    let size = layout.blockByteCount
    var position = piece.place
    var start = piece.bytes.lowerBound
    while start < piece.bytes.upperBound {
      let block = position / size
      let inner = position % size
      let count = Int(min(UInt64(piece.bytes.upperBound - start), size - inner))
      append(start..<start + count, at: try dataOffset(block) + inner, to: &placed)
      layout.mark(block, inner..<inner + UInt64(count))
      start += count
      position += UInt64(count)
    }
  }

  /// Appends a piece, joined to the last one where they lie side by side: blocks may be small.
  private func append(
    _ bytes: Range<Int>, at place: UInt64, to placed: inout [SegmentWriter.Piece]
  ) {
    if let last = placed.last, last.bytes.upperBound == bytes.lowerBound,
      last.place + UInt64(last.bytes.count) == place
    {
      placed.removeLast()
      return placed.append(.init(last.bytes.lowerBound..<bytes.upperBound, at: last.place))
    }
    placed.append(.init(bytes, at: place))
  }

  /// Where a block's data starts in the file; gives it a place when it has none.
  private func dataOffset(_ block: UInt64) throws -> UInt64 {
    try layout.dataOffset(block)
      ?? layout.allocate(block) { [file] in try file.write($0.span, at: $1) }
  }

  public func finish() throws {
    try writer.finish()
    try layout.finish { [file] in try file.write($0.span, at: $1) }
    try file.file.truncate(to: layout.byteCount)
  }

  public func close() { writer.close() }
}
