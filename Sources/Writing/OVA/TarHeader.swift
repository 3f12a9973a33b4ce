internal import Bytes

/// The 512 bytes in front of a file in a tar archive.
///
///     offset size  field
///          0  100  name
///        100    8  mode, 108 (8): user, 116 (8): group; in octal digits
///        124   12  size: octal digits, or from 8 GiB on 0x80 and a big-endian number, as GNU has it
///        136   12  time of the last change, in octal digits
///        148    8  checksum: the sum of all bytes, with spaces in its place
///        156    1  kind: '0' a file
///        257    8  "ustar", version; 265 (32): user's name, 297 (32): group's name
///
/// POSIX.1-1988, ustar. libarchive writes such headers, too, but only before what they are for: an
/// OVA's first files tell the sizes and digests of those behind them, which are known in the end.
enum TarHeader {
  static let byteCount = 512
  /// The most bytes of a name.
  static let nameLimit = 99
  private static let octalLimit: UInt64 = 8 << 30

  /// - Parameters:
  ///   - name: The file's name, of ASCII.
  ///   - size: Its size in bytes.
  ///   - changed: Seconds since 1970.
  static func bytes(_ name: String, size: UInt64, changed: Int64) -> [UInt8] {
    precondition(name.utf8.count <= nameLimit)
    var builder = ByteBuilder(.big, capacity: byteCount)
    builder.raw(Array(name.utf8))
    builder.pad(to: 100)
    octal(0o644, 8, &builder)
    octal(0, 8, &builder)
    octal(0, 8, &builder)
    if size < octalLimit {
      octal(size, 12, &builder)
    } else {
      builder.u32(0x8000_0000)
      builder.u64(size)
    }
    octal(UInt64(max(changed, 0)), 12, &builder)
    builder.text("        ")
    builder.text("0")
    builder.pad(to: 257)
    builder.text("ustar\0")
    builder.text("00")
    builder.text("root")
    builder.pad(to: 297)
    builder.text("root")
    builder.pad(to: 329)
    octal(0, 8, &builder)
    octal(0, 8, &builder)
    builder.pad(to: byteCount)
    var bytes = builder.bytes
    var checksum = ByteBuilder(.big)
    octal(bytes.reduce(0) { $0 + UInt64($1) }, 7, &checksum)
    bytes.replaceSubrange(148..<155, with: checksum.bytes)
    return bytes
  }

  /// Appends `number` in octal digits, with a NUL as the last of `count` bytes.
  private static func octal(_ number: UInt64, _ count: Int, _ builder: inout ByteBuilder) {
    let digits = String(number, radix: 8)
    precondition(digits.utf8.count < count)
    builder.raw(Array((String(repeating: "0", count: count - 1 - digits.utf8.count) + digits).utf8))
    builder.u8(0)
  }
}
