internal import Blocks
internal import Bytes

/// What a VHDX's metadata region says of the disk.
///
///     0   "metadata", reserved (2), entries (2)
///     32  entries of 32 bytes: item (16), offset (4), length (4), flags (4), reserved (4)
///
/// Offsets count from the region's start, and lie behind the table's 64 KiB. [MS-VHDX] 2.6.
struct VHDXMetadata: Sendable {
  static let tableByteCount = 64 << 10
  private static let countLimit: UInt16 = 2047
  static let isRequired: UInt32 = 4

  private(set) var blockByteCount: UInt64 = 0
  /// Whether all blocks stay allocated: what makes a VHDX a fixed one.
  private(set) var isFixed = false
  private(set) var hasParent = false
  private(set) var size: UInt64 = 0
  private(set) var logicalSectorSize: UInt32 = 0
  private(set) var physicalSectorSize: UInt32 = 0
  private(set) var identifier = GUID.zero
  /// Where the item lies that says what the parent is called.
  private(set) var parentLocator: Range<UInt64>?

  /// Blocks of the disk that one block of sector bitmaps is for.
  var chunkRatio: UInt64 { (1 << 23) * UInt64(logicalSectorSize) / blockByteCount }

  /// Entries of the block table: a differencing disk's has all bitmaps of the last chunk.
  var tableEntryCount: UInt64 {
    let count = size / blockByteCount + (size % blockByteCount == 0 ? 0 : 1)
    if count == 0 { return 0 }
    return hasParent
      ? ((count - 1) / chunkRatio + 1) * (chunkRatio + 1) : count + (count - 1) / chunkRatio
  }

  /// - Parameters:
  ///   - file: The file, with its log replayed.
  ///   - region: Where the region lies in it.
  init(of file: any BlockSource, _ region: Range<UInt64>) throws {
    guard let table = try file.bytes(VHDXMetadata.tableByteCount, at: region.lowerBound) else {
      throw FormatError("VHDX metadata", at: region.lowerBound, .truncated)
    }
    var cursor = ByteCursor(table.span, of: "VHDX metadata", at: region.lowerBound, .little)
    try cursor.expect("metadata")
    try cursor.skip(2)
    let count = try cursor.u16()
    guard count <= VHDXMetadata.countLimit else {
      throw cursor.refusal(.impossible("\(count) entries"))
    }
    try cursor.skip(20)
    var seen: Set<GUID> = []
    for _ in 0..<count {
      let entry = region.lowerBound + UInt64(cursor.position)
      let id = try cursor.guid()
      let offset = UInt64(try cursor.u32())
      let length = UInt64(try cursor.u32())
      let flags = try cursor.u32()
      try cursor.skip(4)
      guard seen.insert(id).inserted else {
        throw FormatError("VHDX metadata", at: entry, .impossible("item \(id) stands twice"))
      }
      try take(id, offset, length, flags, entry, file, region)
    }
    try check(region.lowerBound, seen)
  }

  private mutating func take(
    _ id: GUID, _ offset: UInt64, _ length: UInt64, _ flags: UInt32, _ entry: UInt64,
    _ file: any BlockSource, _ region: Range<UInt64>
  ) throws {
    let known: [GUID: UInt64] = [
      VHDX.fileParameters: 8, VHDX.diskSize: 8, VHDX.diskIdentifier: 16,
      VHDX.logicalSectorSize: 4, VHDX.physicalSectorSize: 4,
    ]
    guard id == VHDX.parentLocator || known[id] != nil else {
      if flags & VHDXMetadata.isRequired == 0 { return }
      throw FormatError("VHDX metadata", at: entry, .unsupported("required item \(id)"))
    }
    guard known[id] == length || known[id] == nil && length <= VHDXParentLocator.byteLimit,
      offset >= UInt64(VHDXMetadata.tableByteCount),
      offset + length <= region.upperBound - region.lowerBound,
      let bytes = try file.bytes(Int(length), at: region.lowerBound + offset)
    else {
      throw FormatError(
        "VHDX metadata", at: entry, .impossible("item \(id) of \(length) bytes at \(offset)"))
    }
    var cursor = ByteCursor(
      bytes.span, of: "VHDX metadata", at: region.lowerBound + offset, .little)
    switch id {
    case VHDX.fileParameters:
      blockByteCount = UInt64(try cursor.u32())
      let flags = try cursor.u32()
      isFixed = flags & 1 == 1
      hasParent = flags & 2 == 2
    case VHDX.parentLocator:
      parentLocator = region.lowerBound + offset..<region.lowerBound + offset + length
    case VHDX.diskSize: size = try cursor.u64()
    case VHDX.diskIdentifier: identifier = try cursor.guid()
    case VHDX.logicalSectorSize: logicalSectorSize = try cursor.u32()
    default: physicalSectorSize = try cursor.u32()
    }
  }

  private func check(_ place: UInt64, _ seen: Set<GUID>) throws(FormatError) {
    func refuse(_ text: String) -> FormatError {
      FormatError("VHDX metadata", at: place, .impossible(text))
    }
    for (id, name) in [
      (VHDX.fileParameters, "file parameters"), (VHDX.diskSize, "size of the disk"),
      (VHDX.logicalSectorSize, "logical sector size"),
    ] where !seen.contains(id) { throw refuse("there is no \(name)") }
    guard blockByteCount >= 1 << 20, blockByteCount <= 256 << 20,
      blockByteCount & (blockByteCount - 1) == 0
    else { throw refuse("blocks of \(blockByteCount) bytes") }
    guard [512, 4096].contains(logicalSectorSize) else {
      throw refuse("sectors of \(logicalSectorSize) bytes")
    }
    guard size <= VHDX.sizeLimit, size % UInt64(logicalSectorSize) == 0 else {
      throw refuse("a disk of \(size) bytes")
    }
  }
}
