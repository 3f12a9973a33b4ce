public import Blocks
internal import Bytes

/// A VDI of VirtualBox, dynamic or fixed, read as the disk inside it.
///
///     offset size  field
///         64    4  signature 0xBEDA107F
///         68    4  version 0x00010001
///         76    4  type: 1 dynamic, 2 fixed, 3 undo, 4 differencing
///        340    4  offset of the block map, 344 (4): of the data
///        360    4  sector size
///        368    8  size of the disk
///        376    4  block size, 380 (4): extra bytes in front of each block
///        384    4  blocks of the disk, 388 (4): blocks that are there
///        392   16  identifier, 408: of the last snapshot, 424: of the disk that this one is linked to,
///                  440: of the parent
///
/// Little-endian. The map has 4 bytes a block: a block's number in the data, or all ones for one that
/// was never written, all ones but the last bit for one that was discarded. VirtualBox, VDICore.h.
public final class VDIImage: DiskFormat {
  public static let name = "vdi"
  private static let structure = "VDI header"
  private static let signature: UInt32 = 0xBEDA_107F

  public let content: any BlockSource

  public static func recognizes(_ source: any BlockSource) throws -> Bool {
    try source.bytes(4, at: 64).map { $0.span.little32(at: 0) } == signature
  }

  public init(opening source: any BlockSource, _ options: OpeningOptions) throws {
    guard let head = try source.bytes(512, at: 0) else {
      throw FormatError(VDIImage.structure, at: 0, .truncated)
    }
    content = MappedDisk(source, try VDIMap(parsing: head, of: source))
  }

  public static func describe(_ source: any BlockSource) throws -> ImageDescription {
    guard let head = try source.bytes(512, at: 0) else {
      throw FormatError(structure, at: 0, .truncated)
    }
    let map = try VDIMap(parsing: head, of: source)
    var description = ImageDescription(
      type: head.span.little32(at: 76) == 2 ? "fixed" : "dynamic", size: map.size)
    try description.count(map, in: source)
    return description
  }
}

/// The block map of a VDI.
struct VDIMap: BlockMap {
  private static let structure = "VDI header"
  /// This entry and the one above: nothing is stored, and the block reads as zero.
  private static let discarded: UInt32 = 0xFFFF_FFFE

  let size: UInt64
  let blockByteCount: UInt64
  private let mapOffset: UInt64
  private let dataOffset: UInt64
  private let table: PagedTable
  private let fileByteCount: UInt64

  init(parsing head: [UInt8], of file: any BlockSource) throws(FormatError) {
    let span = head.span
    func refuse(_ offset: UInt64, _ reason: FormatError.Reason) -> FormatError {
      FormatError(VDIMap.structure, at: offset, reason)
    }
    let version = span.little32(at: 68)
    guard version >> 16 == 1 else {
      throw refuse(68, .unsupported("version \(version >> 16).\(version & 0xFFFF)"))
    }
    let type = span.little32(at: 76)
    guard type == 1 || type == 2 else {
      let names: [UInt32: String] = [3: "an undo disk", 4: "a differencing disk"]
      throw refuse(76, .unsupported(names[type] ?? "type \(type)"))
    }
    guard head[424..<456].allSatisfy({ $0 == 0 }) else {
      throw refuse(424, .unsupported("a disk that is linked to another one"))
    }
    guard span.little32(at: 360) == 512 else {
      throw refuse(360, .unsupported("sectors of \(span.little32(at: 360)) bytes"))
    }
    size = span.little64(at: 368)
    blockByteCount = UInt64(span.little32(at: 376))
    guard (4096...256 << 20).contains(blockByteCount), blockByteCount & (blockByteCount - 1) == 0
    else { throw refuse(376, .unsupported("blocks of \(blockByteCount) bytes")) }
    guard span.little32(at: 380) == 0 else {
      throw refuse(380, .unsupported("\(span.little32(at: 380)) extra bytes in each block"))
    }
    mapOffset = UInt64(span.little32(at: 340))
    dataOffset = UInt64(span.little32(at: 344))
    fileByteCount = file.size
    table = PagedTable(file, of: "VDI block map", .little)
    let count = UInt64(span.little32(at: 384))
    guard size <= count * blockByteCount else {
      throw refuse(384, .impossible("\(count) blocks for a disk of \(size) bytes"))
    }
    guard mapOffset % 4 == 0, mapOffset >= 456, dataOffset >= mapOffset + count * 4 else {
      throw refuse(340, .impossible("a block map at \(mapOffset) before data at \(dataOffset)"))
    }
    guard mapOffset + count * 4 <= file.size else {
      throw FormatError("VDI block map", at: mapOffset, .truncated)
    }
  }

  func place(of block: UInt64) throws -> BlockPlace {
    let position = mapOffset + block * 4
    let entry = try table.u32(at: position)
    guard entry < VDIMap.discarded else { return .zero }
    let start = dataOffset + UInt64(entry) * blockByteCount
    guard start + byteCount(of: block) <= fileByteCount else {
      throw FormatError(
        "VDI block map", at: position,
        .impossible("block \(block) at byte \(start) is not all in the file"))
    }
    return .stored(start)
  }
}
