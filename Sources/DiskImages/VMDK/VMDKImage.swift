public import Blocks
internal import Bytes
internal import Codecs
internal import Platform

/// A VMDK in one file, monolithicSparse or streamOptimized, read as the disk inside it.
///
/// VMware Virtual Disk Format 5.0. Disks in several files, flat ones and deltas are refused by name.
public final class VMDKImage: DiskFormat {
  public static let name = "vmdk"

  public let size: UInt64
  private let disk: MappedDisk
  public var sectorSize: UInt32 { 512 }

  public static func recognizes(_ source: any BlockSource) throws -> Bool {
    try source.bytes(4, at: 0) == VMDKHeader.magic
  }

  public init(opening source: any BlockSource) throws {
    var header = try VMDKHeader(of: source, at: 0)
    let descriptor = try VMDKImage.descriptor(of: source, header)
    if header.directory == VMDKHeader.inFooter {
      // The footer is the last but one sector; the last one marks the end.
      guard source.size >= 3 * 512, source.size % 512 == 0 else {
        throw FormatError("VMDK footer", at: source.size, .truncated)
      }
      header = try VMDKHeader(of: source, at: source.size - 1024)
    }
    size = try VMDKImage.size(header, descriptor)
    disk = MappedDisk(source, try VMDKMap(of: source, header, size: size))
  }

  private static func descriptor(
    of source: any BlockSource, _ header: VMDKHeader
  ) throws -> VMDKDescriptor {
    let place = header.descriptor
    guard !place.isEmpty else {
      throw FormatError(
        "VMDK header", at: 28, .unsupported("a part of a disk in several files without the others"))
    }
    guard let bytes = try source.bytes(place.count, at: place.lowerBound) else {
      throw FormatError("VMDK descriptor", at: place.lowerBound, .truncated)
    }
    let descriptor = try VMDKDescriptor(parsing: bytes, at: place.lowerBound)
    func refuse(_ text: String) -> FormatError {
      FormatError("VMDK descriptor", at: place.lowerBound, .unsupported(text))
    }
    if descriptor.hasParent { throw refuse("a delta of another disk") }
    guard descriptor.extents.count == 1, descriptor.extents[0].kind == "SPARSE" else {
      let kinds = descriptor.extents.map(\.kind).joined(separator: ", ")
      throw refuse("createType \(descriptor.createType) (extents: \(kinds))")
    }
    return descriptor
  }

  /// The disk's size: the header's may be rounded up to a whole grain.
  private static func size(
    _ header: VMDKHeader, _ descriptor: VMDKDescriptor
  ) throws(FormatError) -> UInt64 {
    let sectors = descriptor.extents[0].sectors
    guard sectors <= header.capacity, header.capacity - sectors < header.grainSectors else {
      throw FormatError(
        "VMDK descriptor", at: header.descriptor.lowerBound,
        .impossible("\(sectors) sectors, but \(header.capacity) in the header"))
    }
    return sectors * VMDKHeader.sector
  }

  public func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    try disk.read(into: &bytes, at: offset)
  }

  public func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    try disk.nextData(at: offset)
  }
}

/// The grain directory and the grain tables of a sparse extent; its blocks are grains.
struct VMDKMap: BlockMap {
  private static let pointerByteCount: UInt64 = 4
  /// A grain marker: the grain's first sector (8), bytes of compressed data (4), which follow.
  private static let markerByteCount: UInt64 = 12

  private let file: any BlockSource
  private let header: VMDKHeader
  private let directory: PagedTable
  private let tables: PagedTable
  private let inflaters = Pool { Inflater() }
  let size: UInt64
  var blockByteCount: UInt64 { header.grainByteCount }

  init(of file: any BlockSource, _ header: VMDKHeader, size: UInt64) throws(FormatError) {
    self.file = file
    self.header = header
    self.size = size
    directory = PagedTable(file, of: "VMDK grain directory", .little)
    tables = PagedTable(file, of: "VMDK grain table", .little)
    let covered = header.entries * header.grainByteCount
    let count = size / covered + (size % covered == 0 ? 0 : 1)
    let sectors = file.size / VMDKHeader.sector
    guard size == 0 || header.directory > 0 && header.directory < sectors,
      count * VMDKMap.pointerByteCount
        <= file.size - min(header.directory, sectors) * VMDKHeader.sector
    else {
      throw FormatError(
        "VMDK header", at: 56, .impossible("a grain directory at sector \(header.directory)"))
    }
  }

  /// Where the grain table lies that is for a grain; nil without any.
  private func table(of grain: UInt64) throws -> UInt64? {
    let position =
      header.directory * VMDKHeader.sector + grain / header.entries * VMDKMap.pointerByteCount
    let sector = UInt64(try directory.u32(at: position))
    guard sector != 0 else { return nil }
    let start = sector * VMDKHeader.sector
    let length = header.entries * VMDKMap.pointerByteCount
    guard start <= file.size, length <= file.size - start else {
      throw FormatError(
        "VMDK grain directory", at: position,
        .impossible("a table at sector \(sector) that is not all in the file"))
    }
    return start
  }

  func place(of grain: UInt64) throws -> BlockPlace {
    guard let table = try table(of: grain) else { return .zero }
    let position = table + grain % header.entries * VMDKMap.pointerByteCount
    let sector = UInt64(try tables.u32(at: position))
    if sector == 0 || sector == 1 && header.hasZeroGrains { return .zero }
    let start = sector * VMDKHeader.sector
    let needed = header.isCompressed ? VMDKMap.markerByteCount : byteCount(of: grain)
    guard start <= file.size, needed <= file.size - start else {
      throw FormatError(
        "VMDK grain table", at: position,
        .impossible("grain \(grain) at sector \(sector) is not all in the file"))
    }
    return header.isCompressed
      ? .packed(start..<start + VMDKMap.markerByteCount, at: 0) : .stored(start)
  }

  func unpack(_ grain: UInt64, _ range: Range<UInt64>) throws -> [UInt8] {
    func refuse(_ text: String) -> FormatError {
      FormatError("VMDK grain", at: range.lowerBound, .impossible(text))
    }
    let marker = try file.bytes(range.count, at: range.lowerBound) ?? []
    var cursor = ByteCursor(marker.span, of: "VMDK grain", at: range.lowerBound, .little)
    let sector = try cursor.u64()
    let count = UInt64(try cursor.u32())
    guard sector == grain * header.grainSectors else {
      throw refuse("it is marked as sector \(sector), not \(grain * header.grainSectors)")
    }
    // What does not compress becomes a little longer.
    guard count > 0, count <= 2 * header.grainByteCount,
      let packed = try file.bytes(Int(count), at: range.upperBound)
    else { throw refuse("\(count) compressed bytes") }
    do {
      return try inflaters.with { try inflate(packed, Int(byteCount(of: grain)), $0) }
    } catch let error as CodecError {
      throw refuse("\(error)")
    }
  }

  /// - Parameter needed: Bytes of the grain that belong to the disk: the last grain may be cut off.
  private func inflate(
    _ packed: [UInt8], _ needed: Int, _ inflater: Inflater
  ) throws(CodecError) -> [UInt8] {
    var plain = [UInt8](repeating: 0, count: Int(header.grainByteCount))
    var target = plain.mutableSpan
    let count = try inflater.decompress(packed.span, .zlib, into: &target)
    guard count >= needed else {
      throw CodecError(description: "deflate: only \(count) bytes come out")
    }
    return plain
  }

  func endOfMissingTable(at block: UInt64) throws -> UInt64? {
    let place = try table(of: block)
    return place == nil ? (block / header.entries + 1) * header.entries : nil
  }
}
