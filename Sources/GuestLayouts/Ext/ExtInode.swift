internal import Bytes

/// An inode: what is known of a file, and where its content begins.
///
///     offset size  field
///       0x00    2  mode
///       0x02    2  owner, lower half
///       0x04    4  size, lower half
///       0x08   12  times of access, of change of the inode, of change of the content
///       0x18    2  group, lower half
///       0x1A    2  links
///       0x20    4  flags
///       0x28   60  block map, extents, target of a link, or content
///       0x64    4  generation
///       0x68    4  block of extended attributes, lower half
///       0x6C    4  size, upper half
///       0x76    2  block of extended attributes, upper half
///       0x78    4  owner and group, upper halves
///       0x7C    2  checksum, lower half
///
/// Larger ones:
///
///       0x80    2  bytes of what follows that are in use
///       0x82    2  checksum, upper half
///       0x84   12  the rest of the times of inode change, content change, access
///       0x90    8  time of creation, and its rest
///
/// The rest of a time is two bits that extend the seconds, and nanoseconds. Little-endian. Linux,
/// fs/ext4/ext4.h, `struct ext4_inode`.
struct ExtInode {
  struct Flags: OptionSet {
    let rawValue: UInt32

    static let encrypted = Flags(rawValue: 0x800)
    static let indexed = Flags(rawValue: 0x1000)
    static let extents = Flags(rawValue: 0x80000)
    static let attributeValue = Flags(rawValue: 0x20_0000)
    static let inlineData = Flags(rawValue: 0x1000_0000)
  }

  static let mapPlace = 0x28
  static let mapByteCount = 60

  let number: UInt32
  /// Where it lies in the area.
  let place: UInt64
  /// All of its bytes.
  let bytes: [UInt8]

  let mode: UInt16
  let owner: UInt32
  let group: UInt32
  let size: UInt64
  let linkCount: UInt16
  let flags: Flags
  let generation: UInt32
  let attributeBlock: UInt64
  /// How many bytes behind the first 128 hold fields; extended attributes follow them.
  let extraByteCount: Int
  let accessed: FileTime
  let changed: FileTime
  let modified: FileTime
  let created: FileTime?
  private let checksum: UInt32

  init(parsing bytes: [UInt8], number: UInt32, at place: UInt64) throws(FormatError) {
    self.number = number
    self.place = place
    self.bytes = bytes
    var cursor = ByteCursor(bytes.span, of: "ext inode", at: place, .little)
    mode = try cursor.u16()
    let ownerLow = try cursor.u16()
    let sizeLow = try cursor.u32()
    let seconds = [try cursor.u32(), try cursor.u32(), try cursor.u32()]
    try cursor.skip(4)
    let groupLow = try cursor.u16()
    linkCount = try cursor.u16()
    try cursor.skip(4)
    flags = Flags(rawValue: try cursor.u32())
    try cursor.skip(4 + ExtInode.mapByteCount)
    generation = try cursor.u32()
    let attributeBlockLow = try cursor.u32()
    let sizeHigh = try cursor.u32()
    try cursor.skip(6)
    attributeBlock = UInt64(try cursor.u16()) << 32 | UInt64(attributeBlockLow)
    owner = UInt32(try cursor.u16()) << 16 | UInt32(ownerLow)
    group = UInt32(try cursor.u16()) << 16 | UInt32(groupLow)
    size = UInt64(sizeHigh) << 32 | UInt64(sizeLow)
    let checksumLow = try cursor.u16()
    try cursor.skip(2)

    var extra = 0
    if bytes.count > 128 {
      extra = Int(try cursor.u16())
      guard extra % 4 == 0, extra <= bytes.count - 128 else {
        throw cursor.refusal(.impossible("\(extra) extra bytes"))
      }
    }
    extraByteCount = extra
    // Each field is there when it ends within the extra bytes.
    let checksumHigh = extra >= 4 ? try cursor.u16() : 0
    checksum = UInt32(checksumHigh) << 16 | UInt32(checksumLow)
    changed = ExtInode.time(seconds[1], extra >= 8 ? try cursor.u32() : 0)
    modified = ExtInode.time(seconds[2], extra >= 12 ? try cursor.u32() : 0)
    accessed = ExtInode.time(seconds[0], extra >= 16 ? try cursor.u32() : 0)
    if extra >= 20 {
      let birth = try cursor.u32()
      created = ExtInode.time(birth, extra >= 24 ? try cursor.u32() : 0)
    } else {
      created = nil
    }
  }

  private static func time(_ seconds: UInt32, _ rest: UInt32) -> FileTime {
    let nanoseconds = rest >> 2
    return FileTime(
      seconds: Int64(Int32(bitPattern: seconds)) + Int64(rest & 3) << 32,
      nanoseconds: nanoseconds < 1_000_000_000 ? nanoseconds : 0)
  }

  /// The 60 bytes of the block map, the extents, or what is kept in their place.
  var map: Span<UInt8> {
    @_lifetime(borrow self)
    get {
      bytes.span.extracting(
        ExtInode.mapPlace..<ExtInode.mapPlace + ExtInode.mapByteCount)
    }
  }

  /// Where the checksums of what belongs to this inode start.
  func seed(from seed: UInt32) -> UInt32 {
    ExtChecksum.crc32c(ExtChecksum.crc32c(seed, number), generation)
  }

  /// Compares the checksum, of which small inodes have the lower half only.
  func check(_ seed: UInt32) throws(FormatError) {
    var summed = bytes
    for index in [0x7C, 0x7D] { summed[index] = 0 }
    let isWhole = extraByteCount >= 4
    if isWhole { for index in [0x82, 0x83] { summed[index] = 0 } }
    let sum = ExtChecksum.crc32c(self.seed(from: seed), summed.span)
    let computed = isWhole ? sum : sum & 0xFFFF
    guard computed == checksum else {
      throw refusal(.badChecksum(stored: UInt64(checksum), computed: UInt64(computed)))
    }
  }

  func refusal(_ reason: FormatError.Reason) -> FormatError {
    FormatError("ext inode \(number)", at: place, reason)
  }

  // MARK: Kinds

  var isRegular: Bool { mode & 0xF000 == 0x8000 }
  var isDirectory: Bool { mode & 0xF000 == 0x4000 }
  var isSymbolicLink: Bool { mode & 0xF000 == 0xA000 }

  /// What kind of file it is; nil when nobody knows.
  var kind: GuestFile.Kind? {
    switch mode & 0xF000 {
    case 0x1000: .fifo
    case 0x2000: .characterDevice(major: device.major, minor: device.minor)
    case 0x4000: .directory
    case 0x6000: .blockDevice(major: device.major, minor: device.minor)
    case 0x8000: .regular
    case 0xA000: .symbolicLink
    case 0xC000: .socket
    default: nil
    }
  }

  /// The device's number: in the first word as it was of old, else in the second.
  private var device: (major: UInt32, minor: UInt32) {
    let old = mapWord(0)
    if old != 0 { return (old >> 8 & 0xFF, old & 0xFF) }
    let new = mapWord(1)
    return (new >> 8 & 0xFFF, new & 0xFF | new >> 12 & 0xFFF00)
  }

  /// A little-endian word of the map, of 0 to 14.
  func mapWord(_ index: Int) -> UInt32 {
    let start = ExtInode.mapPlace + index * 4
    return bytes[start..<start + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }
}

extension ExtVolume {
  static let rootInode: UInt32 = 2

  /// An inode, compared with its checksum.
  func inode(_ number: UInt32) throws -> ExtInode {
    guard number > 0, UInt64(number) <= geometry.inodeCount else {
      throw FormatError(
        "ext file system", at: ExtSuperblock.offset, .impossible("there is no inode \(number)"))
    }
    let index = UInt64(number - 1)
    let group = try group(Int(index / geometry.inodesPerGroup))
    let place =
      group.inodeTable * geometry.blockSize
      + index % geometry.inodesPerGroup * geometry.inodeSize
    let bytes = try bytes(Int(geometry.inodeSize), at: place)
    let inode = try ExtInode(parsing: bytes, number: number, at: place)
    if hasChecksums { try inode.check(seed) }
    return inode
  }
}
