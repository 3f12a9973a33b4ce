internal import Blocks
internal import Bytes

/// Brings back what a VHDX holds twice, what its checksums prove, and what its log holds.
enum VHDXRepair {
  private static let headerName = "VHDX header"
  private static let tableName = "VHDX region table"

  /// Adds the steps that help.
  ///
  /// - Parameter identifier: A new identifier of writes to the file.
  static func run(_ repair: inout Repair, identifier: GUID) throws {
    guard try VHDXCheck.recognizes(repair.source) else { return }
    if try !VHDXImage.recognizes(repair.source) {
      repair.add(RepairStep("VHDX file", at: 0, VHDX.signature, "its signature is there again"))
    }
    try mendHeaders(&repair)
    try replayLog(&repair, identifier)
    // What a log that cannot be replayed would change must not be judged without it.
    guard let header = try header(repair.source), header.log == .zero else { return }
    try mendTables(&repair)
    try VHDXContentRepair.run(&repair, log: header.logRange)
  }

  /// The header in force; nil where there is none.
  private static func header(_ source: any BlockSource) throws -> VHDXHeader? {
    do {
      return try VHDXImage.header(of: source)
    } catch is FormatError {
      return nil
    }
  }

  /// The header at `place`; nil where it is not whole.
  private static func header(_ source: any BlockSource, at place: UInt64) throws -> VHDXHeader? {
    do {
      return try VHDXHeaderCheck.header(of: source, at: place)
    } catch is FormatError {
      return nil
    }
  }

  // MARK: Headers

  private static func mendHeaders(_ repair: inout Repair) throws {
    let source = repair.source
    let headers = try VHDX.headerOffsets.map { try header(source, at: $0) }
    for (index, place) in VHDX.headerOffsets.enumerated() where headers[index] == nil {
      guard let bytes = try source.bytes(VHDXHeader.byteCount, at: place) else { continue }
      let other = headers[1 - index]
      if let mended = mended(bytes, other) {
        repair.add(RepairStep(headerName, at: place, mended, "as it was: its checksum proves it"))
      } else if let other, isSane(bytes, other) {
        repair.add(
          RepairStep(
            headerName, at: place, VHDXChecksum.sealed(bytes),
            "its checksum fits its fields, which are all possible"))
      } else if let other, other.sequence > 0 {
        // One older than the other, which stays the one in force.
        let copy = VHDXRepair.bytes(of: other, sequence: other.sequence - 1)
        repair.add(
          RepairStep(
            headerName, at: place, copy,
            "written from the other one, whose number \(other.sequence) stays the higher one"))
      }
    }
  }

  /// A header as it was; nil where nothing proves it.
  private static func mended(_ bytes: [UInt8], _ other: VHDXHeader?) -> [UInt8]? {
    var candidates: [(place: Int, bytes: [UInt8])] = [
      (0, Array("head".utf8)), (64, [0, 0]), (66, [1, 0]),
      (80, [UInt8](repeating: 0, count: VHDXHeader.byteCount - 80)),
    ]
    if let other {
      for sequence in [other.sequence &+ 1, other.sequence &- 1] {
        let copy = VHDXRepair.bytes(of: other, sequence: sequence)
        // When its checksum is that of the next or the last header, it was that one.
        if copy[0..<8] == bytes[0..<8] { return copy }
        candidates.append((8, Array(copy[8..<16])))
        // A checksum that was damaged itself: everything else is right.
        if copy[8...] == bytes[8...], copy[0..<4] == bytes[0..<4] { return copy }
      }
      for field in [16..<32, 32..<48, 48..<64, 68..<72, 72..<80] {
        candidates.append((field.lowerBound, Array(other.bytes[field])))
      }
    }
    let mended = VHDXMending.withOneField(bytes, candidates) ?? VHDXMending.withOneByte(bytes)
    return mended.flatMap { $0.starts(with: Array("head".utf8)) ? $0 : nil }
  }

  /// Whether nothing but the checksum of a header can be wrong, going by the other one.
  private static func isSane(_ bytes: [UInt8], _ other: VHDXHeader) -> Bool {
    let sequence = bytes.span.little64(at: 8)
    let log = Array(bytes[48..<64])
    return bytes.starts(with: Array("head".utf8))
      && (sequence == other.sequence &+ 1 || sequence == other.sequence &- 1)
      && bytes[16..<32].contains { $0 != 0 } && bytes[32..<48].contains { $0 != 0 }
      && (log == GUID.zero.bytes || log == other.log.bytes) && bytes[64...] == other.bytes[64...]
  }

  /// A header's bytes with some fields changed, and a checksum that fits.
  static func bytes(
    of header: VHDXHeader, sequence: UInt64, log: GUID? = nil, fileWrite: GUID? = nil,
    dataWrite: GUID? = nil
  ) -> [UInt8] {
    var builder = ByteBuilder(.little, capacity: VHDXHeader.byteCount)
    builder.raw(Array(header.bytes[0..<8]))
    builder.u64(sequence)
    builder.raw((fileWrite ?? header.fileWrite).bytes)
    builder.raw((dataWrite ?? header.dataWrite).bytes)
    builder.raw((log ?? header.log).bytes)
    builder.raw(Array(header.bytes[64...]))
    return VHDXChecksum.sealed(builder.bytes)
  }

  // MARK: Log

  /// Adds what brings a log's changes to their places.
  ///
  /// The log stays in force until all of them are on the medium: an interrupted replay is made again.
  private static func replayLog(_ repair: inout Repair, _ identifier: GUID) throws {
    let source = repair.source
    guard let header = try header(source), header.log != .zero, header.version == 1,
      header.sequence < .max - 3
    else { return }
    let log: VHDXLog
    do {
      log = try VHDXLog(of: source, header)
    } catch is FormatError {
      return
    }
    let current = try VHDX.headerOffsets.first {
      try VHDXRepair.header(source, at: $0) == header
    }
    guard let current, let other = VHDX.headerOffsets.first(where: { $0 != current }) else {
      return
    }
    func rewrite(_ place: UInt64, _ distance: UInt64, log: GUID?, _ text: String) {
      let bytes = bytes(
        of: header, sequence: header.sequence + distance, log: log, fileWrite: identifier)
      repair.add(RepairStep(headerName, at: place, bytes, text))
    }
    rewrite(other, 1, log: nil, "says that the file is written to")
    repair.add(try replay(log, of: source, at: header.logRange.lowerBound))
    rewrite(current, 2, log: .zero, "says that the log is not in use any more")
    rewrite(other, 3, log: .zero, "says so, too")
  }

  private static func replay(
    _ log: VHDXLog, of source: any BlockSource, at place: UInt64
  ) throws -> RepairStep {
    let entries = log.entryCount == 1 ? "1 entry" : "\(log.entryCount) entries"
    var step = RepairStep(
      "VHDX log", at: place, "the changes of \(entries) are in their places")
    let result = VHDXReplayed(source, log)
    // Zeros that came later than a page are laid over it when it is read.
    step.zeros = log.zeros.map(\.range)
    step.leastByteCount = log.fileByteCount
    for page in log.pages.keys.sorted() {
      guard page + VHDXLog.unit <= result.size,
        let bytes = try result.bytes(Int(VHDXLog.unit), at: page)
      else {
        throw FormatError("VHDX log", at: place, .impossible("a change beyond the file's end"))
      }
      step.writes.append(RepairStep.Write(offset: page, bytes: bytes))
    }
    return step
  }

  // MARK: Region tables

  private static func mendTables(_ repair: inout Repair) throws {
    let source = repair.source
    var whole: [(place: UInt64, bytes: [UInt8])] = []
    var broken: [(place: UInt64, bytes: [UInt8])] = []
    for place in VHDX.tableOffsets {
      guard let bytes = try source.bytes(VHDXRegionTable.byteCount, at: place) else { continue }
      do {
        _ = try VHDXRegionTable.entries(of: bytes, at: place)
        whole.append((place, bytes))
      } catch {
        broken.append((place, bytes))
      }
    }
    if whole.isEmpty {
      for (place, bytes) in broken {
        guard
          let mended = VHDXMending.withOneField(bytes, [(0, Array("regi".utf8))])
            ?? VHDXMending.withOneByte(bytes), mended.starts(with: Array("regi".utf8))
        else { continue }
        repair.add(RepairStep(tableName, at: place, mended, "as it was: its checksum proves it"))
        whole.append((place, mended))
        broken.removeAll { $0.place == place }
      }
    }
    guard let good = whole.first else { return }
    for (place, _) in broken {
      repair.add(RepairStep(tableName, at: place, good.bytes, "written from the other one"))
    }
    if whole.count == 2, whole[1].bytes != good.bytes {
      try choose(&repair, whole[0], whole[1])
    }
  }

  /// Makes two whole tables that differ the same: as the first one is, unless only the other can be.
  private static func choose(
    _ repair: inout Repair, _ first: (place: UInt64, bytes: [UInt8]),
    _ second: (place: UInt64, bytes: [UInt8])
  ) throws {
    let asFirst = RepairStep(tableName, at: second.place, first.bytes, "written from the first one")
    let asSecond = RepairStep(
      tableName, at: first.place, second.bytes, "written from the second one")
    func problems(_ step: RepairStep) throws -> Int {
      try VHDXCheck.findings(in: RepairedSource(repair.source, step))
        .filter { $0.severity.isProblem }.count
    }
    repair.add(try problems(asSecond) < problems(asFirst) ? asSecond : asFirst)
  }
}
