internal import Bytes

/// What a differencing VHD says of its parent.
public struct VHDParentReference: Sendable {
  /// The parent's footer.
  let footer: VHDFooter
  /// When its file last changed, in seconds since 1970.
  let changed: Int64
  /// The path from the child's folder to the parent, its parts parted by slashes.
  let path: String

  public init(_ footer: VHDFooter, changed: Int64, path: String) {
    self.footer = footer
    self.changed = changed
    self.path = path
  }

  /// The path's last part.
  private var name: String {
    path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
  }

  /// What the dynamic header has room for, with a zero behind it.
  var nameBytes: [UInt8] {
    var builder = ByteBuilder(.big, capacity: 512)
    for unit in name.utf16.prefix(255) { builder.u16(unit) }
    builder.pad(to: 512)
    return builder.bytes
  }

  /// The path in the forms of Windows and of the Mac.
  ///
  /// Only relative ones: an absolute path of this machine leads nowhere on a machine with Windows.
  var locators: [(platform: UInt32, bytes: [UInt8])] {
    let start = path.hasPrefix("..") ? "" : "./"
    var windows = ByteBuilder(.little)
    for unit in (start + path).utf16 { windows.u16(unit == 0x2F ? 0x5C : unit) }
    return [
      (VHDParentLocator.code("W2ru"), windows.bytes),
      (VHDParentLocator.code("MacX"), Array("file://\(start)\(path)".utf8)),
    ]
  }
}

/// A differencing VHD while it is written: blocks of which single sectors may be the parent's.
///
/// Its paths to the parent stand between the table and the first block, each at a sector's start.
public struct VHDDifferencingBlocks: BlockLayout {
  private let footer: VHDFooter
  private var layout: VHDDynamicLayout
  /// The block that got its place last, and its sectors that are here.
  private var current: UInt64?
  private var bitmap: [UInt8] = []
  /// How many sectors are here.
  public private(set) var sectorCount: UInt64 = 0

  /// - Parameters:
  ///   - footer: Of a differencing disk, of the parent's size.
  ///   - blockByteCount: A power of two.
  ///   - parent: What it builds on.
  /// - Throws: When the disk is too large.
  public init(
    _ footer: VHDFooter, blockByteCount: UInt32, parent: VHDParentReference
  ) throws {
    precondition(footer.kind == .differencing && footer.size == parent.footer.size)
    self.footer = footer
    layout = try VHDDynamicLayout(
      size: footer.size, blockByteCount: blockByteCount, parent: parent)
  }

  public var blockByteCount: UInt64 { UInt64(layout.header.blockByteCount) }
  public var byteCount: UInt64 { layout.end + UInt64(VHDFooter.byteCount) }

  public func dataOffset(_ block: UInt64) -> UInt64? { layout.dataOffset(Int(block)) }

  public mutating func allocate(_ block: UInt64, _ write: StructureWriter) throws -> UInt64 {
    try writeBitmap(write)
    let start = try layout.allocate(Int(block))
    current = block
    bitmap = [UInt8](repeating: 0, count: Int(layout.header.bitmapByteCount))
    return start + layout.header.bitmapByteCount
  }

  public mutating func mark(_ block: UInt64, _ range: Range<UInt64>) {
    precondition(block == current && range.lowerBound % 512 == 0 && range.upperBound % 512 == 0)
    for sector in range.lowerBound / 512..<range.upperBound / 512 {
      // The first sector's bit is the highest of the first byte.
      bitmap[Int(sector / 8)] |= 0x80 >> UInt8(sector % 8)
    }
    sectorCount += (range.upperBound - range.lowerBound) / 512
  }

  private func writeBitmap(_ write: StructureWriter) throws {
    guard let current, let start = layout.dataOffset(Int(current)) else { return }
    try write(bitmap, start - layout.header.bitmapByteCount)
  }

  public mutating func finish(_ write: StructureWriter) throws {
    try writeBitmap(write)
    try write(layout.start(footer), 0)
    try write(footer.bytes, layout.end)
  }
}
