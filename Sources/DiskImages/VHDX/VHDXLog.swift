internal import Blocks
internal import Bytes

/// What a VHDX's log holds that has not come to its place in the file yet.
///
/// The log is a ring of entries, each a multiple of 4 KiB: a header, descriptors, a sector of data for
/// each data descriptor. Those of the newest unbroken sequence whose tail lies in it are in force.
/// Only where they put their bytes is kept in memory. [MS-VHDX] 2.3.
struct VHDXLog {
  static let unit: UInt64 = 4096
  /// The specification has no limit; writers make logs of 1 MiB, and an entry is held in memory.
  private static let lengthLimit: UInt64 = 64 << 20
  /// More ranges of zeros than any log of sane writers has.
  private static let zeroLimit = 1 << 14

  /// What a page of 4 KiB becomes: 8 bytes, 4,084 bytes of a sector of the log, 4 bytes.
  struct Page: Sendable {
    let leading: UInt64
    /// Where in the file the sector lies that has the middle.
    let sector: UInt64
    let trailing: UInt32
  }

  /// The changes, each with its number in the order in which they were made.
  private(set) var pages: [UInt64: (order: Int, page: Page)] = [:]
  private(set) var zeros: [(order: Int, range: Range<UInt64>)] = []
  /// The file's length once all is in place.
  private(set) var fileByteCount: UInt64
  /// How many entries are in force.
  let entryCount: Int
  /// Where in the file an entry lies that would be the next one, but is not whole.
  let torn: UInt64?

  /// Reads the log that `header` names; there must be one.
  init(of file: any BlockSource, _ header: VHDXHeader) throws {
    let ring = header.logRange
    func refuse(_ text: String) -> FormatError {
      FormatError("VHDX log", at: ring.lowerBound, .impossible(text))
    }
    guard header.logVersion == 0 else {
      throw FormatError(
        "VHDX log", at: ring.lowerBound, .unsupported("log version \(header.logVersion)"))
    }
    guard !ring.isEmpty, ring.lowerBound >= VHDX.alignment,
      ring.lowerBound % VHDX.alignment == 0, ring.count % Int(VHDX.alignment) == 0
    else { throw refuse("a log of \(ring.count) bytes") }
    guard ring.upperBound <= file.size else {
      throw FormatError("VHDX log", at: ring.lowerBound, .truncated)
    }
    guard ring.upperBound - ring.lowerBound <= VHDXLog.lengthLimit else {
      throw FormatError(
        "VHDX log", at: ring.lowerBound, .unsupported("a log of \(ring.count) bytes"))
    }
    var scan = VHDXLogScan(file, header)
    let active = try scan.activeSequence()
    guard let newest = active.last else {
      throw refuse("it is in use, yet no whole sequence of entries is in it")
    }
    guard file.size >= newest.flushedByteCount else {
      throw FormatError("VHDX log", at: newest.position, .truncated)
    }
    entryCount = active.count
    torn = scan.torn.first { $0.sequence == newest.sequence &+ 1 }?.place
    fileByteCount = max(file.size, newest.lastByteCount)
    guard fileByteCount <= 2 * VHDX.sizeLimit else {
      throw refuse("the file should have \(fileByteCount) bytes")
    }
    var order = 0
    for entry in active {
      try take(entry, scan, &order)
    }
  }

  private mutating func take(
    _ entry: VHDXLogEntry, _ scan: VHDXLogScan, _ order: inout Int
  ) throws {
    let bytes = try scan.bytes(of: entry)
    var sector = entry.descriptorByteCount
    for index in 0..<entry.descriptorCount {
      let start = 64 + index * 32
      order += 1
      var cursor = ByteCursor(
        bytes[start..<start + 32].span, of: "VHDX log descriptor", at: entry.position, .little)
      let signature = try cursor.array(4)
      let trailing = try cursor.u32()
      // Of zeros, this is the length.
      let leading = try cursor.u64()
      let place = try cursor.u64()
      guard place % VHDXLog.unit == 0, place < 2 * VHDX.sizeLimit else {
        throw FormatError(
          "VHDX log", at: entry.position, .impossible("a change of the file at \(place)"))
      }
      if signature == Array("zero".utf8) {
        let length = leading
        guard length % VHDXLog.unit == 0, length <= 2 * VHDX.sizeLimit,
          zeros.count < VHDXLog.zeroLimit
        else {
          throw FormatError(
            "VHDX log", at: entry.position, .impossible("zeros of \(length) bytes at \(place)"))
        }
        zeros.append((order, place..<place + length))
      } else {
        pages[place] = (
          order,
          Page(
            leading: leading, sector: scan.place(entry.offset + UInt64(sector)),
            trailing: trailing)
        )
        sector += Int(VHDXLog.unit)
      }
    }
  }
}

/// One whole entry of a log.
struct VHDXLogEntry: Equatable {
  /// Where it lies in the log, and in the file.
  let offset: UInt64
  let position: UInt64
  let byteCount: UInt64
  /// Where in the log the first entry lies that is needed together with it.
  let tail: UInt64
  let sequence: UInt64
  let descriptorCount: Int
  let flushedByteCount: UInt64
  let lastByteCount: UInt64

  /// Bytes of the header and the descriptors, in whole sectors.
  var descriptorByteCount: Int { (64 + descriptorCount * 32 + 4095) / 4096 * 4096 }
}

/// Looks for entries in a log.
struct VHDXLogScan {
  private let file: any BlockSource
  private let header: VHDXHeader
  private let length: UInt64
  /// Bytes that may still be looked at: a hostile log makes one look at the same ones again and again.
  private var budget: UInt64
  /// Entries that are not whole.
  private(set) var torn: [(place: UInt64, sequence: UInt64)] = []

  init(_ file: any BlockSource, _ header: VHDXHeader) {
    self.file = file
    self.header = header
    length = header.logRange.upperBound - header.logRange.lowerBound
    budget = 8 * length + (64 << 20)
  }

  /// Where an offset in the log, which may have gone round, lies in the file.
  func place(_ offset: UInt64) -> UInt64 { header.logRange.lowerBound + offset % length }

  private func bytes(_ offset: UInt64, _ count: UInt64) throws -> [UInt8] {
    let start = offset % length
    let first = min(count, length - start)
    guard var bytes = try file.bytes(Int(first), at: place(start)) else {
      throw FormatError("VHDX log", at: place(start), .truncated)
    }
    if first < count {
      guard let rest = try file.bytes(Int(count - first), at: place(0)) else {
        throw FormatError("VHDX log", at: place(0), .truncated)
      }
      bytes += rest
    }
    return bytes
  }

  func bytes(of entry: VHDXLogEntry) throws -> [UInt8] { try bytes(entry.offset, entry.byteCount) }

  /// The entries in force, oldest first; none when no sequence is whole.
  mutating func activeSequence() throws -> [VHDXLogEntry] {
    var active: [VHDXLogEntry] = []
    var tail: UInt64 = 0
    while true {
      var candidates: [VHDXLogEntry] = []
      var position = tail
      var covered: UInt64 = 0
      while covered < length, let entry = try entry(at: position),
        candidates.last.map({ entry.sequence == $0.sequence &+ 1 }) ?? true
      {
        candidates.append(entry)
        position = (position + entry.byteCount) % length
        covered += entry.byteCount
      }
      if let last = candidates.last, last.sequence > active.last?.sequence ?? 0,
        let first = candidates.firstIndex(where: { $0.offset == last.tail })
      {
        active = Array(candidates[first...])
      }
      let old = tail
      tail = candidates.isEmpty ? (tail + VHDXLog.unit) % length : position
      if tail <= old { return active }
    }
  }

  /// The entry that begins at `offset` of the log; nil when no whole one does.
  private mutating func entry(at offset: UInt64) throws -> VHDXLogEntry? {
    let head = try bytes(offset, VHDXLog.unit)
    guard let entry = try parse(head, offset) else { return nil }
    guard budget >= entry.byteCount else {
      throw FormatError(
        "VHDX log", at: place(offset), .impossible("its entries lie on top of each other"))
    }
    budget -= entry.byteCount
    let whole = try bytes(of: entry)
    guard VHDXChecksum.checksum(of: whole) == whole.span.little32(at: 4),
      isOfOneSequence(entry, whole)
    else {
      torn.append((entry.position, entry.sequence))
      return nil
    }
    return entry
  }

  private func parse(_ head: [UInt8], _ offset: UInt64) throws(FormatError) -> VHDXLogEntry? {
    var cursor = ByteCursor(head.span, of: "VHDX log entry", at: place(offset), .little)
    guard try cursor.array(4) == Array("loge".utf8) else { return nil }
    try cursor.skip(4)
    let byteCount = UInt64(try cursor.u32())
    let tail = UInt64(try cursor.u32())
    let sequence = try cursor.u64()
    let count = try cursor.u32()
    try cursor.skip(4)
    let guid = try cursor.guid()
    let flushed = try cursor.u64()
    let last = try cursor.u64()
    guard byteCount > 0, byteCount % VHDXLog.unit == 0, byteCount <= length, sequence > 0,
      guid == header.log, 64 + UInt64(count) * 32 <= byteCount
    else { return nil }
    return VHDXLogEntry(
      offset: offset, position: place(offset), byteCount: byteCount, tail: tail,
      sequence: sequence, descriptorCount: Int(count), flushedByteCount: flushed,
      lastByteCount: last)
  }

  /// Whether each descriptor and each sector of data bears the entry's number, and all are there.
  private func isOfOneSequence(_ entry: VHDXLogEntry, _ bytes: [UInt8]) -> Bool {
    var sector = entry.descriptorByteCount
    let span = bytes.span
    for index in 0..<entry.descriptorCount {
      let start = 64 + index * 32
      guard span.little64(at: start + 24) == entry.sequence else { return false }
      switch Array(bytes[start..<start + 4]) {
      case Array("zero".utf8): continue
      case Array("desc".utf8): break
      default: return false
      }
      guard sector + 4096 <= bytes.count, Array(bytes[sector..<sector + 4]) == Array("data".utf8),
        span.little32(at: sector + 4) == UInt32(entry.sequence >> 32),
        span.little32(at: sector + 4092) == UInt32(truncatingIfNeeded: entry.sequence)
      else { return false }
      sector += 4096
    }
    return true
  }
}

/// A file as it is once its log has been replayed; the file itself stays as it was.
final class VHDXReplayed: BlockSource {
  private let file: any BlockSource
  private let log: VHDXLog
  /// The places of the log's pages, ascending.
  private let places: [UInt64]
  var size: UInt64 { log.fileByteCount }
  var sectorSize: UInt32 { file.sectorSize }

  init(_ file: any BlockSource, _ log: VHDXLog) {
    self.file = file
    self.log = log
    places = log.pages.keys.sorted()
  }

  func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    let end = offset + UInt64(bytes.count)
    let there = Int(min(UInt64(bytes.count), file.size - min(offset, file.size)))
    if there > 0 {
      var part = bytes._mutatingExtracting(0..<there)
      try file.read(into: &part, at: offset)
    }
    if there < bytes.count {
      var rest = bytes._mutatingExtracting(there..<bytes.count)
      rest.update(repeating: 0)
    }
    for zero in log.zeros where zero.range.overlaps(offset..<end) {
      let range = zero.range.clamped(to: offset..<end)
      var part = bytes._mutatingExtracting(
        Int(range.lowerBound - offset)..<Int(range.upperBound - offset))
      part.update(repeating: 0)
    }
    var index = first(endingAfter: offset)
    while index < places.count, places[index] < end {
      try lay(places[index], over: &bytes, offset..<end)
      index += 1
    }
  }

  private func first(endingAfter offset: UInt64) -> Int {
    var low = 0
    var high = places.count
    while low < high {
      let middle = (low + high) / 2
      if places[middle] + VHDXLog.unit <= offset { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// Lays a page of the log over what was read, unless zeros came later.
  private func lay(
    _ place: UInt64, over bytes: inout MutableSpan<UInt8>, _ range: Range<UInt64>
  ) throws {
    guard let change = log.pages[place],
      !log.zeros.contains(where: { $0.order > change.order && $0.range.contains(place) })
    else { return }
    guard let sector = try file.bytes(Int(VHDXLog.unit), at: change.page.sector) else {
      throw FormatError("VHDX log", at: change.page.sector, .truncated)
    }
    var content = ByteBuilder(.little, capacity: Int(VHDXLog.unit))
    content.u64(change.page.leading)
    content.raw(Array(sector[8..<4092]))
    content.u32(change.page.trailing)
    let part = (place..<place + VHDXLog.unit).clamped(to: range)
    bytes.copy(
      content.bytes.span.extracting(
        Int(part.lowerBound - place)..<Int(part.upperBound - place)),
      to: Int(part.lowerBound - range.lowerBound))
  }

  func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    offset < size ? offset..<size : nil
  }
}
