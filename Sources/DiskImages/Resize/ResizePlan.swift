public import Blocks
internal import Bytes
internal import Platform

/// What has to be done to a file so that the disk in it gets another size.
public struct ResizePlan: Sendable {
  /// In the order in which they must be made; none when the size is that one already.
  public let steps: [RepairStep]
  /// The disk's size before, in bytes.
  public let oldSize: UInt64
  /// What the user should know.
  public let notes: [String]

  /// Plans a change of size; nothing is written.
  ///
  /// - Parameters:
  ///   - source: The file.
  ///   - format: What it is.
  ///   - size: The wanted size in bytes.
  ///   - cutsData: Whether data behind a smaller disk's end may be cut off.
  ///   - now: Seconds since 1970.
  /// - Throws: `FormatError` for an image that is not sound, or a size that it cannot have.
  public init(
    _ source: any BlockSource, _ format: CheckedFormat, to size: UInt64, cutsData: Bool, now: Int64
  ) throws {
    if let problem = try ResizePlan.problem(source, format, now) { throw problem }
    let description = try DiskFormats.named(format.rawValue)?.describe(source)
    oldSize = description?.size ?? 0
    guard description?.type != "differencing" else {
      throw FormatError("image", at: 0, .unsupported("another size of a differencing disk"))
    }
    let unit = UInt64(description?.sectorSize ?? 512)
    guard size > 0, size % unit == 0 else {
      throw FormatError("image", at: 0, .unsupported("a size that is no multiple of \(unit)"))
    }
    guard size != oldSize else {
      steps = []
      notes = []
      return
    }
    var repair = Repair(source)
    let change = SizeChange(from: oldSize, to: size)
    switch format {
    case .vhd:
      if !cutsData { try change.requireZeros(in: VHDImage(opening: source)) }
      try VHDResize.run(&repair, change)
    case .vhdx:
      if !cutsData { try change.requireZeros(in: VHDXImage(opening: source)) }
      try VHDXResize.run(&repair, change, try Random.bytes(32))
    }
    if let problem = try ResizePlan.problem(repair.source, format, now) {
      throw FormatError(
        "image", at: 0, .unsupported("another size: the result would not be sound (\(problem))"))
    }
    steps = repair.steps
    notes = try ResizePlan.notes(repair.source, format)
  }

  private static func problem(
    _ source: any BlockSource, _ format: CheckedFormat, _ now: Int64
  ) throws -> FormatError? {
    try format.findings(in: source, now: now).first { $0.severity.isProblem }?.error
  }

  private static func notes(
    _ source: any BlockSource, _ format: CheckedFormat
  ) throws -> [String] {
    guard let disk = try DiskFormats.named(format.rawValue)?.init(opening: source) else {
      return []
    }
    let startCount = min(disk.size, PartitionTableEnd.startByteCount)
    let lastCount = min(disk.size, 4096)
    guard let start = try disk.bytes(Int(startCount), at: 0),
      let last = try disk.bytes(Int(lastCount), at: disk.size - lastCount),
      PartitionTableEnd.isInPlace(start.span, last: last.span, size: disk.size) == false
    else { return [] }
    return [
      "the backup of the disk's GPT is not at its new end: sgdisk -e, or the guest, moves it there"
    ]
  }
}

/// A disk's size before and after.
struct SizeChange: Sendable {
  let old: UInt64
  let new: UInt64

  init(from old: UInt64, to new: UInt64) {
    self.old = old
    self.new = new
  }

  /// Refuses to cut off anything but zeros.
  func requireZeros(in disk: some DiskFormat) throws {
    var position = new
    while position < old, let data = try disk.nextData(at: position) {
      position = max(position, data.lowerBound)
      let end = min(data.upperBound, position + (1 << 20), old)
      guard position < end, let bytes = try disk.bytes(Int(end - position), at: position) else {
        return
      }
      if let index = bytes.firstIndex(where: { $0 != 0 }), !isLeft(bytes, position, disk) {
        throw FormatError(
          "disk", at: position + UInt64(index),
          .impossible("holds data behind the wanted end of \(new) bytes"))
      }
      position = end
    }
  }

  /// Whether all that is there is the footer that an interrupted change of size left.
  ///
  /// A guest's own disk may hold a VHD, so it must be this very image's, of the size that is wanted.
  private func isLeft(_ bytes: [UInt8], _ position: UInt64, _ disk: some DiskFormat) -> Bool {
    guard position == new, let image = disk as? VHDImage, image.header == nil,
      bytes.count >= VHDFooter.byteCount,
      Zeros.isZero(bytes.span.extracting(VHDFooter.byteCount..<bytes.count))
    else { return false }
    let place = Array(bytes.prefix(VHDFooter.byteCount))
    do {
      let footer = try VHDFooter(parsing: place.span, at: position)
      return footer.identifier == image.footer.identifier && footer.size == new
        && footer.checksum == footer.computedChecksum
    } catch {
      return false
    }
  }
}
