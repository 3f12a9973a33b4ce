/// A fixed VHD: the disk, and the footer behind it.
public struct VHDFixedLayout: StraightLayout {
  private let footer: VHDFooter

  public var dataOffset: UInt64 { 0 }
  public var byteCount: UInt64 { footer.size + UInt64(VHDFooter.byteCount) }

  /// - Parameter footer: Of a fixed disk.
  public init(_ footer: VHDFooter) { self.footer = footer }

  public func writeStart(_ write: StructureWriter) {}

  public func writeEnd(_ write: StructureWriter) throws { try write(footer.bytes, footer.size) }
}

/// A dynamic VHD while it is written.
public struct VHDDynamicBlocks: BlockLayout {
  private let footer: VHDFooter
  private var layout: VHDDynamicLayout
  private let bitmap: [UInt8]

  public var blockByteCount: UInt64 { UInt64(layout.header.blockByteCount) }
  public var byteCount: UInt64 { layout.end + UInt64(VHDFooter.byteCount) }

  /// - Parameters:
  ///   - footer: Of a dynamic disk.
  ///   - blockByteCount: A power of two.
  /// - Throws: When the disk is too large.
  public init(_ footer: VHDFooter, blockByteCount: UInt32) throws {
    self.footer = footer
    layout = try VHDDynamicLayout(size: footer.size, blockByteCount: blockByteCount)
    bitmap = layout.bitmap
  }

  public func dataOffset(_ block: UInt64) -> UInt64? { layout.dataOffset(Int(block)) }

  public mutating func allocate(_ block: UInt64, _ write: StructureWriter) throws -> UInt64 {
    let start: UInt64
    do {
      start = try layout.allocate(Int(block))
    } catch {
      throw LayoutError("\(error)", hint: "--block-size with a larger size helps")
    }
    try write(bitmap, start)
    return start + UInt64(bitmap.count)
  }

  public func finish(_ write: StructureWriter) throws {
    try write(layout.start(footer), 0)
    try write(footer.bytes, layout.end)
  }
}
