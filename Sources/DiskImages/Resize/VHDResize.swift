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
    repair.add(RepairStep("VHD footer", at: change.new, footer.bytes, "has the new size"))
    if change.new > change.old {
      var step = RepairStep("VHD footer", at: change.old, "the old one is gone")
      step.zeros = [
        change.old..<change.old + min(UInt64(VHDFooter.byteCount), change.new - change.old)
      ]
      repair.add(step)
    } else {
      var step = RepairStep("VHD file", at: change.new, "what is behind the footer is cut off")
      step.mostByteCount = change.new + UInt64(VHDFooter.byteCount)
      repair.add(step)
    }
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
          "VHD footer", at: place + header.tableByteCount, old.bytes, "moved behind the new table"))
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
        "VHD dynamic header", at: old.headerOffset, Array(header.bytes[0..<512]),
        "knows \(needed) blocks"))
  }

  /// Takes blocks behind the new end away, and closes the gaps that they leave with the last ones.
  private static func shrink(
    _ repair: inout Repair, _ table: VHDBlockTable, _ footer: VHDFooter
  ) throws {
    let header = table.header
    let block = UInt64(header.blockByteCount)
    let kept = Int(footer.size / block + (footer.size % block == 0 ? 0 : 1))
    var places: [(block: Int, sector: UInt32)] = []
    var gaps: [UInt32] = []
    var absent = RepairStep("VHD block table", at: header.tableOffset, "no block is behind the end")
    for (number, sector) in table.entries.enumerated() where sector != VHDBlockTable.absent {
      if number < kept {
        places.append((number, sector))
      } else {
        gaps.append(sector)
        absent.writes.append(entry(table, number, VHDBlockTable.absent))
      }
    }
    if !gaps.isEmpty { repair.add(absent) }
    clearRest(&repair, table, of: footer.size)
    gaps.sort()
    places.sort { $0.sector < $1.sector }
    // The last blocks are first in two places, and then only in the new ones.
    var copies = RepairStep("VHD file", at: 0, "the last blocks are in the gaps as well")
    var moves = RepairStep("VHD block table", at: header.tableOffset, "the last blocks have moved")
    var moved: [UInt32] = []
    for gap in gaps {
      guard let last = places.last, last.sector > gap else { break }
      places.removeLast()
      let start = UInt64(last.sector) * 512
      copies.copies.append((start..<start + header.blockSpan, UInt64(gap) * 512))
      moves.writes.append(entry(table, last.block, gap))
      moved.append(gap)
    }
    if !moved.isEmpty {
      repair.add(copies)
      repair.add(moves)
    }
    guard !gaps.isEmpty else { return }
    let regions = VHDImage.regions(footer, header)
    let ends =
      regions.map(\.range.upperBound)
      + (places.suffix(1).map(\.sector) + moved.suffix(1)).map {
        UInt64($0) * 512 + header.blockSpan
      }
    let end = ends.max() ?? 0
    let old = try VHDImage.footer(of: repair.source)
    repair.add(RepairStep("VHD footer", at: end, old.bytes, "moved behind the last block"))
    var step = RepairStep("VHD file", at: end, "what is behind the footer is cut off")
    step.mostByteCount = end + UInt64(VHDFooter.byteCount)
    repair.add(step)
  }

  private static func entry(
    _ table: VHDBlockTable, _ block: Int, _ sector: UInt32
  ) -> RepairStep.Write {
    var builder = ByteBuilder(.big, capacity: 4)
    builder.u32(sector)
    return RepairStep.Write(offset: table.entryOffset(block), bytes: builder.bytes)
  }
}
