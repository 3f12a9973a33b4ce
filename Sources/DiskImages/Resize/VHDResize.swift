internal import Blocks
internal import Bytes

/// Gives a VHD another size.
///
/// The footer at the file's end is always a sound one, of the old size or of the new one.
enum VHDResize {
  static func run(_ repair: inout Repair, _ change: SizeChange) throws {
    let place = VHDImage.footerOffset(repair.source)
    let old = try VHDImage.footer(of: repair.source)
    var footer = old
    footer.size = change.new
    footer.geometry = VHDGeometry(writtenFor: change.new)
    footer.checksum = footer.computedChecksum
    guard old.kind == .dynamic else {
      try resizeFixed(&repair, footer, change)
      return
    }
    guard change.new <= VHDLimits.dynamicSize else {
      throw FormatError(
        "dynamic VHD", at: 0, .unsupported("a disk of more than \(VHDLimits.dynamicSize) bytes"))
    }
    let header = try VHDImage.header(of: repair.source, old)
    let table = try VHDBlockTable(of: repair.source, header, size: old.size, end: place)
    try clearLeftovers(&repair, table, old)
    if change.new > change.old {
      clearRest(&repair, table, of: change.old)
      try grow(&repair, table, old, footer)
    } else {
      try shrink(&repair, table, footer)
    }
    let end = VHDImage.footerOffset(repair.source)
    repair.add(RepairStep("VHD footer", at: end, footer.bytes, "has the new size"))
    repair.add(RepairStep("VHD footer's copy", at: 0, footer.bytes, "has the new size"))
  }

  private static func resizeFixed(
    _ repair: inout Repair, _ footer: VHDFooter, _ change: SizeChange
  ) throws {
    guard change.new <= VHDLimits.fixedSize else {
      throw FormatError(
        "fixed VHD", at: 0, .unsupported("a disk of more than \(VHDLimits.fixedSize) bytes"))
    }
    guard change.new > change.old else {
      repair.add(RepairStep("VHD footer", at: change.new, footer.bytes, "has the new size"))
      var step = RepairStep("VHD file", at: change.new, "what is behind the footer is cut off")
      step.mostByteCount = change.new + UInt64(VHDFooter.byteCount)
      repair.add(step)
      return
    }
    // For as long as the old footer is in the disk, the new one tells where: as the original size.
    var first = footer
    first.originalSize = change.old
    first.checksum = first.computedChecksum
    repair.add(RepairStep("VHD footer", at: change.new, first.bytes, "has the new size"))
    repair.add(clearedFooter(at: change.old))
    if first != footer {
      repair.add(RepairStep("VHD footer", at: change.new, footer.bytes, "has its original size"))
    }
  }

  /// Where an interrupted growth of a fixed disk left the old footer; nil where there is none.
  static func leftFooter(in source: any BlockSource, _ footer: VHDFooter) throws -> UInt64? {
    let place = footer.originalSize
    let count = UInt64(VHDFooter.byteCount)
    guard place < footer.size, footer.size - place >= count,
      let bytes = try source.bytes(Int(count), at: place)
    else { return nil }
    let left: VHDFooter
    do {
      left = try VHDFooter(parsing: bytes.span, at: place)
    } catch {
      // These are bytes of the disk, which may be anything.
      return nil
    }
    return left.identifier == footer.identifier && left.size == place && left.kind == .fixed
      && left.checksum == left.computedChecksum ? place : nil
  }

  /// Takes such a footer away.
  static func clearedFooter(at place: UInt64) -> RepairStep {
    var step = RepairStep("VHD footer", at: place, "the old one is gone")
    step.zeros = [place..<place + UInt64(VHDFooter.byteCount)]
    return step
  }

  /// Makes zero what an interrupted change of size left where no block is: once the disk is used
  /// again, it could not be told from a block that was lost.
  private static func clearLeftovers(
    _ repair: inout Repair, _ table: VHDBlockTable, _ footer: VHDFooter
  ) throws {
    let room = UnclaimedRoom(repair.source)
    var leftovers = VHDLeftovers(table, footer)
    var step = RepairStep("VHD file", at: 0, "what an interrupted change of size left is gone")
    let regions = VHDImage.regions(footer, table.header)
    for gap in table.gaps(regions, limit: VHDCheck.findingLimit)
    where try !room.isEmpty(gap, { _, _ in false }) && leftovers.areAll(of: gap, in: repair.source)
    {
      step.zeros.append(gap)
    }
    if !step.zeros.isEmpty { repair.add(step) }
  }

  /// Makes what lies behind a disk's end in its last block zero, as it becomes part of the disk.
  private static func clearRest(
    _ repair: inout Repair, _ table: VHDBlockTable, of size: UInt64
  ) {
    let block = UInt64(table.header.blockByteCount)
    guard size % block != 0, let start = table.dataOffset(Int(size / block)) else { return }
    var step = RepairStep("VHD block", at: start, "its end is cleared")
    step.zeros = [start + size % block..<start + block]
    repair.add(step)
  }

  /// Makes room in the table: in the place where it is, or at the end of the file.
  private static func grow(
    _ repair: inout Repair, _ table: VHDBlockTable, _ old: VHDFooter, _ footer: VHDFooter
  ) throws {
    var header = table.header
    let old = (footer: old, table: header.tableOffset)
    let block = UInt64(header.blockByteCount)
    let needed = footer.size / block + (footer.size % block == 0 ? 0 : 1)
    guard needed > UInt64(header.entryCount) else { return }
    guard needed <= VHDLimits.entryCount else {
      throw FormatError(
        "dynamic VHD", at: 0,
        .unsupported("a disk of \(needed) blocks instead of \(VHDLimits.entryCount)"))
    }
    let used = header.tableOffset + UInt64(header.entryCount) * 4
    let room = header.tableByteCount
    header.entryCount = UInt32(needed)
    if header.tableByteCount == room {
      // What filled the table's last sector may have been zeros.
      let rest = header.tableOffset + room - used
      repair.add(
        RepairStep(
          "VHD block table", at: used, [UInt8](repeating: 0xff, count: Int(rest)),
          "entries of absent blocks"))
    } else {
      let place = VHDImage.footerOffset(repair.source)
      // The end of the file stays a footer while the table comes to where the old one was.
      repair.add(
        RepairStep(
          "VHD footer", at: place + header.tableByteCount, old.footer.bytes,
          "moved behind the new table"))
      var builder = ByteBuilder(.big, capacity: Int(header.tableByteCount))
      for entry in table.entries { builder.u32(entry) }
      builder.raw(
        [UInt8](repeating: 0xff, count: Int(header.tableByteCount) - builder.bytes.count))
      header.tableOffset = place
      repair.add(
        RepairStep("VHD block table", at: place, builder.bytes, "a larger one at the file's end"))
    }
    header.checksum = header.computedChecksum
    // All that changes is in one sector, which is written as a whole or not at all.
    repair.add(
      RepairStep(
        "VHD dynamic header", at: old.footer.headerOffset, Array(header.bytes[0..<512]),
        "knows \(needed) blocks"))
    guard header.tableOffset != old.table else { return }
    var step = RepairStep("VHD block table", at: old.table, "the old one is gone")
    step.zeros = [old.table..<old.table + room]
    repair.add(step)
  }

  /// Takes blocks behind the new end away, and cuts off what of the file is free then at its end.
  ///
  /// They become zero while they still count: wherever this is interrupted, no room that belongs to
  /// no block looks like one that was lost. Gaps between blocks stay, as holes of the file: whoever
  /// moves a block has it in two places for a while, of which one belongs to nobody.
  private static func shrink(
    _ repair: inout Repair, _ table: VHDBlockTable, _ footer: VHDFooter
  ) throws {
    let header = table.header
    let block = UInt64(header.blockByteCount)
    let kept = Int(footer.size / block + (footer.size % block == 0 ? 0 : 1))
    let dropped = (kept..<max(kept, table.entries.count)).compactMap { table.dataOffset($0) }
    if !dropped.isEmpty {
      var data = RepairStep("VHD file", at: 0, "the blocks behind the end are zeros")
      data.zeros = dropped.map { $0..<$0 + block }
      repair.add(data)
      var bitmaps = RepairStep("VHD file", at: 0, "and have no sectors")
      bitmaps.zeros = dropped.map { $0 - header.bitmapByteCount..<$0 }
      repair.add(bitmaps)
      repair.add(
        RepairStep(
          "VHD block table", at: table.entryOffset(kept),
          [UInt8](repeating: 0xff, count: (table.entries.count - kept) * 4),
          "no block is behind the end"))
    }
    clearRest(&repair, table, of: footer.size)
    let regions = VHDImage.regions(footer, header)
    let last = table.entries.prefix(kept).filter { $0 != VHDBlockTable.absent }.max()
    let ends =
      regions.map(\.range.upperBound) + [last.map { UInt64($0) * 512 + header.blockSpan } ?? 0]
    let end = ends.max() ?? 0
    let place = VHDImage.footerOffset(repair.source)
    guard end <= place, place - end >= UInt64(VHDFooter.byteCount) else { return }
    let old = try VHDImage.footer(of: repair.source)
    repair.add(RepairStep("VHD footer", at: end, old.bytes, "moved behind the last block"))
    var step = RepairStep("VHD file", at: end, "what is behind the footer is cut off")
    step.mostByteCount = end + UInt64(VHDFooter.byteCount)
    repair.add(step)
  }
}
