internal import Blocks
internal import Bytes

/// An extended attribute where it is stored: behind the fields of an inode, or in a block.
///
///     offset size  field
///          0    1  name's length
///          1    1  name's beginning, as a number
///          2    2  value's place      from the first entry in an inode, from the block's start
///          4    4  value's inode      0: the value is here
///          8    4  value's length
///         12    4  hash
///         16       name               padded to a multiple of 4
///
/// Entries end with four zeros. Little-endian. Linux, fs/ext4/xattr.h.
struct ExtAttribute {
  private static let inlineDataPrefix: UInt8 = 7
  private static let encryptionPrefix: UInt8 = 9

  var prefix: UInt8
  var name: [UInt8]
  var valueInode: UInt32
  var valueByteCount: Int
  /// The value when it is here.
  var value: [UInt8]

  /// The content of a small file.
  var isInlineData: Bool {
    prefix == ExtAttribute.inlineDataPrefix && name == Array("data".utf8)
  }

  /// Its name as Linux shows it; nil for what is the file system's own.
  var fullName: [UInt8]? {
    let start: String? =
      switch prefix {
      case 1: "user."
      case 2: "system.posix_acl_access"
      case 3: "system.posix_acl_default"
      case 4: "trusted."
      case 6: "security."
      case 7: isInlineData ? nil : "system."
      case 8: "system.richacl"
      default: nil
      }
    return start.map { Array($0.utf8) + name }
  }

  var isAccessList: Bool { prefix == 2 || prefix == 3 }
}

extension ExtVolume {
  /// The most bytes of one value, as Linux has it.
  private static let valueByteLimit = 65536
  /// The most bytes of all values of a file.
  private static let allValuesByteLimit = 16 << 20
  private static let attributesMagic: UInt32 = 0xEA02_0000

  /// The extended attributes that lie within an inode.
  func attributes(inside inode: ExtInode) throws -> [ExtAttribute] {
    let start = 128 + inode.extraByteCount
    guard inode.bytes.count > 128, inode.bytes.count - start >= 4 else { return [] }
    let area = inode.bytes.span.extracting(start..<inode.bytes.count)
    var cursor = ByteCursor(area, of: "ext attributes", at: inode.place, .little)
    guard try cursor.u32() == ExtVolume.attributesMagic else { return [] }
    return try entries(in: area.extracting(4..<area.count), from: 0, at: inode.place)
  }

  /// The extended attributes in a block of their own, which files with the same share.
  ///
  ///     offset size  field
  ///          0    4  magic          EA020000
  ///          4    4  references
  ///          8    4  blocks         1
  ///         16    4  checksum       of the block's number and the block with this field zero
  ///         32       entries
  private func attributes(inBlock number: UInt64) throws -> [ExtAttribute] {
    guard isUsable(number, count: 1) else {
      throw FormatError(
        "ext attributes", at: number &* geometry.blockSize, .impossible("beyond the end"))
    }
    let block = try block(number)
    let place = number * geometry.blockSize
    var cursor = ByteCursor(block.span, of: "ext attributes", at: place, .little)
    guard try cursor.u32() == ExtVolume.attributesMagic else { throw cursor.refusal(.badMagic) }
    try cursor.skip(12)
    let stored = try cursor.u32()
    if hasChecksums {
      var summed = block
      for index in 16..<20 { summed[index] = 0 }
      let computed = ExtChecksum.crc32c(ExtChecksum.crc32c(seed, number), summed.span)
      guard stored == computed else {
        throw cursor.refusal(.badChecksum(stored: UInt64(stored), computed: UInt64(computed)))
      }
    }
    return try entries(in: block.span, from: 32, at: place)
  }

  /// - Parameters:
  ///   - area: What the places of values are counted from.
  ///   - start: Where the entries begin in it.
  private func entries(
    in area: Span<UInt8>, from start: Int, at place: UInt64
  ) throws(FormatError) -> [ExtAttribute] {
    var result: [ExtAttribute] = []
    var cursor = ByteCursor(area, of: "ext attributes", at: place, .little)
    try cursor.skip(start)
    while cursor.remaining >= 4 {
      let entry = cursor.position
      let nameLength = Int(try cursor.u8())
      let prefix = try cursor.u8()
      let valuePlace = Int(try cursor.u16())
      if nameLength == 0, prefix == 0, valuePlace == 0 { break }
      let valueInode = try cursor.u32()
      let valueByteCount = try cursor.u32()
      try cursor.skip(4)
      let name = try cursor.array(nameLength)
      guard valueByteCount <= UInt32(ExtVolume.valueByteLimit),
        valueInode != 0 || Int(valueByteCount) <= area.count - valuePlace
      else { throw cursor.refusal(.impossible("a value of \(valueByteCount) bytes")) }
      var value: [UInt8] = []
      if valueInode == 0, valueByteCount > 0 {
        value.reserveCapacity(Int(valueByteCount))
        for index in valuePlace..<valuePlace + Int(valueByteCount) { value.append(area[index]) }
      }
      result.append(
        ExtAttribute(
          prefix: prefix, name: name, valueInode: valueInode,
          valueByteCount: Int(valueByteCount), value: value))
      let padded = (16 + nameLength + 3) & ~3
      try cursor.skip(min(entry + padded - cursor.position, cursor.remaining))
    }
    return result
  }

  /// The value of an attribute: here, or the content of an inode, which has its hash in place of
  /// the time of access.
  func value(of attribute: ExtAttribute, _ owner: ExtInode) throws -> [UInt8] {
    guard attribute.valueInode != 0 else { return attribute.value }
    let inode = try inode(attribute.valueInode)
    guard superblock.features.incompatible.contains(.attributeInodes),
      inode.flags.contains(.attributeValue), inode.size == UInt64(attribute.valueByteCount),
      let value = try content(of: inode).bytes(attribute.valueByteCount, at: 0)
    else { throw owner.refusal(.impossible("a value in inode \(attribute.valueInode)")) }
    let computed = ExtChecksum.crc32c(seed, value.span)
    let stored = UInt32(truncatingIfNeeded: inode.accessed.seconds)
    guard stored == computed else {
      throw inode.refusal(.badChecksum(stored: UInt64(stored), computed: UInt64(computed)))
    }
    return value
  }

  /// All extended attributes of a file as Linux shows them.
  func attributes(of inode: ExtInode) throws -> [ExtendedAttribute] {
    var found = try attributes(inside: inode)
    if inode.attributeBlock != 0 { found += try attributes(inBlock: inode.attributeBlock) }
    var result: [ExtendedAttribute] = []
    var byteCount = 0
    for attribute in found {
      guard let name = attribute.fullName else { continue }
      byteCount += attribute.valueByteCount
      guard byteCount <= ExtVolume.allValuesByteLimit else {
        throw inode.refusal(.impossible("more than 16 MiB of attributes"))
      }
      let value = try value(of: attribute, inode)
      result.append(
        ExtendedAttribute(
          name: name, value: attribute.isAccessList ? try ExtAccessList.linux(value) : value))
    }
    return result
  }
}

/// An access control list, which has another form on the disk than programs see.
///
/// On the disk: version 1 (4), then entries of tag (2) and permissions (2), with an id (4) for
/// named users (tag 2) and groups (tag 8). Linux: version 2 (4), and an id in every entry. Linux,
/// fs/ext4/acl.h and include/uapi/linux/posix_acl_xattr.h.
enum ExtAccessList {
  static func linux(_ stored: [UInt8]) throws(FormatError) -> [UInt8] {
    var cursor = ByteCursor(stored.span, of: "ext access control list", .little)
    let version = try cursor.u32()
    guard version == 1 else { throw cursor.refusal(.unsupported("version \(version)")) }
    var result: [UInt8] = [2, 0, 0, 0]
    while cursor.remaining > 0 {
      let tag = try cursor.u16()
      let permissions = try cursor.u16()
      let id = tag == 2 || tag == 8 ? try cursor.u32() : ~0
      result += ExtChecksum.little(tag) + ExtChecksum.little(permissions) + ExtChecksum.little(id)
    }
    return result
  }
}
