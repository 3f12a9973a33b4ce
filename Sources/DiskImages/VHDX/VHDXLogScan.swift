internal import Blocks
internal import Bytes

/// One whole entry of a log.
struct VHDXLogEntry: Equatable {
  static let descriptorSize = 32
  static let zeroSignature = Array("zero".utf8)
  static let dataSignature = Array("desc".utf8)
  private static let headSize: UInt64 = 64

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
  var descriptorByteCount: Int {
    (Int(VHDXLogEntry.headSize) + descriptorCount * VHDXLogEntry.descriptorSize + 4095) / 4096
      * 4096
  }

  /// Where in a piece of the entry descriptors begin.
  ///
  /// - Parameters:
  ///   - piece: Whole sectors.
  ///   - start: Where the piece starts in the entry.
  func descriptors(in piece: [UInt8], _ start: UInt64) -> StrideTo<Int> {
    let end = Int(VHDXLogEntry.headSize) + descriptorCount * VHDXLogEntry.descriptorSize
    let first = start < VHDXLogEntry.headSize ? Int(VHDXLogEntry.headSize - start) : 0
    let last = min(piece.count, max(first, end - Int(start)))
    return stride(from: first, to: last, by: VHDXLogEntry.descriptorSize)
  }
}

/// Looks for entries in a log.
struct VHDXLogScan {
  /// Whole sectors are read at once.
  private static let pieceByteCount: UInt64 = 1 << 20

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

  /// Gives the first bytes of an entry piece by piece, so that no entry is in memory as a whole.
  ///
  /// - Parameters:
  ///   - count: How many bytes, in whole sectors.
  ///   - body: Takes a piece and where it starts in the entry; false for no more.
  func forEachPiece(
    of entry: VHDXLogEntry, _ count: UInt64, _ body: ([UInt8], UInt64) throws -> Bool
  ) throws {
    var done: UInt64 = 0
    while done < count {
      let start = (entry.offset + done) % length
      let now = min(VHDXLogScan.pieceByteCount, count - done, length - start)
      guard let piece = try file.bytes(Int(now), at: place(start)) else {
        throw FormatError("VHDX log", at: place(start), .truncated)
      }
      guard try body(piece, done) else { return }
      done += now
    }
  }

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
    guard let head = try file.bytes(Int(VHDXLog.unit), at: place(offset)) else {
      throw FormatError("VHDX log", at: place(offset), .truncated)
    }
    guard let entry = try parse(head, offset) else { return nil }
    guard budget >= entry.byteCount else {
      throw FormatError(
        "VHDX log", at: place(offset), .impossible("its entries lie on top of each other"))
    }
    budget -= entry.byteCount
    guard try isWhole(entry) else {
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

  /// Whether the checksum is right, each descriptor and each sector of data bears the entry's number,
  /// and all are there.
  private func isWhole(_ entry: VHDXLogEntry) throws -> Bool {
    let dataStart = UInt64(entry.descriptorByteCount)
    var running = RunningCRC32(.castagnoli)
    var stored: UInt32 = 0
    var sectorCount: UInt64 = 0
    var isSound = true
    try forEachPiece(of: entry, entry.byteCount) { piece, start in
      let span = piece.span
      if start == 0 {
        stored = span.little32(at: 4)
        running.add(span.extracting(0..<4))
        running.add([0, 0, 0, 0])
        running.add(span.extracting(8..<piece.count))
      } else {
        running.add(span)
      }
      for at in entry.descriptors(in: piece, start) {
        let signature = piece[at..<at + 4]
        if signature.elementsEqual(VHDXLogEntry.dataSignature) {
          sectorCount += 1
        } else if !signature.elementsEqual(VHDXLogEntry.zeroSignature) {
          isSound = false
        }
        if span.little64(at: at + 24) != entry.sequence { isSound = false }
      }
      // All descriptors stand in front of the sectors, so their number is known by then.
      for at in stride(from: 0, to: piece.count, by: Int(VHDXLog.unit))
      where start + UInt64(at) >= dataStart {
        guard (start + UInt64(at) - dataStart) / VHDXLog.unit < sectorCount else { break }
        if !isData(piece, at, of: entry) { isSound = false }
      }
      return isSound
    }
    return isSound && running.value == stored
      && dataStart + sectorCount * VHDXLog.unit <= entry.byteCount
  }

  private func isData(_ piece: [UInt8], _ at: Int, of entry: VHDXLogEntry) -> Bool {
    piece[at..<at + 4].elementsEqual("data".utf8)
      && piece.span.little32(at: at + 4) == UInt32(entry.sequence >> 32)
      && piece.span.little32(at: at + 4092) == UInt32(truncatingIfNeeded: entry.sequence)
  }
}
