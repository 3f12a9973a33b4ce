internal import Blocks
internal import Bytes

/// The content of a compressed attribute.
///
/// It is cut into units, usually of 16 clusters. A unit without clusters is zero, one with all of
/// them is stored as it is, and any other holds LZNT1 in its first ones.
final class NTFSCompressed: BlockSource {
  /// The largest unit; Windows makes them of 64 KiB at most.
  static let unitSizeLimit: UInt64 = 1 << 20

  private let mapped: NTFSMapped
  private let volume: any BlockSource
  private let unitSize: UInt64
  private let owner = PageCache.unpacked.newOwner()
  var size: UInt64 { mapped.size }
  var sectorSize: UInt32 { volume.sectorSize }

  /// - Throws: `GuestDoubt` for another compression.
  init(_ mapped: NTFSMapped, of volume: any BlockSource) throws {
    let method = mapped.flags & NTFSAttribute.methodMask
    guard method == 1 else { throw GuestDoubt("it is compressed by an unknown method \(method)") }
    guard mapped.unitShift >= 1, mapped.unitShift <= 16,
      mapped.clusterSize << UInt64(mapped.unitShift) <= NTFSCompressed.unitSizeLimit
    else { throw GuestDoubt("it is compressed in units of 2^\(mapped.unitShift) clusters") }
    self.mapped = mapped
    self.volume = volume
    unitSize = mapped.clusterSize << UInt64(mapped.unitShift)
  }

  func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    var done = 0
    while done < bytes.count {
      let position = offset + UInt64(done)
      let number = position / unitSize
      let first = Int(position - number * unitSize)
      let count = min(bytes.count - done, Int(unitSize) - first)
      var part = bytes._mutatingExtracting(done..<done + count)
      done += count
      guard position < mapped.initialized, let stored = try storedCount(of: number) else {
        part.update(repeating: 0)
        continue
      }
      if stored == unitSize {
        try mapped.read(into: &part, at: position, of: volume)
        continue
      }
      let page = try PageCache.unpacked.page(number, of: owner) {
        try unit(number, storedCount: Int(stored))
      }
      part.copy(page.span.extracting(first..<first + count), to: 0)
    }
  }

  /// How many bytes of a unit are stored; nil for none.
  private func storedCount(of number: UInt64) throws(FormatError) -> UInt64? {
    let clusters = unitSize / mapped.clusterSize
    let first = number * clusters
    let runs = mapped.runs.runs
    let start = mapped.runs.index(of: first)
    guard start < runs.count, runs[start].virtual < first + clusters else { return nil }
    let count = mapped.runs.unbrokenCount(from: first, upTo: clusters)
    let next = mapped.runs.index(of: first + count)
    guard count > 0,
      count == clusters || next >= runs.count || runs[next].virtual >= first + clusters
    else {
      throw FormatError(
        "NTFS compression unit", at: runs[start].cluster * mapped.clusterSize,
        .impossible("gaps between its clusters"))
    }
    return count * mapped.clusterSize
  }

  private func unit(_ number: UInt64, storedCount: Int) throws -> [UInt8] {
    let start = number * unitSize
    var stored = [UInt8](repeating: 0, count: storedCount)
    var span = stored.mutableSpan
    try mapped.readStored(into: &span, at: start, of: volume)
    let place = mapped.piece(at: start).place ?? 0
    var content = try LZNT1.decompressed(stored.span, count: Int(unitSize), at: place)
    let written = Int(min(unitSize, mapped.initialized - min(mapped.initialized, start)))
    for index in written..<content.count { content[index] = 0 }
    return content
  }

  func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    let end = min(size, mapped.initialized)
    guard offset < end else { return nil }
    let clusters = unitSize / mapped.clusterSize
    let number = offset / unitSize
    let index = mapped.runs.index(of: number * clusters)
    guard index < mapped.runs.runs.count else { return nil }
    let run = mapped.runs.runs[index]
    // Runs cannot end beyond 2^63 bytes, and a unit is far smaller.
    let start = max(offset, run.virtual / clusters * unitSize)
    let last = (run.end + clusters - 1) / clusters * unitSize
    return start < end ? start..<min(end, last) : nil
  }
}
