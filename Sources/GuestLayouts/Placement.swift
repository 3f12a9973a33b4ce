internal import Blocks
internal import Bytes

/// Where the bytes of an area lie on the disks of a machine: one after the other as in a partition,
/// or in pieces as in a logical volume.
public struct Placement: Equatable, Sendable {
  /// A byte of a disk.
  public struct Place: Equatable, Sendable {
    /// The disk's index among those of the machine.
    public var disk: Int
    public var offset: UInt64

    public init(disk: Int, offset: UInt64) {
      self.disk = disk
      self.offset = offset
    }
  }

  /// A run of the area over one or several stripes, taken in turns.
  private struct Piece: Equatable, Sendable {
    var range: Range<UInt64>
    var stripes: [Place]
    var stripeByteCount: UInt64
  }

  private var pieces: [Piece] = []

  init() {}

  /// A run of one disk.
  public init(disk: Int, range: Range<UInt64>) {
    append(
      range.upperBound - range.lowerBound, [Place(disk: disk, offset: range.lowerBound)],
      stripeByteCount: range.upperBound - range.lowerBound)
  }

  /// The disks that it lies on, in order.
  public var disks: [Int] { Set(pieces.flatMap { $0.stripes.map(\.disk) }).sorted() }

  /// The ranges of a disk that it has anything on, in the area's order; where pieces are striped,
  /// each stripe as a whole.
  public func ranges(onDisk disk: Int) -> [Range<UInt64>] {
    pieces.flatMap { piece in
      let count = (piece.range.upperBound - piece.range.lowerBound) / UInt64(piece.stripes.count)
      return piece.stripes.filter { $0.disk == disk }.map { $0.offset..<$0.offset + count }
    }
  }

  /// How many bytes the area has.
  public var byteCount: UInt64 { pieces.last?.range.upperBound ?? 0 }

  /// Adds a piece at the end.
  ///
  /// - Parameters:
  ///   - byteCount: How long it is: a multiple of all stripes together.
  ///   - stripes: Where each stripe starts.
  ///   - stripeByteCount: How many bytes of a stripe come before those of the next one.
  mutating func append(_ byteCount: UInt64, _ stripes: [Place], stripeByteCount: UInt64) {
    guard byteCount > 0, stripeByteCount > 0, !stripes.isEmpty else { return }
    let start = self.byteCount
    pieces.append(
      Piece(
        range: start..<start + byteCount, stripes: stripes,
        stripeByteCount: stripes.count == 1 ? byteCount : stripeByteCount))
  }

  /// Where a byte of the area lies, and how many from it on lie behind each other.
  ///
  /// - Parameter offset: Less than `byteCount`.
  func run(at offset: UInt64) -> (place: Place, byteCount: UInt64) {
    var low = 0
    var high = pieces.count - 1
    while low < high {
      let middle = (low + high) / 2
      if pieces[middle].range.upperBound <= offset { low = middle + 1 } else { high = middle }
    }
    let piece = pieces[low]
    let inside = offset - piece.range.lowerBound
    let width = piece.stripeByteCount
    let turn = inside / width
    var place = piece.stripes[Int(turn % UInt64(piece.stripes.count))]
    place.offset += turn / UInt64(piece.stripes.count) * width + inside % width
    return (place, min(width - inside % width, piece.range.upperBound - offset))
  }

  /// Calls `body` with each range of a disk that a range of the area covers, in the area's order.
  public func forEachPlace(
    of range: Range<UInt64>, _ body: (_ disk: Int, Range<UInt64>) throws -> Void
  ) rethrows {
    var position = range.lowerBound
    while position < range.upperBound {
      let (place, count) = run(at: position)
      let length = min(count, range.upperBound - position)
      try body(place.disk, place.offset..<place.offset + length)
      position += length
    }
  }
}

/// The bytes of an area that lies on disks in pieces.
final class PlacedSource: BlockSource {
  private let disks: [any BlockSource]
  private let placement: Placement
  let sectorSize: UInt32
  var size: UInt64 { placement.byteCount }

  /// - Parameters:
  ///   - disks: Those that `placement` counts.
  ///   - placement: Lies inside them.
  init(_ disks: [any BlockSource], _ placement: Placement) {
    self.disks = disks
    self.placement = placement
    sectorSize = disks.map(\.sectorSize).max() ?? 512
  }

  func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    var done = 0
    while done < bytes.count {
      let (place, count) = placement.run(at: offset + UInt64(done))
      let length = Int(min(count, UInt64(bytes.count - done)))
      var target = bytes._mutatingExtracting(done..<done + length)
      try disks[place.disk].read(into: &target, at: place.offset)
      done += length
    }
  }

  func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    var position = offset
    while position < size {
      let (place, count) = placement.run(at: position)
      if let data = try disks[place.disk].nextData(at: place.offset),
        data.lowerBound < place.offset + count
      {
        let start = max(data.lowerBound, place.offset) - place.offset
        return position + start..<position + min(data.upperBound - place.offset, count)
      }
      position += count
    }
    return nil
  }
}
