internal import Bytes
internal import DiskImages
internal import Platform
internal import ToolSupport

/// Where a disk's bytes go.
protocol DiskTarget: AnyObject {
  /// Writes bytes of the disk. Places ascend and do not overlap; what is left out reads as zeros.
  func write(_ bytes: Span<UInt8>, at offset: UInt64) throws
  /// Completes the image; without this, nothing that was written makes an image.
  func finish() throws
}

/// A fixed disk, or a raw one without any footer, in a file: zeros become holes.
final class FixedFile: DiskTarget {
  private let file: BulkFile
  private let size: UInt64
  private let footer: VHDFooter?

  /// - Parameters:
  ///   - file: An empty file.
  ///   - size: The disk's size in bytes.
  ///   - footer: What goes behind it.
  /// - Throws: When the file system takes no file of that size.
  init(_ file: BulkFile, size: UInt64, footer: VHDFooter?) throws {
    self.file = file
    self.size = size
    self.footer = footer
    try file.file.truncate(to: size)
  }

  func write(_ bytes: Span<UInt8>, at offset: UInt64) throws {
    try file.write(bytes, at: offset)
  }

  func finish() throws {
    if let footer {
      let bytes = footer.bytes
      try file.write(bytes.span, at: size)
    }
    try file.finish()
  }
}

/// A dynamic disk in a file: blocks that are never written to are not there.
final class DynamicFile: DiskTarget {
  private let file: BulkFile
  private let footer: VHDFooter
  private var layout: VHDDynamicLayout
  private let bitmap: [UInt8]

  /// - Parameters:
  ///   - file: An empty file.
  ///   - layout: Of the disk, with no block in it.
  ///   - footer: The disk's footer.
  init(_ file: BulkFile, _ layout: VHDDynamicLayout, footer: VHDFooter) {
    self.file = file
    self.layout = layout
    self.footer = footer
    bitmap = layout.bitmap
  }

  func write(_ bytes: Span<UInt8>, at offset: UInt64) throws {
    let block = UInt64(layout.header.blockByteCount)
    var done = 0
    while done < bytes.count {
      let place = offset + UInt64(done)
      let inner = place % block
      let count = Int(min(UInt64(bytes.count - done), block - inner))
      let start = try dataOffset(Int(place / block)) + inner
      try file.write(bytes.extracting(done..<done + count), at: start)
      done += count
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
    try file.file.truncate(to: layout.end)
    let start = layout.start(footer)
    try file.write(start.span, at: 0)
    let bytes = footer.bytes
    try file.write(bytes.span, at: layout.end)
    try file.finish()
  }
}

/// A fixed or raw disk into a pipe: everything in order, zeros written out, the footer last.
final class OrderedTarget: DiskTarget {
  private let pipe: OrderedOutput
  private let size: UInt64
  private let footer: VHDFooter?

  init(_ file: FileDescriptor, size: UInt64, footer: VHDFooter?) {
    pipe = OrderedOutput(file)
    self.size = size
    self.footer = footer
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

  init(
    _ output: FileDescriptor, spool: FileDescriptor, _ layout: VHDDynamicLayout, footer: VHDFooter
  ) {
    self.output = output
    self.spool = spool
    image = DynamicFile(BulkFile(spool, isCached: true), layout, footer: footer)
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
