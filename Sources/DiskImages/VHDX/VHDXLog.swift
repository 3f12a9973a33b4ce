internal import Blocks
internal import Bytes

/// What a VHDX's log holds that has not come to its place in the file yet.
///
/// The log is a ring of entries, each a multiple of 4 KiB: a header, descriptors, a sector of data for
/// each data descriptor. Those of the newest unbroken sequence whose tail lies in it are in force.
/// Only where they put their bytes is kept in memory. [MS-VHDX] 2.3.
struct VHDXLog {
  static let unit: UInt64 = 4096
  /// The specification has no limit; writers make logs of 1 MiB.
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
    var sector = UInt64(entry.descriptorByteCount)
    try scan.forEachPiece(of: entry, sector) { piece, start in
      for at in entry.descriptors(in: piece, start) {
        order += 1
        let descriptor = Array(piece[at..<at + VHDXLogEntry.descriptorSize])
        if let page = try take(descriptor, entry, order) {
          pages[page.place] = (
            order,
            Page(
              leading: page.leading, sector: scan.place(entry.offset + sector),
              trailing: page.trailing)
          )
          sector += VHDXLog.unit
        }
      }
      return true
    }
  }

  /// Takes a descriptor: zeros at once; of a page, what it says is given back.
  private mutating func take(
    _ bytes: [UInt8], _ entry: VHDXLogEntry, _ order: Int
  ) throws(FormatError) -> (place: UInt64, leading: UInt64, trailing: UInt32)? {
    var cursor = ByteCursor(
      bytes.span, of: "VHDX log descriptor", at: entry.position, .little)
    let signature = try cursor.array(4)
    let trailing = try cursor.u32()
    // Of zeros, this is the length.
    let leading = try cursor.u64()
    let place = try cursor.u64()
    guard place % VHDXLog.unit == 0, place < 2 * VHDX.sizeLimit else {
      throw FormatError(
        "VHDX log", at: entry.position, .impossible("a change of the file at \(place)"))
    }
    guard signature == VHDXLogEntry.zeroSignature else { return (place, leading, trailing) }
    let length = leading
    guard length % VHDXLog.unit == 0, length <= 2 * VHDX.sizeLimit,
      zeros.count < VHDXLog.zeroLimit
    else {
      throw FormatError(
        "VHDX log", at: entry.position, .impossible("zeros of \(length) bytes at \(place)"))
    }
    zeros.append((order, place..<place + length))
    return nil
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
    try file.readPadded(into: &bytes, at: offset)
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
