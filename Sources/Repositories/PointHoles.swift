public import Blocks
internal import Bytes

/// What the volumes of a point hold, range by range, without reading their data.
public struct PointHoles {
  private let point: RecoveryPoint
  private let context: RestoreContext

  public init(_ repository: Repository, _ stored: Repository.StoredPoint) throws {
    point = stored.point
    context = RestoreContext(try repository.openIndex(), PackFiles(repository.store))
  }

  /// Calls `body` for each range of a volume, in order, until all are told: a kind of hole, or nil
  /// for data; neighbours differ.
  ///
  /// - Throws: `RepositoryError` for a damaged map, and what `body` throws.
  public func forEachRange(
    ofVolume number: Int, _ body: (Range<UInt64>, HoleKind?) throws -> Void
  ) throws {
    let volume = point.volumes[number]
    guard volume.size > 0 else { return }
    guard let target = volume.target else {
      throw RepositoryError.damaged("volume \(volume.name): its map has no root")
    }
    var last: (range: Range<UInt64>, kind: HoleKind?)?
    func tell(_ count: UInt64, _ kind: HoleKind?) throws {
      let start = last?.range.upperBound ?? 0
      if let known = last, known.kind == kind {
        last = (known.range.lowerBound..<start + count, kind)
      } else {
        if let known = last { try body(known.range, known.kind) }
        last = (start..<start + count, kind)
      }
    }
    let step = UInt64(Segment.byteCount)
    let map = MapReader(context.makeReader(), root: target, size: volume.size)
    try map.forEachPart { part in
      switch part.target {
      case .hole(let kind):
        let end = min((part.first + part.count) * step, volume.size)
        try tell(end - part.first * step, kind)
      case .node(let id, _):
        let count = MapShape.segmentBytes(part.first, of: volume.size)
        for run in try context.withReader({ try $0.leaf(id, count: count) }).runs {
          switch run.content {
          case .chunk: try tell(UInt64(run.count), nil)
          case .hole(let kind): try tell(UInt64(run.count), kind)
          }
        }
      }
    }
    if let last { try body(last.range, last.kind) }
  }

  /// The guest's files of which the content was left out of a volume, as the point's attachments
  /// name them: ranges of the volume in ascending order.
  public func skippedFiles(ofVolume number: Int) throws -> SkippedFileIndex {
    let name = "\(point.volumes[number].name).skipped"
    var text: [UInt8] = []
    for stored in point.attachments where stored.name == name || stored.name.hasPrefix(name + ".") {
      text += try RestoreFeed.load(stored, context).bytes
    }
    return SkippedFileIndex(parsing: text)
  }
}

/// Which file a range of a volume belonged to; docs/stream-format.md describes the list.
public struct SkippedFileIndex {
  /// A range of the volume and the path of the file that it belonged to.
  public struct Entry: Sendable {
    public let range: Range<UInt64>
    public let path: String
  }

  /// In the order of their ranges.
  public private(set) var entries: [Entry] = []

  /// Lines that are not as they should be are passed over: the list is for people.
  init(parsing text: [UInt8]) {
    for line in text.split(separator: UInt8(ascii: "\n")) {
      let words = line.split(separator: UInt8(ascii: " "), maxSplits: 3)
      guard words.count == 4, let start = UInt64(String(decoding: words[1], as: UTF8.self)),
        let count = UInt64(String(decoding: words[2], as: UTF8.self)), count > 0,
        start <= VolumeHeader.sizeLimit, count <= VolumeHeader.sizeLimit
      else { continue }
      entries.append(
        Entry(range: start..<start + count, path: String(decoding: words[3], as: UTF8.self)))
    }
    entries.sort { $0.range.lowerBound < $1.range.lowerBound }
  }

  /// Splits a range where the file changes: each part with the path of its file, nil for none.
  public func parts(of range: Range<UInt64>) -> [(Range<UInt64>, String?)] {
    var low = 0
    var high = entries.count
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].range.upperBound <= range.lowerBound {
        low = middle + 1
      } else {
        high = middle
      }
    }
    var result: [(Range<UInt64>, String?)] = []
    var position = range.lowerBound
    while low < entries.count, entries[low].range.lowerBound < range.upperBound {
      let entry = entries[low]
      let start = max(entry.range.lowerBound, position)
      let end = min(entry.range.upperBound, range.upperBound)
      if start < end {
        if position < start { result.append((position..<start, nil)) }
        result.append((start..<end, entry.path))
        position = end
      }
      low += 1
    }
    if position < range.upperBound { result.append((position..<range.upperBound, nil)) }
    return result
  }
}
