internal import Blocks
internal import Bytes

/// Brings back what the specification leaves no choice of in a VHDX's metadata and block tables.
enum VHDXContentRepair {
  /// - Parameter log: Where the log lies; it is not in use.
  static func run(_ repair: inout Repair, log: Range<UInt64>) throws {
    var check = VHDXRegionCheck(repair.source)
    let regions = try check.run(log: log)
    guard let place = regions[VHDX.metadataRegion] else { return }
    try mendMetadata(&repair, place)
    guard let table = regions[VHDX.tableRegion] else { return }
    let metadata: VHDXMetadata
    do {
      metadata = try VHDXMetadata(of: repair.source, place)
    } catch is FormatError {
      return
    }
    var blocks = VHDXTableCheck(repair.source, metadata, table, [])
    try blocks.run()
    for (place, entry) in blocks.mendable {
      var builder = ByteBuilder(.little, capacity: 8)
      builder.u64(entry)
      repair.add(
        RepairStep("VHDX block table", at: place, builder.bytes, "bits that are never set are not"))
    }
    if let range = try blocks.emptyBeyond() {
      var step = RepairStep(
        "VHDX block table", at: range.lowerBound, "no block is behind the disk's end")
      step.zeros = [range]
      repair.add(step)
    }
  }

  private static func mendMetadata(_ repair: inout Repair, _ region: Range<UInt64>) throws {
    let place = region.lowerBound
    guard var table = try repair.source.bytes(VHDXMetadata.tableByteCount, at: place) else {
      return
    }
    let old = table
    table.replaceSubrange(0..<8, with: Array("metadata".utf8))
    table.replaceSubrange(8..<10, with: [0, 0])
    table.replaceSubrange(12..<32, with: [UInt8](repeating: 0, count: 20))
    let count = Int(table[10]) | Int(table[11]) << 8
    var known = 0
    for start in stride(from: 32, to: 32 + min(count, 2047) * 32, by: 32) {
      let id = GUID(bytes: Array(table[start..<start + 16]))
      guard let item = VHDXMetadataCheck.known.first(where: { $0.id == id }) else { continue }
      known += 1
      table.replaceSubrange(
        start + 24..<start + 32, with: [UInt8(item.flags), 0, 0, 0, 0, 0, 0, 0])
    }
    // A region that only pretends to be metadata has no items.
    guard table != old, known >= 4, let first = table.indices.first(where: { table[$0] != old[$0] })
    else { return }
    repair.add(
      RepairStep(
        "VHDX metadata", at: place, table,
        "signature, flags and reserved fields are as specified, from byte \(place + UInt64(first))")
    )
  }
}
