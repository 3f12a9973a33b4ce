/// Where a block of a disk lies in its image.
enum BlockPlace: Equatable, Sendable {
  /// Nowhere: the block reads as zero.
  case zero
  /// Not in this image: in the parent, and without one the block reads as zero.
  case parent
  /// As it is, from this byte of the file on.
  case stored(UInt64)
  /// Compressed together with others, in these bytes of the file; from this byte of what comes out.
  case packed(Range<UInt64>, at: Int)
  /// Some of it from this byte of the file on, as if all of it lay there, the rest in the parent.
  case mixed(UInt64)
}

/// What an image's tables say of the blocks of its disk.
///
/// Tables are read when they are asked for, as those of a large disk do not fit into memory.
protocol BlockMap: Sendable {
  /// Bytes of a block of the disk.
  var blockByteCount: UInt64 { get }
  /// The disk's size in bytes.
  var size: UInt64 { get }

  /// Where a block lies.
  ///
  /// - Throws: `FormatError` at the table's entry for a place that cannot be.
  func place(of block: UInt64) throws -> BlockPlace

  /// The block after those that a table would tell of which is not there; nil where it is there.
  ///
  /// Blocks without a table are the parent's.
  func endOfMissingTable(at block: UInt64) throws -> UInt64?

  /// Decompresses what place(of:) said of `block`.
  func unpack(_ block: UInt64, _ range: Range<UInt64>) throws -> [UInt8]

  /// Of a mixed block: whether its byte `inner` is in this image, and where that changes.
  func run(of block: UInt64, from inner: UInt64) throws -> (isHere: Bool, end: UInt64)
}

extension BlockMap {
  var blockCount: UInt64 { size / blockByteCount + (size % blockByteCount == 0 ? 0 : 1) }

  /// How many of a block's bytes belong to the disk: fewer than all in the last one.
  func byteCount(of block: UInt64) -> UInt64 { min(blockByteCount, size - block * blockByteCount) }

  func endOfMissingTable(at block: UInt64) throws -> UInt64? { nil }

  func unpack(_ block: UInt64, _ range: Range<UInt64>) throws -> [UInt8] {
    preconditionFailure("a format without compression")
  }

  func run(of block: UInt64, from inner: UInt64) throws -> (isHere: Bool, end: UInt64) {
    preconditionFailure("a format without mixed blocks")
  }
}
