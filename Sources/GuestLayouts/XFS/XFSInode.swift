internal import Bytes

/// An inode: what is known of a file, and where its content and its attributes are.
///
///     offset size  field
///          0    2  magic "IN"
///          2    2  mode
///          4    1  version        1 to 3; 3 in version 5 of the file system
///          5    1  form           of the data: 0 device, 1 inside, 2 extents, 3 tree
///          6    2  links          version 1 only
///          8    8  owner, group
///         16    4  links
///         24    8  data extents   with large extent counts
///         32   24  accessed, modified, changed
///         56    8  size
///         64    8  blocks
///         76    4  data extents   with large extent counts: attribute extents
///         80    2  attribute extents
///         82    1  fork           where attributes start, in 8 bytes behind the core; 0 for none
///         83    1  form           of the attributes
///         90    2  flags          1 is on the realtime device
///        100    4  checksum       from here on in version 3 only; CRC-32C, little-endian
///        120    8  more flags     2 shares extents, 8 large times, 16 large extent counts
///        144    8  created
///        152    8  its own number
///        160   16  UUID
///
/// Data follow at 176, in older inodes at 100. Big-endian. Times are seconds and nanoseconds of 32
/// bits, or nanoseconds since 2^31 seconds before 1970. XFS Algorithms & Data Structures, "On-disk
/// Inode"; Linux, fs/xfs/libxfs/xfs_format.h.
struct XFSInode {
  enum Form: UInt8 {
    case device = 0
    case inside = 1
    case extents = 2
    case tree = 3
  }

  let number: UInt64
  let mode: UInt16
  let size: UInt64
  /// Blocks of data, attributes and their trees.
  let blockCount: UInt64
  let isRealtime: Bool
  let sharesExtents: Bool
  /// The inode's part with data, and with attributes.
  let data: XFSFork
  let attributes: XFSFork?
  private let owner: UInt32
  private let group: UInt32
  private let linkCount: UInt32
  private let times: [FileTime]
  private let created: FileTime?
  private let device: UInt32

  private enum Flag {
    static let realtime: UInt16 = 1
    static let shared: UInt64 = 2
    static let metadata: UInt64 = 0x20
    static let largeTimes: UInt64 = 8
    static let largeCounts: UInt64 = 16
  }

  init(_ volume: XFSVolume, _ number: UInt64) throws {
    let superblock = volume.superblock
    let offset = try superblock.byteOffset(ofInode: number)
    let bytes = try volume.bytes(superblock.inodeByteCount, at: offset, of: "XFS inode")
    let span = bytes.span
    var cursor = ByteCursor(span, of: "XFS inode", at: offset, .big)
    try cursor.expect("IN")
    self.number = number
    mode = try cursor.u16()
    let version = try cursor.u8()
    guard superblock.hasChecksums ? version == 3 : version == 1 || version == 2 else {
      throw cursor.refusal(.unsupported("version \(version)"))
    }
    let later = try XFSInode.laterFields(volume, bytes, number, at: offset)
    let form: Form = try cursor.one()
    let oldLinkCount = try cursor.u16()
    (owner, group) = (try cursor.u32(), try cursor.u32())
    let newLinkCount = try cursor.u32()
    linkCount = version == 1 ? UInt32(oldLinkCount) : newLinkCount
    try cursor.skip(4)
    let largeCount = try cursor.u64()
    let isLarge = later.flags & Flag.largeTimes != 0
    times = [
      XFSInode.time(try cursor.u64(), isLarge), XFSInode.time(try cursor.u64(), isLarge),
      XFSInode.time(try cursor.u64(), isLarge),
    ]
    created = later.created.map { XFSInode.time($0, isLarge) }
    size = try cursor.u64()
    guard size <= UInt64(Int64.max) else { throw cursor.refusal(.impossible("\(size) bytes")) }
    blockCount = try cursor.u64()
    guard blockCount <= superblock.blockCount else {
      throw cursor.refusal(.impossible("\(blockCount) blocks"))
    }
    try cursor.skip(4)
    let (small, smaller) = (try cursor.u32(), try cursor.u16())
    let counts =
      later.flags & Flag.largeCounts == 0
      ? (UInt64(small), UInt64(smaller)) : (largeCount, UInt64(small))
    let start = superblock.hasChecksums ? 176 : 100
    let fork = Int(try cursor.u8()) * 8
    guard fork < bytes.count - start else {
      throw cursor.refusal(.impossible("its attributes begin at byte \(fork)"))
    }
    let attributeForm = try cursor.u8()
    try cursor.skip(6)
    isRealtime = try cursor.u16() & Flag.realtime != 0
    sharesExtents = later.flags & Flag.shared != 0
    device = form == .device ? UInt32(truncatingIfNeeded: span.big64(at: start) >> 32) : 0
    let end = fork == 0 ? bytes.count : start + fork
    data = XFSFork(
      volume: volume, inode: number, form: form, bytes: Array(bytes[start..<end]),
      extentCount: counts.0, blockLimit: blockCount)
    guard fork > 0 else {
      attributes = nil
      return
    }
    guard let other = Form(rawValue: attributeForm), other != .device else {
      throw cursor.refusal(.impossible("attributes of form \(attributeForm)"))
    }
    attributes = XFSFork(
      volume: volume, inode: number, form: other, bytes: Array(bytes[end...]),
      extentCount: counts.1, blockLimit: blockCount)
  }

  /// What version 3 added, once its checksum and its place are found right.
  private static func laterFields(
    _ volume: XFSVolume, _ bytes: [UInt8], _ number: UInt64, at offset: UInt64
  ) throws -> (flags: UInt64, created: UInt64?) {
    guard volume.superblock.hasChecksums else { return (0, nil) }
    try volume.verify(bytes, checksumAt: 100, of: "XFS inode", at: offset)
    var cursor = ByteCursor(bytes.span, of: "XFS inode", at: offset, .big)
    try cursor.skip(120)
    let flags = try cursor.u64()
    guard flags & ~UInt64(0x3F) == 0, flags & Flag.metadata == 0 else {
      throw cursor.refusal(.unsupported("inode flags 0x\(String(flags, radix: 16))"))
    }
    try cursor.skip(16)
    let created = try cursor.u64()
    let named = try cursor.u64()
    try volume.require(
      uuid: try cursor.array(16), block: nil, owner: (named, number), of: "XFS inode", at: offset)
    return (flags, created)
  }

  private static func time(_ value: UInt64, _ isLarge: Bool) -> FileTime {
    let billion: UInt64 = 1_000_000_000
    if isLarge {
      return FileTime(
        seconds: Int64(value / billion) - 1 << 31, nanoseconds: UInt32(value % billion))
    }
    let seconds = Int32(truncatingIfNeeded: value >> 32)
    // Damaged nanoseconds do not make a file unreadable.
    let nanoseconds = UInt32(truncatingIfNeeded: value)
    return FileTime(
      seconds: Int64(seconds), nanoseconds: nanoseconds < billion ? nanoseconds : 0)
  }

  /// The inode as other modules know files.
  func file() throws(FormatError) -> GuestFile {
    // Eighteen bits of minor number, and fourteen of major above them.
    let (major, minor) = (device >> 18 & 0x3FFF, device & 0x3FFFF)
    let kind: GuestFile.Kind =
      switch mode >> 12 {
      case 1: .fifo
      case 2: .characterDevice(major: major, minor: minor)
      case 4: .directory
      case 6: .blockDevice(major: major, minor: minor)
      case 8: .regular
      case 10: .symbolicLink
      case 12: .socket
      default:
        throw FormatError("XFS", at: 0, .impossible("inode \(number) is of no kind"))
      }
    var file = GuestFile(id: number, kind: kind)
    file.size = size
    file.linkCount = linkCount
    file.mode = mode & 0xFFF
    file.owner = owner
    file.group = group
    (file.accessed, file.modified, file.changed) = (times[0], times[1], times[2])
    file.created = created
    return file
  }
}
