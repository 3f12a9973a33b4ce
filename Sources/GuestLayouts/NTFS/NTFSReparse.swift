internal import Bytes

/// What stands in the place of a file's ordinary meaning: a link, or data for another driver.
///
///     offset size  field
///          0    4  tag
///          4    2  bytes of the data
///          8       data
///
/// [MS-FSCC] 2.1.2; the tags of the Windows Subsystem for Linux are in ntifs.h.
struct NTFSReparse {
  /// The most bytes of all of it.
  static let byteLimit = 16 << 10

  enum Tag: UInt32 {
    case mountPoint = 0xA000_0003
    case symbolicLink = 0xA000_000C
    case linuxLink = 0xA000_001D
    case linuxSocket = 0x8000_0023
    case linuxFIFO = 0x8000_0024
    case linuxCharacterDevice = 0x8000_0025
    case linuxBlockDevice = 0x8000_0026
    case overlay = 0x8000_0017
    case deduplicated = 0x8000_0013
  }

  var tag: UInt32
  var data: [UInt8]

  init(parsing bytes: [UInt8], at place: UInt64) throws(FormatError) {
    var cursor = ByteCursor(bytes.span, of: "NTFS reparse point", at: place, .little)
    tag = try cursor.u32()
    let count = Int(try cursor.u16())
    try cursor.skip(2)
    data = try cursor.array(count)
  }

  var known: Tag? { Tag(rawValue: tag) }

  /// Whether it stands for another file, as links do: the name surrogate bit.
  var isSurrogate: Bool { tag & 0x2000_0000 != 0 }

  /// Why what the file holds cannot be told; nil when it can.
  ///
  /// Files of cloud storages are as they are unless their attributes say that they are elsewhere.
  func contentDoubt(attributes: UInt32) -> String? {
    switch known {
    case .overlay: return "it is compressed by the Windows overlay filter"
    case .deduplicated: return "it is deduplicated"
    default: break
    }
    let isCloud = tag & 0xFFFF_0FFF == 0x9000_001A
    if isCloud, attributes & NTFSStandardInformation.elsewhere == 0 { return nil }
    if isCloud { return "its content is in a cloud storage" }
    return "its content belongs to a filter, 0x\(String(tag, radix: 16))"
  }

  /// Where a symbolic link or a junction points to, with slashes; nil when it is none.
  ///
  ///     offset size  field        of a link's data
  ///          0    2  offset of the substitute name, counted from the names
  ///          2    2  its bytes
  ///          4    2  offset of the printed name
  ///          6    2  its bytes
  ///          8    4  flags        1 relative; not in a junction
  ///     8 or 12       names       UTF-16
  func target(at place: UInt64) throws(FormatError) -> [UInt8]? {
    let names: Int
    switch known {
    case .mountPoint: names = 8
    case .symbolicLink: names = 12
    case .linuxLink:
      guard data.count > 4 else { return nil }
      return Array(data[4...])
    default: return nil
    }
    var cursor = ByteCursor(data.span, of: "NTFS link", at: place, .little)
    let substitute = (Int(try cursor.u16()), Int(try cursor.u16()))
    let printed = (Int(try cursor.u16()), Int(try cursor.u16()))
    var units: [UInt16] = []
    for (offset, count) in [printed, substitute] where units.isEmpty && count > 0 {
      guard names + offset + count <= data.count else {
        throw cursor.refusal(.impossible("a name of \(count) bytes at \(offset)"))
      }
      units = NTFSNames.units(data[names + offset..<names + offset + count])
    }
    let prefix = Array("\\??\\".utf16)
    if units.starts(with: prefix) { units.removeFirst(prefix.count) }
    // No name has a backslash in it, so nothing is lost.
    return NTFSNames.bytes(units.map { $0 == 0x5C ? 0x2F : $0 })
  }
}

/// The link that Interix and `ntfs-3g` make: a system file that begins with a mark.
enum NTFSInterixLink {
  private static let magic = Array("IntxLNK\u{1}".utf8)
  /// The most bytes of mark and target.
  static let byteLimit: UInt64 = 8 + 2 * 4096

  /// The target, of a file's content; nil when it is no link.
  static func target(in content: [UInt8]) -> [UInt8]? {
    guard content.starts(with: magic), content.count > magic.count else { return nil }
    return NTFSNames.bytes(NTFSNames.units(content[magic.count...]))
  }
}

/// Modes and owners that the Windows Subsystem for Linux keeps as extended attributes.
///
///     offset size  field        of each
///          0    4  offset of the next one, zero in the last
///          4    1  flags
///          5    1  bytes of the name, without the NUL behind it
///          6    2  bytes of the value
///          8       name, value
///
/// [MS-FSCC] 2.4.16; Microsoft, "File Permissions for WSL".
struct NTFSLinuxAttributes {
  /// The most bytes of all of them, as Windows has it.
  static let byteLimit: UInt64 = 64 << 10

  private(set) var mode: UInt32?
  private(set) var owner: UInt32?
  private(set) var group: UInt32?
  private(set) var device: (major: UInt32, minor: UInt32)?

  init() {}

  init(parsing bytes: [UInt8], at place: UInt64) throws(FormatError) {
    let span = bytes.span
    var position = 0
    while position < bytes.count {
      let rest = span.extracting(position..<bytes.count)
      var cursor = ByteCursor(rest, of: "NTFS extended attribute", at: place, .little)
      let next = Int(try cursor.u32())
      try cursor.skip(1)
      let nameCount = Int(try cursor.u8())
      let valueCount = Int(try cursor.u16())
      let name = try cursor.array(nameCount)
      try cursor.skip(1)
      let value = try cursor.array(valueCount)
      take(String(decoding: name, as: UTF8.self), value)
      if next == 0 { return }
      guard next >= 8, next <= rest.count else {
        throw cursor.refusal(.impossible("the next one in \(next) bytes"))
      }
      position += next
    }
  }

  private mutating func take(_ name: String, _ value: [UInt8]) {
    func number(_ start: Int = 0) -> UInt32? {
      value.count >= start + 4 ? value.span.little32(at: start) : nil
    }
    switch name {
    case "$LXMOD": mode = number()
    case "$LXUID": owner = number()
    case "$LXGID": group = number()
    case "$LXDEV":
      if let major = number(), let minor = number(4) { device = (major, minor) }
    default: break
    }
  }
}

/// The times and attributes of a file.
///
///     offset size  field
///          0    8  created           100 ns since 1601
///          8    8  modified
///         16    8  record changed
///         24    8  accessed
///         32    4  attributes        4 system, 0x1000 offline, 0x40000 and 0x400000 recalled from
///                                    elsewhere
///
/// Linux-NTFS documentation, "$STANDARD_INFORMATION"; [MS-FSCC] 2.6.
struct NTFSStandardInformation {
  static let system: UInt32 = 4
  static let elsewhere: UInt32 = 0x44_1000

  var created, modified, changed, accessed: FileTime?
  var attributes: UInt32

  init(parsing bytes: [UInt8], at place: UInt64) throws(FormatError) {
    var cursor = ByteCursor(bytes.span, of: "NTFS standard information", at: place, .little)
    created = Self.time(try cursor.u64())
    modified = Self.time(try cursor.u64())
    changed = Self.time(try cursor.u64())
    accessed = Self.time(try cursor.u64())
    attributes = try cursor.u32()
  }

  /// Seconds from 1601 to 1970.
  private static let epoch: Int64 = 11_644_473_600

  private static func time(_ ticks: UInt64) -> FileTime? {
    guard ticks != 0 else { return nil }
    return FileTime(
      seconds: Int64(ticks / 10_000_000) - epoch, nanoseconds: UInt32(ticks % 10_000_000) * 100)
  }
}
