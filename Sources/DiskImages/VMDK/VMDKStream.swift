public import Blocks
internal import Bytes

/// A streamOptimized VMDK that arrives once, in order, as from a pipe.
///
///     header | descriptor | ... | { grain marker, grain } | GT marker, table | GD marker, directory
///                               | footer marker, header | end-of-stream marker
///
///     marker, at the start of a sector:
///     offset size  field
///          0    8  value: the grain's first sector in the disk, or how many sectors follow
///          8    4  bytes of compressed data, which begin at byte 12; 0 for other markers
///         12    4  kind of other markers: 0 end of stream, 1 grain table, 2 directory, 3 footer
///
/// VMware Virtual Disk Format 5.0, "Stream-Optimized Compressed Sparse Extents".
///
/// What has no grain reads as zero, so nothing is given out before a table says that no more grains
/// come for it: either the tables stand in front of all grains, or each one follows its grains. Up
/// to `pendingByteLimit` bytes of grains wait for their table; where they become more, or where tables
/// in front tell that the grains are not in order, the stream has to be saved and read as a file:
/// then `prime` returns false, and `save` writes what has come so far.
public final class VMDKStream {
  /// The most bytes of grains that wait for their table.
  static let pendingByteLimit = 48 << 20
  /// The most bytes in front of the first grain: room for the tables of 400 GiB, twice.
  static let frontByteLimit = 56 << 20

  private let input: MarkerReader
  private let header: VMDKHeader
  private let front: [UInt8]
  private var order: any GrainOrder
  private var parts: GrainAssembler
  private var ended = false
  /// The disk's size in bytes.
  public let size: UInt64

  /// Reads what stands in front of the grains.
  ///
  /// - Parameter stream: At its first byte.
  /// - Returns: Nil when it is a VMDK of another kind, which has to be saved first; `head` has then
  ///   taken what was read.
  public init?(_ stream: any ByteStream, head: inout [UInt8]) throws {
    head += try stream.bytes(512)
    let header = try VMDKHeader(of: MemorySource(head), at: 0)
    guard header.isStream else { return nil }
    let frontCount = header.overhead * VMDKHeader.sector
    guard frontCount <= UInt64(VMDKStream.frontByteLimit),
      header.descriptor.upperBound <= frontCount,
      !header.descriptor.isEmpty
    else { return nil }
    head += try stream.bytes(Int(frontCount) - head.count)
    guard head.count == Int(frontCount) else {
      throw FormatError("VMDK", at: UInt64(head.count), .truncated)
    }
    let descriptor = try VMDKDescriptor(
      parsing: Array(head[Int(header.descriptor.lowerBound)..<Int(header.descriptor.upperBound)]),
      at: header.descriptor.lowerBound)
    guard descriptor.parentIdentifier == nil, descriptor.extents.count == 1,
      descriptor.extents[0].kind == "SPARSE"
    else { return nil }
    let sectors = descriptor.extents[0].sectors
    guard sectors <= header.capacity, header.capacity - sectors < header.grainSectors else {
      throw FormatError(
        "VMDK descriptor", at: header.descriptor.lowerBound,
        .impossible("\(sectors) sectors, but \(header.capacity) in the header"))
    }
    size = sectors * VMDKHeader.sector
    self.header = header
    front = head
    if header.directory == VMDKHeader.inFooter {
      order = TrailingTables(header)
    } else {
      guard let tables = try LeadingTables(front, header, size: size) else { return nil }
      order = tables
    }
    parts = GrainAssembler(header, size: size)
    input = MarkerReader(stream, at: frontCount, header)
  }

  /// Reads until the first piece is known.
  ///
  /// - Returns: False when the stream has to be saved and read as a file.
  public func prime() throws -> Bool {
    while parts.isEmpty, !ended {
      if try !step() { return false }
    }
    return true
  }

  /// The next piece of the disk, in order, without gaps; nil at the end of disk and stream.
  public func next() throws -> VMDKStreamPiece? {
    while true {
      if let part = parts.take() { return part }
      if ended { return nil }
      _ = try step()
    }
  }

  /// Writes what has come so far as it would lie in a file; the rest of the stream follows it.
  ///
  /// - Parameter write: Takes bytes and their place.
  /// - Returns: Where the rest goes.
  public func save(_ write: (Span<UInt8>, UInt64) throws -> Void) throws -> UInt64 {
    let front = front
    try write(front.span, 0)
    try order.save(write)
    return input.position
  }

  /// Takes what the next marker says.
  ///
  /// - Returns: False when too much waits for its table, and nothing was given out yet.
  private func step() throws -> Bool {
    switch try input.next(order.mayEndHere) {
    case .grain(let grain): try order.add(grain, &parts)
    case .table(let bytes, let sector): try order.confirm(bytes, at: sector)
    case .directory(let count, let sector):
      try order.check(entries: count, at: sector) { try input.word() }
    case .footer(let bytes, let offset):
      try order.check(footer: try VMDKHeader(of: MemorySource(bytes), at: 0), at: offset)
    case .end:
      try order.finish(&parts)
      parts.finish()
      ended = true
    }
    if ended { return true }
    if try order.release(&parts) { return true }
    guard !parts.hasBegun else {
      throw FormatError(
        "VMDK", at: input.position,
        .unsupported("on a pipe, a stream whose grains are out of order after they began in order"))
    }
    return false
  }
}

/// A grain as it came.
struct StreamedGrain: Sendable {
  /// Its number in the disk.
  let index: UInt64
  /// Where its marker lies in the stream, in sectors.
  let sector: UInt64
  /// Compressed.
  let bytes: [UInt8]
}

/// What tells where grains belong, and when all of them have come.
protocol GrainOrder {
  /// Whether the stream may end without a marker that says so.
  var mayEndHere: Bool { get }
  /// Takes a grain.
  mutating func add(_ grain: StreamedGrain, _ parts: inout GrainAssembler) throws
  /// Takes a grain table.
  mutating func confirm(_ table: [UInt8], at sector: UInt64) throws
  /// Compares a grain directory with what came.
  mutating func check(entries: UInt64, at sector: UInt64, _ next: () throws -> UInt32) throws
  /// Compares a footer with what came.
  mutating func check(footer: VMDKHeader, at offset: UInt64) throws
  /// Gives on what need not wait any longer; false when more than may wait is left.
  mutating func release(_ parts: inout GrainAssembler) throws -> Bool
  /// Gives on the rest, at the end of the stream.
  mutating func finish(_ parts: inout GrainAssembler) throws
  /// Writes what waits to where it lay in the stream.
  func save(_ write: (Span<UInt8>, UInt64) throws -> Void) throws
}
