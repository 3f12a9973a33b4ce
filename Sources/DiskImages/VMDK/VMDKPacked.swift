internal import Blocks
internal import Bytes

/// A streamOptimized VMDK while it is written: in one pass, from its first byte to its last.
///
///     0       header, whose directory is "in the footer"
///     512     descriptor
///     64 KiB  grains, each behind its marker; behind those of 32 MiB of the disk their table
///             directory, footer, end of the stream: each behind its marker
///
/// As VMware's own writer: version 3, no second directory, the disk behind an LSI Logic adapter.
/// VMware Virtual Disk Format 5.0, "Stream-Optimized Compressed Sparse Extents"; open-vmdk.
public struct VMDKPacked: PackedLayout {
  /// The largest disk.
  public static let sizeLimit: UInt64 = 64 << 40
  /// What a sector number of 32 bits can tell.
  private static let fileLimit: UInt64 = 512 << 32
  private static let sector: UInt64 = 512
  private static let grainSectors: UInt64 = 128
  private static let tableEntries: UInt64 = 512
  /// Room for the header and the descriptor.
  private static let overhead: UInt64 = 128
  private static let descriptorSectors: UInt64 = 20

  /// What a marker is for, where no grain follows it.
  private enum Marker: UInt32 {
    case end = 0
    case table = 1
    case directory = 2
    case footer = 3
  }

  private let sectors: UInt64
  private let descriptor: [UInt8]
  public private(set) var byteCount: UInt64 = 0
  /// The sectors of the tables; 0 for those that are not there.
  private var directory: [UInt32]
  private var table = [UInt32](repeating: 0, count: Int(VMDKPacked.tableEntries))
  /// The number of the table that is being filled.
  private var current: Int?

  public var grainByteCount: Int { Int(VMDKPacked.grainSectors * VMDKPacked.sector) }
  public var packing: GrainPacking { .zlib }

  /// - Parameters:
  ///   - size: The disk's size in bytes, a multiple of 512.
  ///   - name: The file's name, for its descriptor.
  ///   - identifier: 16 random bytes.
  /// - Throws: When the disk is too large.
  public init(size: UInt64, name: String, identifier: [UInt8]) throws(LayoutError) {
    precondition(size % VMDKPacked.sector == 0 && identifier.count == 16)
    guard size <= VMDKPacked.sizeLimit else {
      throw LayoutError("a VMDK holds \(VMDKPacked.sizeLimit) bytes at most, the disk has \(size)")
    }
    sectors = size / VMDKPacked.sector
    descriptor = VMDKPacked.descriptor(sectors, name, identifier)
    let covered = VMDKPacked.grainSectors * VMDKPacked.tableEntries
    directory = [UInt32](repeating: 0, count: Int((sectors + covered - 1) / covered))
  }

  private static func descriptor(
    _ sectors: UInt64, _ name: String, _ identifier: [UInt8]
  ) -> [UInt8] {
    var identifier = identifier
    // The last 32 bits are the content id, of which the two highest numbers have other meanings.
    identifier[12] &= 0x7F
    let id = Hex.text(identifier)
    let isPlain = name.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x22 && $0 != 0x7F }
    let file = isPlain && name.utf8.count <= 1024 && !name.isEmpty ? name : "disk.vmdk"
    let text = """
      # Disk DescriptorFile
      version=1
      encoding="UTF-8"
      CID=\(id.suffix(8))
      parentCID=ffffffff
      createType="streamOptimized"

      # Extent description
      RW \(sectors) SPARSE "\(file)"

      # The Disk Data Base
      #DDB

      ddb.adapterType = "lsilogic"
      ddb.geometry.cylinders = "\(min(sectors / (255 * 63), 65535))"
      ddb.geometry.heads = "255"
      ddb.geometry.sectors = "63"
      ddb.longContentID = "\(id)"
      ddb.virtualHWVersion = "10"

      """
    return Array(text.utf8)
  }

  private func header(directory: UInt64) -> [UInt8] {
    let hasNewlineTest: UInt32 = 1
    let isCompressed: UInt32 = 0x10000
    let hasMarkers: UInt32 = 0x20000
    var builder = ByteBuilder(.little, capacity: 512)
    builder.raw(VMDKHeader.magic)
    builder.u32(3)
    builder.u32(hasNewlineTest | isCompressed | hasMarkers)
    builder.u64(sectors)
    builder.u64(VMDKPacked.grainSectors)
    builder.u64(1)
    builder.u64(VMDKPacked.descriptorSectors)
    builder.u32(UInt32(VMDKPacked.tableEntries))
    builder.u64(0)
    builder.u64(directory)
    builder.u64(VMDKPacked.overhead)
    builder.u8(0)
    builder.text("\n \r\n")
    builder.u16(1)
    builder.pad(to: 512)
    return builder.bytes
  }

  public mutating func start(_ write: StructureWriter) throws {
    try write(header(directory: VMDKHeader.inFooter), 0)
    try write(descriptor, VMDKPacked.sector)
    byteCount = VMDKPacked.overhead * VMDKPacked.sector
  }

  public mutating func place(
    _ grain: UInt64, _ count: Int, isPacked: Bool, _ write: StructureWriter
  ) throws -> UInt64 {
    precondition(isPacked)
    let number = Int(grain / VMDKPacked.tableEntries)
    if number != current {
      try endTable(write)
      current = number
    }
    guard byteCount < VMDKPacked.fileLimit - (16 << 20) else {
      throw LayoutError("the VMDK would be larger than 2 TiB")
    }
    table[Int(grain % VMDKPacked.tableEntries)] = UInt32(byteCount / VMDKPacked.sector)
    var marker = ByteBuilder(.little, capacity: 12)
    marker.u64(grain * VMDKPacked.grainSectors)
    marker.u32(UInt32(count))
    try write(marker.bytes, byteCount)
    let start = byteCount + UInt64(marker.bytes.count)
    byteCount = start + UInt64(count)
    byteCount += (VMDKPacked.sector - byteCount % VMDKPacked.sector) % VMDKPacked.sector
    return start
  }

  /// Writes the table that is being filled.
  private mutating func endTable(_ write: StructureWriter) throws {
    guard let current else { return }
    let place = try append(.table, numbers: table, write)
    directory[current] = UInt32(place / VMDKPacked.sector)
    table = [UInt32](repeating: 0, count: table.count)
  }

  private mutating func append(
    _ marker: Marker, numbers: [UInt32], _ write: StructureWriter
  ) throws -> UInt64 {
    var builder = ByteBuilder(.little, capacity: numbers.count * 4)
    for number in numbers { builder.u32(number) }
    return try append(marker, builder.bytes, write)
  }

  /// Writes a marker and what follows it.
  ///
  /// - Returns: Where the latter starts in the file.
  private mutating func append(
    _ marker: Marker, _ bytes: [UInt8], _ write: StructureWriter
  ) throws -> UInt64 {
    var builder = ByteBuilder(.little, capacity: bytes.count + 1024)
    builder.u64((UInt64(bytes.count) + VMDKPacked.sector - 1) / VMDKPacked.sector)
    builder.u32(0)
    builder.u32(marker.rawValue)
    builder.pad(to: 512)
    builder.raw(bytes)
    builder.zeros((512 - bytes.count % 512) % 512)
    try write(builder.bytes, byteCount)
    let start = byteCount + VMDKPacked.sector
    byteCount += UInt64(builder.bytes.count)
    return start
  }

  public mutating func finish(_ write: StructureWriter) throws {
    try endTable(write)
    let place = try append(.directory, numbers: directory, write)
    _ = try append(.footer, header(directory: place / VMDKPacked.sector), write)
    _ = try append(.end, [], write)
  }
}
