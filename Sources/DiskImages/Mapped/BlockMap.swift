internal import Blocks
internal import Bytes

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

  /// Whether bytes of the file are the block's as they are.
  var isStored: Bool {
    switch self {
    case .stored, .mixed: true
    case .zero, .parent, .packed: false
    }
  }
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

/// Counts what the tables say is stored, as far as they were looked at in order.
///
/// Blocks that share their place in the file make a small file tell of more bytes than anybody can
/// read. A qcow2 may hold a cluster for several blocks, so a file may be told of more than once.
struct StoredBlocks: Sendable {
  /// How often all bytes of a file may be used.
  private static let sharingLimit: UInt64 = 64

  private let blockByteCount: UInt64
  private let fileByteCount: UInt64
  /// The first block that was not looked at yet.
  private(set) var reached: UInt64 = 0
  private var count: UInt64 = 0

  init(of map: some BlockMap, in file: any BlockSource) {
    blockByteCount = map.blockByteCount
    fileByteCount = file.size
  }

  /// Takes note of blocks.
  ///
  /// - Parameters:
  ///   - blocks: Those that were looked at.
  ///   - more: How many of them are stored and were not counted before.
  /// - Throws: `FormatError` when the file cannot hold that much.
  mutating func note(_ blocks: Range<UInt64>, _ more: UInt64) throws(FormatError) {
    guard blocks.upperBound > reached else { return }
    reached = blocks.upperBound
    count += more
    // A last block may be cut off, so one more is let be.
    let (most, overflow) = fileByteCount.multipliedReportingOverflow(
      by: StoredBlocks.sharingLimit)
    guard overflow || count <= most / blockByteCount + 1 else {
      throw FormatError(
        "block tables", at: 0,
        .impossible(
          "\(count) blocks of \(blockByteCount) bytes in a file of \(fileByteCount): they share "
            + "their places"))
    }
  }
}
