public import Blocks
internal import Bytes
public import Platform

/// One disk that is open for reading, and the plan of what of it is read.
public final class SourceVolume: Sendable {
  public let header: VolumeHeader
  /// The disk's content.
  public let disk: any BlockSource
  /// The format's name.
  public let format: String
  /// What the guest put on the disk, when that was looked at.
  public let guest: GuestDisk?

  /// What the user should know of how the format was found.
  let warning: String?
  let file: any NamedSource
  private let companions: [InputFile]
  let options: ReadOptions
  let skipped: TypedExtents
  let missing = MissingRanges()

  /// The path that it was opened by, and the part of that file.
  public let path: String
  var name: String { header.name }
  var size: UInt64 { disk.size }
  /// Whether it comes from a server, which is slow to answer but can answer much at once.
  var isServed: Bool { file is ServedDisk }
  /// Whether places in the file are places in the disk.
  let isRaw: Bool

  /// - Parameters:
  ///   - opened: The disk.
  ///   - number: The volume's number in its stream.
  ///   - name: Its name.
  ///   - options: How it is read.
  ///   - guest: What its guest put on it, when that was looked at.
  init(
    _ opened: OpenedDisk, number: UInt32, name: String, _ options: ReadOptions,
    _ guest: GuestDisk? = nil
  ) {
    file = opened.file
    companions = opened.companions
    disk = opened.disk
    format = opened.format
    path = opened.path
    isRaw = opened.format == "raw" && !opened.isPart
    warning = opened.warning
    self.options = options
    self.guest = guest
    skipped = guest?.skipped ?? TypedExtents()
    var header = VolumeHeader(number: number, size: opened.disk.size)
    header.name = name
    header.sectorSize = opened.disk.sectorSize
    header.format = opened.format
    header["source"] = opened.path
    header["snapshot"] = options.snapshot
    header["skip"] = (["zero"] + (guest?.kinds ?? []).map(\.name)).joined(separator: ",")
    if let base = options.baseline, base.covers(name, size: header.size) {
      header.base = base.point
    }
    self.header = header
  }

  /// Whether `status` is that of a file that the volume is read from.
  public func isFile(_ status: FileStatus) -> Bool {
    ([file] + companions).contains { $0.isFile(status) }
  }

  /// The paths of files that were written to since they were opened, as far as their times tell.
  public func changedFiles() throws -> [String] {
    try ([file] + companions).filter { try $0.hasChanged() }.map(\.path)
  }

  /// All that is left out on purpose, in whole sectors.
  public var leftOut: ExtentSet { ExtentSet(skipped.extents.map(\.range)) }

  /// The same by kind.
  public var leftOutByKind: [HoleKind: ExtentSet] {
    Dictionary(grouping: skipped.extents, by: \.kind).mapValues { ExtentSet($0.map(\.range)) }
  }

  /// Calls `body` for each extent of `range`, in order: a hole, or nil for what must be read.
  ///
  /// - Parameters:
  ///   - range: Starts on a grain and ends on one or at the disk's end.
  ///   - body: Takes the extent and its kind.
  /// - Throws: `SourceError`, and what `body` throws.
  func forEachExtent(
    in range: Range<UInt64>, _ body: (Range<UInt64>, HoleKind?) throws -> Void
  ) throws {
    var position = range.lowerBound
    var index = skipped.index(endingAfter: position)
    while position < range.upperBound {
      let skip = index < skipped.extents.count ? skipped.extents[index] : nil
      let start = min(skip?.range.lowerBound ?? range.upperBound, range.upperBound)
      if position < start { try forEachAllocated(in: position..<start, body) }
      guard let skip, start < range.upperBound else { return }
      let end = min(skip.range.upperBound, range.upperBound)
      try body(max(start, position)..<end, skip.kind)
      position = end
      index += 1
    }
  }

  private func forEachAllocated(
    in range: Range<UInt64>, _ body: (Range<UInt64>, HoleKind?) throws -> Void
  ) throws {
    let grain = UInt64(Zeros.grain)
    var position = range.lowerBound
    while position < range.upperBound {
      let data = try nextData(at: position) ?? size..<size
      let start = min(max(data.lowerBound / grain * grain, position), range.upperBound)
      if position < start { try body(position..<start, .zero) }
      let end = min((data.upperBound + grain - 1) / grain * grain, range.upperBound)
      if start < end { try body(start..<end, nil) }
      position = max(start, end)
    }
  }

  /// The next extent that may hold data; where holes cannot be told, everything does.
  func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    do {
      return try disk.nextData(at: offset)
    } catch let error as SourceError where options.salvage {
      switch error.reason {
      case .ended where isRaw: missing.end(at: error.range.lowerBound)
      case .lost: missing.end(at: offset)
      case .ended, .unreadable, .damaged: break
      }
      return offset..<size
    }
  }

  /// Calls `body` with each extent and the kind of hole that reading would find there, told from
  /// the allocation alone: what is allocated and not left out is data, nil.
  public func forEachAllocation(
    _ body: (Range<UInt64>, HoleKind?) -> Void
  ) throws(ReadingError) {
    try naming(source: path) { try forEachExtent(in: 0..<size, body) }
  }
}
