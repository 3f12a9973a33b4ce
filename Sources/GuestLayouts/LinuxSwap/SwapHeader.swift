internal import Bytes

/// The header of a Linux swap area, 1,024 bytes into its first page.
///
///     offset size  field
///          0    4  version       1
///          4    4  last page     so the area has one page more
///          8    4  bad pages     their number; the list follows at byte 512
///         12   16  UUID
///         28   16  label
///
/// In the byte order of the machine that made it. Linux, include/linux/swap.h.
struct SwapHeader: Equatable {
  static let offset = 1024
  static let byteCount = 44

  var lastPage: UInt64
  var badPageCount: UInt32
  var uuid: String?
  var label: String?

  init(parsing bytes: [UInt8], _ order: ByteOrder) throws(FormatError) {
    var cursor = ByteCursor(bytes.span, of: "swap header", at: UInt64(SwapHeader.offset), order)
    let version = try cursor.u32()
    guard version == 1 else { throw cursor.refusal(.unsupported("version \(version)")) }
    lastPage = UInt64(try cursor.u32())
    badPageCount = try cursor.u32()
    uuid = GuestText.uuid(try cursor.array(16))
    label = GuestText.label(try cursor.array(16))
  }
}
