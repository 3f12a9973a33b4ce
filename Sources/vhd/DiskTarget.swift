internal import Blocks
internal import Bytes
internal import DiskImages
internal import Platform
internal import ToolSupport

/// Where a disk's bytes go.
///
/// Places ascend and do not overlap; what is left out reads as zeros.
protocol DiskTarget: AnyObject {
  /// Takes over a segment, whose pieces are written to their places on the disk.
  func write(_ segment: Segment, _ pieces: [SegmentWriter.Piece]) throws
  /// Writes bytes of the disk.
  func write(_ bytes: Span<UInt8>, at offset: UInt64) throws
  /// Completes the image; without this, nothing that was written makes an image.
  func finish() throws
  /// Ends the writing; called also when the image is not completed.
  func close()
}

/// A fixed disk, or a raw one without any footer, in a file: zeros become holes.
final class FixedFile: DiskTarget {
  private let file: BulkFile
  private let writer: SegmentWriter
  private let size: UInt64
  private let footer: VHDFooter?

  /// - Parameters:
  ///   - file: An empty file.
  ///   - size: The disk's size in bytes.
  ///   - footer: What goes behind it.
  ///   - recycle: Takes back segments.
  /// - Throws: When the file system takes no file of that size.
  init(
    _ file: BulkFile, size: UInt64, footer: VHDFooter?, recycle: @escaping (Segment) -> Void
  ) throws {
    self.file = file
    self.size = size
    self.footer = footer
    writer = SegmentWriter(file, recycle: recycle)
    try file.file.truncate(to: size)
  }

  func write(_ segment: Segment, _ pieces: [SegmentWriter.Piece]) throws {
    try writer.write(segment, pieces)
  }

  func write(_ bytes: Span<UInt8>, at offset: UInt64) throws {
    try file.write(bytes, at: offset)
  }

  func finish() throws {
    try writer.finish()
    guard let footer else { return }
    let bytes = footer.bytes
    try file.write(bytes.span, at: size)
  }

  func close() { writer.close() }
}

/// A dynamic disk in a file: blocks that are never written to are not there.
final class DynamicFile: DiskTarget {
  private let file: BulkFile
  private let writer: SegmentWriter
  private let footer: VHDFooter
  private var layout: VHDDynamicLayout
  private let bitmap: [UInt8]

  /// - Parameters:
  ///   - file: An empty file.
  ///   - layout: Of the disk, with no block in it.
  ///   - footer: The disk's footer.
  ///   - recycle: Takes back segments.
  init(
    _ file: BulkFile, _ layout: VHDDynamicLayout, footer: VHDFooter,
    recycle: @escaping (Segment) -> Void
  ) {
    self.file = file
    self.layout = layout
    self.footer = footer
    bitmap = layout.bitmap
    writer = SegmentWriter(file, recycle: recycle)
  }

  func write(_ segment: Segment, _ pieces: [SegmentWriter.Piece]) throws {
    var placed: [SegmentWriter.Piece] = []
    for piece in pieces {
      try place(piece.bytes.count, at: piece.place) { part, place in
        let start = piece.bytes.lowerBound
        placed.append(.init(start + part.lowerBound..<start + part.upperBound, at: place))
      }
    }
    try writer.write(segment, placed)
  }

  func write(_ bytes: Span<UInt8>, at offset: UInt64) throws {
    try place(bytes.count, at: offset) { part, place in
      try file.write(bytes.extracting(part), at: place)
    }
  }

  /// Calls `body` with each part of `count` bytes that lies in one block, and its place in the file.
  private func place(
    _ count: Int, at offset: UInt64, _ body: (Range<Int>, UInt64) throws -> Void
  ) throws {
    let block = UInt64(layout.header.blockByteCount)
    var done = 0
    while done < count {
      let place = offset + UInt64(done)
      let inner = place % block
      let end = done + Int(min(UInt64(count - done), block - inner))
      try body(done..<end, try dataOffset(Int(place / block)) + inner)
      done = end
    }
  }

  /// Where a block's data starts in the file; gives it a place when it has none.
  private func dataOffset(_ block: Int) throws -> UInt64 {
    if let start = layout.dataOffset(block) { return start }
    let start: UInt64
    do {
      start = try layout.allocate(block)
    } catch {
      throw Failure(.impossible, "\(error)", hint: "--block-size with a larger size helps")
    }
    let bitmap = bitmap
    try file.write(bitmap.span, at: start)
    return start + UInt64(bitmap.count)
  }

  func finish() throws {
    try writer.finish()
    try file.file.truncate(to: layout.end)
    let start = layout.start(footer)
    try file.write(start.span, at: 0)
    let bytes = footer.bytes
    try file.write(bytes.span, at: layout.end)
  }

  func close() { writer.close() }
}

/// A fixed or raw disk into a pipe: everything in order, zeros written out, the footer last.
final class OrderedTarget: DiskTarget {
  private let pipe: OrderedOutput
  private let size: UInt64
  private let footer: VHDFooter?
  private let recycle: (Segment) -> Void

  /// - Parameters:
  ///   - file: The pipe.
  ///   - size: The disk's size in bytes.
  ///   - footer: What goes behind it.
  ///   - recycle: Takes back segments.
  init(
    _ file: FileDescriptor, size: UInt64, footer: VHDFooter?,
    recycle: @escaping (Segment) -> Void
  ) {
    pipe = OrderedOutput(file)
    self.size = size
    self.footer = footer
    self.recycle = recycle
  }

  func write(_ segment: Segment, _ pieces: [SegmentWriter.Piece]) throws {
    let buffer = segment.buffer
    for piece in pieces { try pipe.write(buffer.span(piece.bytes), at: piece.place) }
    recycle(segment)
  }

  func write(_ bytes: Span<UInt8>, at offset: UInt64) throws {
    try pipe.write(bytes, at: offset)
  }

  func finish() throws {
    try pipe.fill(to: size)
    guard let footer else { return }
    let bytes = footer.bytes
    try pipe.write(bytes.span, at: size)
  }

  func close() {}
}

/// A dynamic disk into a pipe.
///
/// Its table comes first and says which blocks there are, which is only known at the end. So the
/// image is built in a file that has no name, and copied once it is whole; a stream that breaks
/// off gives no output at all.
final class SpooledDynamic: DiskTarget {
  private let spool: FileDescriptor
  private let image: DynamicFile
  private let output: FileDescriptor

  /// - Parameters:
  ///   - output: The pipe.
  ///   - spool: An empty file for the image.
  ///   - layout: Of the disk, with no block in it.
  ///   - footer: The disk's footer.
  ///   - recycle: Takes back segments.
  init(
    _ output: FileDescriptor, spool: FileDescriptor, _ layout: VHDDynamicLayout,
    footer: VHDFooter, recycle: @escaping (Segment) -> Void
  ) {
    self.output = output
    self.spool = spool
    image = DynamicFile(
      BulkFile(spool, isCached: true), layout, footer: footer, recycle: recycle)
  }

  func write(_ segment: Segment, _ pieces: [SegmentWriter.Piece]) throws {
    try image.write(segment, pieces)
  }

  func write(_ bytes: Span<UInt8>, at offset: UInt64) throws {
    try image.write(bytes, at: offset)
  }

  func finish() throws {
    try image.finish()
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
    try pipe.fill(to: size)
  }

  func close() { image.close() }
}

/// Bytes in order, with zeros for what is left out.
private final class OrderedOutput {
  private let file: FileDescriptor
  private let zeros = Buffer(count: 1 << 20)
  private var position: UInt64 = 0

  init(_ file: FileDescriptor) {
    self.file = file
    file.widenPipe()
    zeros.clear(0..<zeros.count)
  }

  func write(_ bytes: Span<UInt8>, at offset: UInt64) throws {
    try fill(to: offset)
    try file.write(bytes)
    position += UInt64(bytes.count)
  }

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
