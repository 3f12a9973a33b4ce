public import Blocks
internal import Bytes
internal import Codecs
public import DiskImages
internal import Platform

/// A disk in compressed grains: worked on by all processors, written in order.
public final class PackedTarget: DiskTarget {
  private let output: any ImageOutputFile
  private var layout: any PackedLayout
  private let workers: Workers<PackJob>
  private let recycle: Recycling
  private var idle: [Buffer] = []
  private var hasStarted = false
  /// The first grain that was not written yet.
  private var nextGrain: UInt64 = 0
  /// How many bytes of the disk were given.
  private(set) var dataByteCount: UInt64 = 0

  /// - Parameters:
  ///   - output: Where the image goes; one that takes bytes in order only, if the layout is such.
  ///   - layout: Of the disk, with no grain in it.
  ///   - recycle: Takes back segments.
  public init(
    _ output: any ImageOutputFile, _ layout: any PackedLayout, recycle: @escaping Recycling
  ) {
    self.output = output
    self.layout = layout
    self.recycle = recycle
    let packing = layout.packing
    let packers = Pool { Packer(packing) }
    let count = workerCount()
    workers = Workers(count: count, window: count + 2) { job in
      try packers.with { try $0.pack(job) }
    }
  }

  public func write(_ segment: Segment, _ pieces: [SegmentWriter.Piece]) throws {
    if pieces.isEmpty { return recycle(segment) }
    dataByteCount += pieces.reduce(0) { $0 + UInt64($1.bytes.count) }
    while !workers.hasRoom { try take() }
    let grain = layout.grainByteCount
    precondition(Segment.byteCount % grain == 0)
    let count = Segment.byteCount / grain * PackedTarget.bound(grain)
    workers.give(PackJob(segment, pieces, grain, idle.popLast() ?? Buffer(count: count)))
  }

  static func bound(_ count: Int) -> Int {
    max(Deflater.bound(count), ZstdCompressor.bound(count))
  }

  private func take() throws {
    guard let job = try workers.take() else { return }
    try start()
    let segment = job.segment
    let first = segment.offset / UInt64(layout.grainByteCount)
    for grain in job.grains {
      let number = first + UInt64(grain.number)
      // A grain that is written twice would lose what it held at first.
      precondition(number >= nextGrain)
      nextGrain = number + 1
      let place = try layout.place(
        number, grain.bytes.count, isPacked: grain.isPacked,
        { [output] in try output.write($0.span, at: $1) })
      let buffer = grain.isPacked ? job.packed : segment.buffer
      try output.write(buffer.span(grain.bytes), at: place)
    }
    idle.append(job.packed)
    recycle(segment)
  }

  private func start() throws {
    guard !hasStarted else { return }
    hasStarted = true
    try layout.start { [output] in try output.write($0.span, at: $1) }
  }

  public func finish() throws {
    while !workers.isEmpty { try take() }
    try start()
    try layout.finish { [output] in try output.write($0.span, at: $1) }
    try output.finish(byteCount: layout.byteCount)
  }

  public func close() { workers.close() }
}

/// A segment whose grains are to be compressed.
final class PackJob: @unchecked Sendable {
  /// A grain that is not all zeros.
  struct Grain {
    /// Which one of the segment.
    let number: Int
    /// Where its bytes are: in `packed`, or in the segment's buffer.
    let bytes: Range<Int>
    let isPacked: Bool
  }

  let segment: Segment
  let pieces: [SegmentWriter.Piece]
  let grainByteCount: Int
  let packed: Buffer
  var grains: [Grain] = []

  init(
    _ segment: Segment, _ pieces: [SegmentWriter.Piece], _ grainByteCount: Int, _ packed: Buffer
  ) {
    self.segment = segment
    self.pieces = pieces
    self.grainByteCount = grainByteCount
    self.packed = packed
  }
}

/// Compresses grains; one object a thread.
private final class Packer {
  /// The level of deflate that takes no longer than the rest of the way.
  private static let deflateLevel = 3
  private static let zstdLevel = 3

  private let packing: GrainPacking
  private lazy var deflater = Deflater(level: Packer.deflateLevel)
  private lazy var compressor = ZstdCompressor(level: Packer.zstdLevel)

  init(_ packing: GrainPacking) { self.packing = packing }

  func pack(_ job: PackJob) throws {
    let buffer = job.segment.buffer
    let size = job.grainByteCount
    var position = 0
    var touched: [Int] = []
    for piece in job.pieces {
      let range = piece.bytes
      buffer.clear(position..<range.lowerBound)
      position = range.upperBound
      for number in range.lowerBound / size...(range.upperBound - 1) / size
      where touched.last != number { touched.append(number) }
    }
    buffer.clear(position..<min((position + size - 1) / size * size, buffer.count))
    var end = 0
    for number in touched {
      let range = number * size..<(number + 1) * size
      let plain = buffer.span(range)
      if Zeros.isZero(plain) { continue }
      if let count = try compress(plain, job.packed, at: end) {
        job.grains.append(.init(number: number, bytes: end..<end + count, isPacked: true))
        end += count
      } else {
        job.grains.append(.init(number: number, bytes: range, isPacked: false))
      }
    }
  }

  /// - Returns: How many bytes were written to `packed`; nil where the grain stays as it is.
  private func compress(_ plain: Span<UInt8>, _ packed: Buffer, at start: Int) throws -> Int? {
    switch packing {
    case .zlib:
      var target = packed.mutableSpan(start..<start + PackedTarget.bound(plain.count))
      return deflater.compress(plain, .zlib, into: &target)
    case .deflate:
      var target = packed.mutableSpan(start..<start + plain.count - 1)
      return deflater.compress(plain, .none, into: &target)
    case .zstd:
      var target = packed.mutableSpan(start..<start + plain.count - 1)
      return try compressor.compress(plain, into: &target)
    }
  }
}
