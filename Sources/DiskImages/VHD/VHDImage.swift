public import Blocks
internal import Bytes

/// A fixed, dynamic or differencing VHD, read as the disk inside it.
///
/// The size is always the footer's size field, never the geometry. Of a dynamic disk, blocks that
/// are absent read as zeros; sector bitmaps are not looked at, as writers exist that never set
/// them and every other reader of such disks ignores them too (`VHDCheck` tells where that matters).
/// Of a differencing disk they decide, sector by sector, what is the parent's; the parent must bear
/// the identifier that the child names, and be of the same size. Nothing of the file is believed
/// before it has been compared with the file's length: blocks outside the file or on top of each
/// other are refused when the disk is opened.
public final class VHDImage: DiskFormat {
  public static let name = "vhd"

  public let footer: VHDFooter
  /// The header of a dynamic or differencing disk; nil for a fixed one.
  public let header: VHDDynamicHeader?
  public let content: any BlockSource

  /// Fixed, dynamic or differencing.
  public var kind: VHDFooter.Kind { header == nil ? .fixed : footer.kind ?? .dynamic }
  /// The file's length in bytes.
  public let fileByteCount: UInt64
  /// How many blocks a disk with a table has, and how many of them are there.
  public let blockCount: Int
  public let allocatedBlockCount: Int

  public static func recognizes(_ source: any BlockSource) throws -> Bool {
    let place = footerOffset(source)
    if let tail = try source.bytes(8, at: place), tail == cookie { return true }
    // A dynamic disk that has lost its end is still no raw disk.
    guard let head = try source.bytes(512, at: 0), Array(head.prefix(8)) == cookie else {
      return false
    }
    let footer = try VHDFooter(parsing: head.span, at: 0)
    if footer.checksum == footer.computedChecksum, footer.kind != .fixed { return true }
    guard footer.headerOffset < source.size else { return false }
    return try source.bytes(8, at: footer.headerOffset) == Array("cxsparse".utf8)
  }

  public init(opening source: any BlockSource, _ options: OpeningOptions) throws {
    fileByteCount = source.size
    let place = VHDImage.footerOffset(source)
    footer = try VHDImage.footer(of: source)
    try footer.findings(at: place).refuse()
    guard footer.kind == .dynamic || footer.kind == .differencing else {
      guard footer.size == place else { throw VHDImage.wrongLength(footer, place) }
      header = nil
      content = WindowSource(source, 0..<footer.size)
      blockCount = 0
      allocatedBlockCount = 0
      return
    }
    let header = try VHDImage.header(of: source, footer)
    try header.findings(at: footer.headerOffset, footer: footer, fileByteCount: place).refuse()
    let regions = VHDImage.regions(footer, header)
    try VHDImage.overlaps(regions, end: place).refuse()
    // Looked through as a whole, and then let go of: a chain has many of them.
    let table = try VHDBlockTable(of: source, header, size: footer.size, end: place)
    try table.findings(regions, limit: 1).refuse()
    blockCount = table.entries.count
    allocatedBlockCount = table.allocatedCount
    self.header = header
    let parent = try VHDImage.parent(of: source, footer, header, options)
    let map = VHDMap(of: source, header, size: footer.size, end: place, hasParent: parent != nil)
    content = MappedDisk(source, map, parent: parent)
  }
}

/// Finding and reading the structures, for the image and for the check.
extension VHDImage {
  static let cookie = Array("conectix".utf8)

  /// Where the footer at the file's end starts; early Virtual PC left its last byte off.
  static func footerOffset(_ source: any BlockSource) -> UInt64 {
    let length: UInt64 = source.size % 512 == 511 ? 511 : 512
    return source.size - min(source.size, length)
  }

  /// Reads the footer at the file's end.
  static func footer(of source: any BlockSource) throws -> VHDFooter {
    let place = footerOffset(source)
    guard let bytes = try source.bytes(Int(source.size - place), at: place) else {
      throw FormatError("VHD footer", at: place, .truncated)
    }
    let padded = bytes.count == 511 ? bytes + [0] : bytes
    return try VHDFooter(parsing: padded.span, at: place)
  }

  static func header(of source: any BlockSource, _ footer: VHDFooter) throws -> VHDDynamicHeader {
    let place = footer.headerOffset
    guard let bytes = try source.bytes(VHDDynamicHeader.byteCount, at: place) else {
      throw FormatError("VHD dynamic header", at: place, .truncated)
    }
    return try VHDDynamicHeader(parsing: bytes.span, at: place)
  }

  /// What lies in a dynamic VHD's file besides its blocks and the footer at its end, ascending.
  static func regions(
    _ footer: VHDFooter, _ header: VHDDynamicHeader
  ) -> [(range: Range<UInt64>, name: String)] {
    var regions: [(range: Range<UInt64>, name: String)] = [
      (0..<UInt64(VHDFooter.byteCount), "footer's copy"),
      (
        footer.headerOffset..<footer.headerOffset + UInt64(VHDDynamicHeader.byteCount),
        "dynamic header"
      ),
      (header.tableOffset..<header.tableOffset + header.tableByteCount, "block table"),
    ]
    if footer.kind == .differencing {
      for locator in header.locators where locator.platform != 0 && locator.byteCount > 0 {
        let (end, overflow) = locator.offset.addingReportingOverflow(UInt64(locator.byteCount))
        if !overflow { regions.append((locator.offset..<end, "parent's path")) }
      }
    }
    return regions.sorted { $0.range.lowerBound < $1.range.lowerBound }
  }

  /// What is wrong with where the structures themselves lie.
  static func overlaps(
    _ regions: [(range: Range<UInt64>, name: String)], end: UInt64
  ) -> [Finding] {
    var findings: [Finding] = []
    var reached = (end: UInt64(0), name: "")
    for (range, name) in regions {
      if range.lowerBound < reached.end {
        findings.append(
          Finding(.refusal, "VHD \(name)", at: range.lowerBound, "overlaps the \(reached.name)"))
      }
      if range.upperBound > end {
        findings.append(
          Finding(.refusal, "VHD \(name)", at: range.lowerBound, "overlaps the footer"))
      }
      if range.upperBound > reached.end { reached = (range.upperBound, name) }
    }
    return findings
  }

  static func wrongLength(_ footer: VHDFooter, _ place: UInt64) -> FormatError {
    FormatError(
      "VHD footer", at: place + 48,
      .impossible("the size is \(footer.size) bytes, but \(place) lie before the footer"))
  }
}
