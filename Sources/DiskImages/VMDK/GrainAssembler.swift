public import Blocks
internal import Bytes
internal import Codecs
internal import Platform

/// A piece of a disk that was streamed.
public enum VMDKStreamPiece {
  /// Whole segments that read as zero, or all up to the disk's end.
  case zeros(Range<UInt64>)
  case segment(PackedSegment)
}

/// A segment whose grains are still compressed.
public final class PackedSegment: Sendable {
  /// Where in the disk it starts, in bytes.
  public let offset: UInt64
  /// How many bytes of the disk it covers.
  public let count: Int
  private let header: VMDKHeader
  private let grains: [StreamedGrain]
  private let inflaters: Pool<Inflater>

  init(
    at offset: UInt64, count: Int, _ grains: [StreamedGrain], _ header: VMDKHeader,
    _ inflaters: Pool<Inflater>
  ) {
    self.offset = offset
    self.count = count
    self.grains = grains
    self.header = header
    self.inflaters = inflaters
  }

  /// Decompresses into `segment`, which stands for the same place; what is zero becomes a hole.
  ///
  /// - Throws: `FormatError` for a grain that is damaged.
  public func load(_ segment: Segment) throws {
    let buffer = segment.buffer
    var done = 0
    for grain in grains {
      let start = Int(grain.index * header.grainByteCount - offset)
      if done < start { segment.append(done..<start, .hole(.zero)) }
      // The disk may end inside its last grain, never behind a segment's buffer.
      let needed = min(Int(header.grainByteCount), count - start)
      var target = buffer.mutableSpan(start..<start + Int(header.grainByteCount))
      do {
        let got = try inflaters.with { try $0.decompress(grain.bytes.span, .zlib, into: &target) }
        guard got >= needed else {
          throw CodecError(description: "deflate: only \(got) bytes come out")
        }
      } catch let error as CodecError {
        throw FormatError(
          "VMDK grain", at: grain.sector * VMDKHeader.sector, .impossible("\(error)"))
      }
      Zeros.forEachRun(buffer.span(start..<start + needed)) { run, isZero in
        segment.append(
          start + run.lowerBound..<start + run.upperBound, isZero ? .hole(.zero) : .data)
      }
      done = start + needed
    }
    if done < count { segment.append(done..<count, .hole(.zero)) }
  }
}

/// Puts grains that come in order together to pieces of the disk.
struct GrainAssembler {
  private let header: VMDKHeader
  private let size: UInt64
  private let inflaters = Pool { Inflater() }
  private var pieces: [VMDKStreamPiece] = []
  private var taken = 0
  /// How far the disk is covered; a segment's start, but at the end.
  private var position: UInt64 = 0
  private var grains: [StreamedGrain] = []

  init(_ header: VMDKHeader, size: UInt64) {
    self.header = header
    self.size = size
  }

  /// Whether no piece can be taken.
  var isEmpty: Bool { taken == pieces.count }
  /// Whether anything was added.
  private(set) var hasBegun = false

  mutating func take() -> VMDKStreamPiece? {
    guard taken < pieces.count else {
      pieces.removeAll(keepingCapacity: true)
      taken = 0
      return nil
    }
    taken += 1
    return pieces[taken - 1]
  }

  /// The segment that a grain lies in.
  private func segment(of grain: StreamedGrain) -> UInt64 {
    let step = UInt64(Segment.byteCount)
    return grain.index * header.grainByteCount / step * step
  }

  /// Adds a grain that lies behind all earlier ones.
  ///
  /// - Throws: When it lies behind the disk's end: a header's capacity may be rounded up.
  mutating func add(_ grain: StreamedGrain) throws(FormatError) {
    guard grain.index * header.grainByteCount < size else {
      throw FormatError(
        "VMDK grain", at: grain.sector * VMDKHeader.sector,
        .impossible("grain \(grain.index) lies behind the disk's end"))
    }
    if let first = grains.first, segment(of: first) != segment(of: grain) { close() }
    grains.append(grain)
    hasBegun = true
  }

  /// No more grains come.
  mutating func finish() {
    close()
    if position < size { pieces.append(.zeros(position..<size)) }
    position = size
  }

  private mutating func close() {
    guard let first = grains.first else { return }
    let start = segment(of: first)
    if position < start { pieces.append(.zeros(position..<start)) }
    let count = min(UInt64(Segment.byteCount), size - start)
    pieces.append(
      .segment(PackedSegment(at: start, count: Int(count), grains, header, inflaters)))
    position = start + count
    grains = []
  }
}
