internal import Blocks
internal import DiskImages

/// A disk that flows, as a volume of a feed.
final class StreamedVolume {
  let header: VolumeHeader
  private let disk: StreamedDisk
  private let baseline: (any Baseline)?

  /// - Parameters:
  ///   - disk: The disk.
  ///   - number: The volume's number in its stream.
  ///   - options: How it is read.
  init(_ disk: StreamedDisk, number: UInt32, _ options: ReadOptions) {
    self.disk = disk
    var header = VolumeHeader(number: number, size: disk.vmdk.size)
    header.name = disk.name
    header.format = VMDKImage.name
    header["source"] = disk.path
    header["skip"] = HoleKind.zero.name
    baseline = options.baseline.flatMap { $0.covers(disk.name, size: disk.vmdk.size) ? $0 : nil }
    if let baseline { header.base = baseline.point }
    self.header = header
  }

  /// The next piece; nil at the end.
  func next(_ pool: SegmentPool) throws -> FeedItem? {
    switch try naming(source: disk.path, { try disk.vmdk.next() }) {
    case nil: return nil
    case .zeros(let range):
      return .span(HoleSpan(volume: header.number, range: range, kind: .zero))
    case .segment(let packed):
      let segment = pool.take()
      segment.reset(volume: header.number, offset: packed.offset, count: packed.count)
      segment.loader = { [path = disk.path, name = disk.name, baseline] segment in
        try naming(source: path) { try packed.load(segment) }
        if let baseline, baseline.isUnchanged(segment, ofVolume: name) {
          segment.runs = [Segment.Run(0..<segment.count, .hole(.unchanged))]
        }
      }
      return .segment(segment)
    }
  }
}
