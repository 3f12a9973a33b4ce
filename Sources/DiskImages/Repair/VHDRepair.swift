internal import Blocks
internal import Bytes

/// Brings back what a VHD holds twice, or what its other fields prove.
enum VHDRepair {
  private static let copyName = "VHD footer's copy"

  /// Adds the steps that help.
  ///
  /// - Parameter now: Seconds since 1970.
  static func run(_ repair: inout Repair, now: Int64) throws {
    try mendFooters(&repair, now)
    guard let footer = try soundFooter(repair.source) else { return }
    guard footer.kind != .fixed else {
      if let left = try VHDResize.leftFooter(in: repair.source, footer) {
        repair.add(VHDResize.clearedFooter(at: left))
      }
      return
    }
    try mendHeader(&repair, footer)
    try placeFooter(&repair)
    try mendPadding(&repair)
  }

  /// A footer's 512 bytes; the last one of 511 is zero.
  private static func bytes(_ source: any BlockSource, at place: UInt64) throws -> [UInt8]? {
    guard place <= source.size else { return nil }
    let count = min(source.size - place, UInt64(VHDFooter.byteCount))
    guard count >= 511, let bytes = try source.bytes(Int(count), at: place) else { return nil }
    return bytes.count == 511 ? bytes + [0] : bytes
  }

  private static func sound(_ bytes: [UInt8]?, _ place: UInt64) -> VHDFooter? {
    guard let bytes else { return nil }
    do {
      let footer = try VHDFooter(parsing: bytes.span, at: place)
      return footer.findings(at: place).contains { $0.severity == .refusal } ? nil : footer
    } catch {
      return nil
    }
  }

  /// The footer, or its copy, whichever can be gone by.
  private static func soundFooter(_ source: any BlockSource) throws -> VHDFooter? {
    let place = VHDImage.footerOffset(source)
    if let footer = sound(try bytes(source, at: place), place) { return footer }
    guard let copy = sound(try bytes(source, at: 0), 0), copy.kind != .fixed else { return nil }
    return copy
  }

  /// Mends the footer and its copy by themselves, and the copy from the footer.
  private static func mendFooters(_ repair: inout Repair, _ now: Int64) throws {
    let place = VHDImage.footerOffset(repair.source)
    let tail = try bytes(repair.source, at: place)
    let head = try bytes(repair.source, at: 0)
    let copy = sound(head, 0).flatMap { $0.kind == .fixed ? nil : $0 }
    if let tail, sound(tail, place) == nil, copy == nil,
      let mended = VHDFooter.mended(tail, place: place, other: head),
      sound(mended.bytes, place) != nil
    {
      repair.add(
        RepairStep("VHD footer", at: place, mended.bytes, mended.text))
    } else if tail == nil || sound(tail, place) == nil, copy == nil {
      try mendCut(&repair)
    }
    let end = VHDImage.footerOffset(repair.source)
    guard let footer = sound(try bytes(repair.source, at: end), end), footer.kind != .fixed,
      end >= UInt64(VHDFooter.byteCount)
    else { return }
    if copy == nil {
      repair.add(RepairStep(copyName, at: 0, footer.bytes, "written from the footer"))
    } else if let copy, copy != footer {
      try choose(&repair, footer, copy, end, now)
    }
    if repair.source.size % 512 == 511 {
      repair.add(RepairStep("VHD footer", at: end, footer.bytes, "its last byte is there again"))
    }
  }

  /// Makes two sound footers that differ the same: the one that less can be said against.
  ///
  /// Readers go by the one at the end. Where a disk can be read by it and the copy tells of another one, nothing says
  /// which of them is right, and what can be read must not change: both stay as they are.
  private static func choose(
    _ repair: inout Repair, _ footer: VHDFooter, _ copy: VHDFooter, _ place: UInt64, _ now: Int64
  ) throws {
    func problems(_ footer: VHDFooter) -> Int {
      footer.findings(at: 0, now: now).filter { $0.severity.isProblem }.count
    }
    if problems(copy) < problems(footer) {
      let isSame =
        copy.kind == footer.kind && copy.size == footer.size
        && copy.headerOffset == footer.headerOffset
      guard try isSame || endOfBlocks(repair.source, footer) == nil else { return }
      repair.add(RepairStep("VHD footer", at: place, copy.bytes, "written from its copy"))
    } else {
      repair.add(RepairStep(copyName, at: 0, footer.bytes, "written from the footer"))
    }
  }

  /// Completes a footer of which only the end, which is always zero, was cut off.
  private static func mendCut(_ repair: inout Repair) throws {
    let place = repair.source.size / 512 * 512
    let count = Int(repair.source.size - place)
    guard count >= 85, let part = try repair.source.bytes(count, at: place) else { return }
    let whole = part + [UInt8](repeating: 0, count: VHDFooter.byteCount - count)
    guard let footer = sound(whole, place), footer.kind != .fixed || footer.size == place else {
      return
    }
    repair.add(RepairStep("VHD footer", at: place, whole, "its end is there again"))
  }

  private static func mendHeader(_ repair: inout Repair, _ footer: VHDFooter) throws {
    let place = footer.headerOffset
    let end = VHDImage.footerOffset(repair.source)
    guard let bytes = try repair.source.bytes(VHDDynamicHeader.byteCount, at: place) else { return }
    do {
      let header = try VHDDynamicHeader(parsing: bytes.span, at: place)
      if header.checksum == header.computedChecksum { return }
    } catch {
      // Its signature may be what was damaged.
    }
    guard let mended = VHDDynamicHeader.mended(bytes, footer, fileByteCount: end) else { return }
    repair.add(
      RepairStep("VHD dynamic header", at: place, mended.bytes, mended.text))
  }

  /// Writes the footer from its copy, where it was or where it must have been.
  private static func placeFooter(_ repair: inout Repair) throws {
    let source = repair.source
    let last = VHDImage.footerOffset(source)
    let lastBytes = try bytes(source, at: last)
    guard sound(lastBytes, last) == nil, let copy = sound(try bytes(source, at: 0), 0) else {
      return
    }
    // Nothing may be written over a block.
    guard let end = try endOfBlocks(source, copy) else { return }
    var place = (source.size + 511) / 512 * 512
    let rest = source.size / 512 * 512
    if let part = try source.bytes(Int(source.size - rest), at: rest), !part.isEmpty,
      copy.bytes.starts(with: part)
    {
      place = rest
    } else if let lastBytes, last >= end, isLike(lastBytes, copy.bytes) {
      place = last
    }
    guard place >= end else { return }
    repair.add(RepairStep("VHD footer", at: place, copy.bytes, "written from its copy"))
  }

  /// Whether bytes are most likely a footer that was damaged: most of what is not zero in it is there.
  private static func isLike(_ bytes: [UInt8], _ footer: [UInt8]) -> Bool {
    let places = footer.indices.filter { footer[$0] != 0 }
    let kept = places.filter { bytes[$0] == footer[$0] }.count
    return bytes.contains { $0 != 0 } && kept * 2 > places.count
  }

  /// Where the last block or structure ends; nil where the header or a block cannot be.
  private static func endOfBlocks(
    _ source: any BlockSource, _ footer: VHDFooter
  ) throws -> UInt64? {
    let header: VHDDynamicHeader
    do {
      header = try VHDImage.header(of: source, footer)
    } catch is FormatError {
      return nil
    }
    let findings = header.findings(
      at: footer.headerOffset, footer: footer, fileByteCount: source.size)
    guard !findings.contains(where: { $0.severity == .refusal }) else { return nil }
    let table = try VHDBlockTable(of: source, header, size: footer.size, end: source.size)
    let regions = VHDImage.regions(footer, header)
    guard table.findings(regions, limit: 1).isEmpty else { return nil }
    let last = table.sorted().last.map { UInt64($0) * 512 + header.blockSpan } ?? 0
    return max(last, regions.map(\.range.upperBound).max() ?? 0)
  }

  /// Fills what follows the table's last entry up to a whole sector, as it was.
  private static func mendPadding(_ repair: inout Repair) throws {
    let source = repair.source
    guard let footer = try soundFooter(source) else { return }
    let header: VHDDynamicHeader
    do {
      header = try VHDImage.header(of: source, footer)
    } catch is FormatError {
      return
    }
    guard header.checksum == header.computedChecksum, header.tableOffset <= source.size else {
      return
    }
    let start = header.tableOffset + UInt64(header.entryCount) * 4
    let end = header.tableOffset + header.tableByteCount
    guard end <= source.size, start < end,
      let rest = try source.bytes(Int(end - start), at: start)
    else { return }
    let zeros = rest.filter { $0 == 0 }.count
    let ones = rest.filter { $0 == 0xff }.count
    guard zeros != rest.count, ones != rest.count else { return }
    let filler = [UInt8](repeating: zeros > ones ? 0 : 0xff, count: rest.count)
    repair.add(
      RepairStep(
        "VHD block table", at: start, filler, "the bytes behind its entries are as they were"))
  }
}
