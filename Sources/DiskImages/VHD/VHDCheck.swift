public import Blocks
internal import Bytes

/// Looks for everything that can be wrong with a VHD, and goes on after the first trouble.
public struct VHDCheck {
  /// The most findings of one kind; a table of garbage would give millions.
  static let findingLimit = 100
  /// The structures that findings are about.
  public static let structures = [
    "VHD file", "VHD footer", "VHD footer's copy", "VHD dynamic header", "VHD parent's path",
    "VHD block table", "VHD sector bitmap", "VHD chain",
  ]

  private let source: any BlockSource
  private let now: Int64
  private let place: UInt64
  private var findings: [Finding] = []

  /// Checks the VHD in `source`.
  ///
  /// - Parameters:
  ///   - source: The file.
  ///   - now: Seconds since 1970.
  /// - Returns: What was found, notes included, in no particular order.
  /// - Throws: `FormatError` when it is no VHD at all, `SourceError` when it cannot be read.
  public static func findings(in source: any BlockSource, now: Int64) throws -> [Finding] {
    guard try VHDImage.recognizes(source) else {
      throw FormatError("VHD footer", at: VHDImage.footerOffset(source), .badMagic)
    }
    var check = VHDCheck(source: source, now: now)
    try check.run()
    return check.findings
  }

  private init(source: any BlockSource, now: Int64) {
    self.source = source
    self.now = now
    place = VHDImage.footerOffset(source)
  }

  private mutating func run() throws {
    guard let footer = try checkFooters() else { return }
    switch footer.kind {
    case .fixed:
      if footer.size != place {
        findings.append(Finding(.refusal, VHDImage.wrongLength(footer, place)))
      } else if let left = try VHDResize.leftFooter(in: source, footer) {
        findings.append(
          Finding(
            .problem, "VHD footer", at: left,
            "an interrupted change of size left its old footer in the disk"))
      }
    case .dynamic, .differencing: try checkDynamic(footer)
    case nil: break
    }
  }

  /// Checks the footer and its copy.
  ///
  /// - Returns: The one to go on with, if either is sound enough.
  private mutating func checkFooters() throws -> VHDFooter? {
    var tail: VHDFooter?
    do {
      tail = try VHDImage.footer(of: source)
    } catch let error as FormatError {
      findings.append(Finding(.refusal, error))
    }
    if let tail { findings += tail.findings(at: place, now: now) }
    if source.size % 512 == 511 {
      findings.append(
        Finding(
          .problem, "VHD footer", at: place, "the last byte is missing, as in early Virtual PC's"))
    } else if source.size % 512 != 0 {
      findings.append(
        Finding(.note, "VHD file", at: source.size, "the length is no multiple of 512"))
    }
    if let tail, tail.headerOffset == .max, tail.kind == .fixed || tail.kind == nil {
      return sound(tail) ? tail : nil
    }
    let copy = try checkCopy(of: tail)
    if let tail, sound(tail) { return tail }
    if let copy, sound(copy) { return copy }
    return nil
  }

  private func sound(_ footer: VHDFooter) -> Bool {
    !footer.findings(at: 0).contains { $0.severity == .refusal }
  }

  /// Checks the copy that opens a dynamic disk.
  private mutating func checkCopy(of tail: VHDFooter?) throws -> VHDFooter? {
    let name = "VHD footer's copy"
    guard place >= UInt64(VHDFooter.byteCount), let bytes = try source.bytes(512, at: 0) else {
      findings.append(Finding(.problem, name, at: 0, "missing"))
      return nil
    }
    let copy: VHDFooter
    do {
      copy = try VHDFooter(parsing: bytes.span, at: 0)
    } catch let error {
      findings.append(Finding(.problem, FormatError(name, at: error.offset, error.reason)))
      return nil
    }
    guard copy != tail else { return copy }
    findings += copy.findings(at: 0, structure: name, now: now)
    if let tail {
      let other = tail.bytes
      let difference = bytes.indices.first { bytes[$0] != other[$0] } ?? 0
      findings.append(
        Finding(.problem, name, at: UInt64(difference), "differs from the footer at the end"))
    }
    return copy
  }

  private mutating func checkDynamic(_ footer: VHDFooter) throws {
    let header: VHDDynamicHeader
    do {
      header = try VHDImage.header(of: source, footer)
    } catch let error as FormatError {
      findings.append(Finding(.refusal, error))
      return
    }
    let trouble = header.findings(at: footer.headerOffset, footer: footer, fileByteCount: place)
    findings += trouble
    guard !trouble.contains(where: { $0.severity == .refusal }) else { return }
    if footer.kind == .differencing {
      findings += try VHDParentCheck.findings(source, header, at: footer.headerOffset)
    }
    let regions = VHDImage.regions(footer, header)
    findings += VHDImage.overlaps(regions, end: place)
    let table = try VHDBlockTable(of: source, header, size: footer.size, end: place)
    let misplaced = table.findings(regions, limit: VHDCheck.findingLimit)
    findings += misplaced
    if misplaced.count == VHDCheck.findingLimit {
      findings.append(
        Finding(.note, "VHD block table", at: header.tableOffset, "more of these are not listed"))
    }
    findings += try table.unclaimed(
      in: source, regions, footer, limit: VHDCheck.findingLimit)
    try checkPadding(header, used: table.entries.count)
    guard misplaced.isEmpty, footer.kind == .dynamic else { return }
    try checkBitmaps(footer, table)
  }

  /// Checks the entries beyond the disk's last block, and what fills the table's last sector.
  private mutating func checkPadding(_ header: VHDDynamicHeader, used: Int) throws {
    var start = header.tableOffset + UInt64(used) * 4
    let entriesEnd = header.tableOffset + UInt64(header.entryCount) * 4
    while start < entriesEnd {
      let count = min(entriesEnd - start, 1 << 20)
      let bytes = try source.bytes(Int(count), at: start) ?? []
      if let index = bytes.firstIndex(where: { $0 != 0xff }) {
        findings.append(
          Finding(
            .problem, "VHD block table", at: start + UInt64(index) / 4 * 4,
            "an entry beyond the disk's end is used"))
        return
      }
      start += count
    }
    let end = header.tableOffset + header.tableByteCount
    let rest = try source.bytes(Int(end - start), at: start) ?? []
    // Disk2vhd fills up with zeros, the others with ones.
    if let first = rest.first, rest.contains(where: { $0 != first }) || first != 0 && first != 0xff
    {
      findings.append(
        Finding(.problem, "VHD block table", at: start, "what follows the last entry is no padding")
      )
    }
  }

  /// Looks for sectors that hold data although their block's bitmap says that they are not there:
  /// readers differ in what they see of them.
  private mutating func checkBitmaps(_ footer: VHDFooter, _ table: VHDBlockTable) throws {
    let header = table.header
    let limit = findings.count + VHDCheck.findingLimit
    let sectorCount = Int(header.blockByteCount) / 512
    for block in table.entries.indices {
      guard let start = table.dataOffset(block), findings.count < limit else { continue }
      let place = start - header.bitmapByteCount
      let bitmap = try source.bytes(Int(header.bitmapByteCount), at: place) ?? []
      guard bitmap.prefix((sectorCount + 7) / 8).contains(where: { $0 != 0xff }),
        let sector = try absentSector(bitmap, from: start, count: sectorCount)
      else { continue }
      findings.append(
        Finding(
          .problem, "VHD sector bitmap", at: place + UInt64(sector / 8),
          "sector \(sector) of block \(block) holds data but is marked as absent"))
    }
  }

  /// The first sector of a block that is marked as absent and is not zero.
  private func absentSector(_ bitmap: [UInt8], from start: UInt64, count: Int) throws -> Int? {
    let step = 2048
    for first in stride(from: 0, to: count, by: step) {
      let sectors = first..<min(first + step, count)
      func isAbsent(_ sector: Int) -> Bool {
        bitmap[sector / 8] & (0x80 >> UInt8(sector % 8)) == 0
      }
      guard sectors.contains(where: isAbsent) else { continue }
      let bytes = try source.bytes(sectors.count * 512, at: start + UInt64(first) * 512) ?? []
      for sector in sectors where isAbsent(sector) {
        let place = (sector - first) * 512
        if !Zeros.isZero(bytes.span.extracting(place..<place + 512)) { return sector }
      }
    }
    return nil
  }
}
