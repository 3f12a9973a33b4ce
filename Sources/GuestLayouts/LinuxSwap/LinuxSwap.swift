internal import Blocks
internal import Bytes

/// A Linux swap area: a whole disk or a partition, of any type, that carries the signature.
///
/// The signature is in the last ten bytes of the first page, so its place tells the page size.
/// What `swapon` would refuse is not skipped: then it is not in use as swap. Nor is an area that
/// a machine has suspended to.
enum LinuxSwap: GuestLayout {
  static let name = "Linux swap"
  private static let suspendName = "Linux suspend image"
  /// What findings are called: no file systems.
  static let kinds: Set<String> = [name, suspendName]
  static let isTable = false

  /// Bytes at the start that are kept, so that `swapon`, UUID and label work after a restore.
  static let keptByteCount: UInt64 = 64 << 10
  /// The fewest pages of an area, as `mkswap` has it.
  static let leastPageCount: UInt64 = 10

  private static let pageSizes = [4096, 8192, 16384, 32768, 65536]
  private static let suspendMagics = ["S1SUSPEND", "S2SUSPEND", "ULSUSPEND", "LINHIB0001"]
  private static let tuxOnIceMagic: [UInt8] = [0xED, 0xC3, 0x02, 0xE9, 0x98, 0x56, 0xE5, 0x0C]

  static func find(in area: GuestArea) throws -> [GuestFinding] {
    if let suspended = suspendImage(in: area) { return [suspended] }
    for pageSize in pageSizes {
      if area.holds("SWAPSPACE2", at: pageSize - 10) {
        return [swap(in: area, pageSize: UInt64(pageSize))]
      }
      if area.holds("SWAP-SPACE", at: pageSize - 10) {
        return [unskipped(name, "version 0")]
      }
    }
    return []
  }

  private static func suspendImage(in area: GuestArea) -> GuestFinding? {
    let isSuspended = pageSizes.contains { pageSize in
      suspendMagics.contains { area.holds($0, at: pageSize - 10) }
    }
    guard isSuspended || area.holds(tuxOnIceMagic, at: 0) else { return nil }
    var finding = unskipped(
      suspendName, "a machine has suspended to it", header(in: area))
    finding.isSuspended = true
    return finding
  }

  /// A finding that says why the area is read in full.
  private static func unskipped(
    _ kind: String, _ reason: String, _ header: SwapHeader? = nil
  ) -> GuestFinding {
    var finding = GuestFinding(
      kind, label: header?.label, uuid: header?.uuid, note: "\(reason), not skipped")
    finding.warnings.append("\(kind) is not skipped: \(reason)")
    return finding
  }

  private static func swap(in area: GuestArea, pageSize: UInt64) -> GuestFinding {
    guard let header = header(in: area) else { return unskipped(name, "unknown version") }
    var finding = GuestFinding(name)
    finding.uuid = header.uuid
    finding.label = header.label
    // A 32-bit number of pages of at most 64 KiB: far below an overflow.
    let end = (header.lastPage + 1) * pageSize
    let badPageLimit = (pageSize - 1536 - 10) / 4
    guard end <= area.size, header.lastPage + 1 >= leastPageCount,
      UInt64(header.badPageCount) <= badPageLimit
    else { return unskipped(name, "its header does not fit the area", header) }
    if end > keptByteCount {
      var extents = ExtentSet()
      extents.insert(keptByteCount..<end)
      finding.skippable[.swap] = extents
    }
    return finding
  }

  /// The header, whatever the byte order of the machine that made it.
  private static func header(in area: GuestArea) -> SwapHeader? {
    guard let bytes = area.bytes(SwapHeader.byteCount, at: SwapHeader.offset) else { return nil }
    for order in [ByteOrder.little, .big] {
      do { return try SwapHeader(parsing: bytes, order) } catch { continue }
    }
    return nil
  }
}
