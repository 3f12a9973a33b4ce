internal import Bytes

/// Access lists, which XFS keeps as trusted attributes.
///
/// There they are big-endian: a count and then for each entry tag (4), id (4), rights (2) and 2
/// bytes. Linux shows them little-endian: version 2 (4), then tag (2), rights (2) and id (4), all ones
/// where there is none.
///
/// Linux, fs/xfs/libxfs/xfs_format.h, `xfs_acl`; include/uapi/linux/posix_acl_xattr.h.
enum XFSAccessList {
  private static let user: UInt32 = 2
  private static let group: UInt32 = 8

  /// The name that Linux shows; nil when it is another attribute.
  static func name(for name: [UInt8]) -> String? {
    switch String(decoding: name, as: UTF8.self) {
    case "SGI_ACL_FILE": "system.posix_acl_access"
    case "SGI_ACL_DEFAULT": "system.posix_acl_default"
    default: nil
    }
  }

  /// The list as Linux shows it; nil when it is not one.
  static func linux(_ value: [UInt8]) -> [UInt8]? {
    var result = ByteBuilder(.little)
    result.u32(2)
    do {
      var cursor = ByteCursor(value.span, of: "access list", .big)
      let count = try cursor.u32()
      guard UInt64(count) * 12 <= UInt64(cursor.remaining) else { return nil }
      for _ in 0..<count {
        let (tag, id) = (try cursor.u32(), try cursor.u32())
        result.u16(UInt16(truncatingIfNeeded: tag))
        result.u16(try cursor.u16())
        result.u32(tag == user || tag == group ? id : UInt32.max)
        try cursor.skip(2)
      }
    } catch {
      return nil
    }
    return result.bytes
  }
}
