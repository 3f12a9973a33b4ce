internal import Blocks
internal import Bytes

/// $LogFile: whether it holds changes that have not been carried out.
///
/// Two restart pages open it, the newer of which counts. A log full of ones is empty.
///
///     offset size  field             of a restart page
///          0    4  signature         "RSTR"; "CHKD" when chkdsk has changed it
///          4    4  fixups
///         16    4  bytes of a page   of the system that made it: the second one's place
///         20    4  bytes of a page of the log
///         24    2  offset of the restart area
///         26    2  minor version
///         28    2  major version
///
///     offset size  field             of a restart area
///          0    8  log sequence number, current
///         10    2  list of free clients
///         12    2  list of clients in use     0xFFFF: none
///         14    2  flags             2: the volume is clean
///
/// Version 2.0 is in use while Windows 8 or newer has a volume mounted; they go back to 1.1 when
/// they unmount it, and do not when they shut down by fast startup. Linux-NTFS, "$LogFile";
/// Microsoft, "Windows 8 volume compatibility considerations".
enum NTFSLog {
  /// The fewest bytes of a log: both restart pages and some more.
  static let leastByteCount: UInt64 = 64 << 10
  private static let pageSizeLimit: UInt32 = 64 << 10

  /// What counts of a restart page.
  private struct RestartPage {
    var pageSize: UInt32
    var version: (major: UInt16, minor: UInt16)
    var sequenceNumber: UInt64
    var clientsInUse: UInt16
    var flags: UInt16
  }

  /// Why the log is not known to be clean; nil when it is.
  static func doubt(of volume: NTFSVolume) throws -> String? {
    let node = try volume.node(.log)
    guard case .mapped(let mapped)? = try volume.content(.data, of: node), mapped.isPlain,
      mapped.initialized >= leastByteCount
    else { return "its log is too small" }
    let log = NTFSStream(mapped, of: volume.source)
    guard let head = try log.bytes(Int(leastByteCount), at: 0) else {
      return "its log is too small"
    }
    let empty = [UInt8](repeating: 0xFF, count: head.count)
    if areEqual(head.span, empty.span) { return nil }
    let first: RestartPage
    let second: RestartPage
    do {
      first = try page(of: head, at: 0)
      guard UInt64(first.pageSize) * 2 <= leastByteCount else {
        return "its log has pages of \(first.pageSize) bytes"
      }
      second = try page(of: head, at: Int(first.pageSize))
    } catch {
      return "its log is damaged or is not clean: \(error)"
    }
    let page = second.sequenceNumber > first.sequenceNumber ? second : first
    guard page.clientsInUse == 0xFFFF || page.flags & 2 != 0 else {
      return "its log holds changes that have not been carried out: it was not unmounted"
    }
    guard page.version == (1, 1) else {
      return "its log has version \(page.version.major).\(page.version.minor), as while Windows"
        + " has it mounted or after fast startup"
    }
    return nil
  }

  private static func page(of log: [UInt8], at start: Int) throws(FormatError) -> RestartPage {
    let head = log.span.extracting(start..<log.count)
    var cursor = ByteCursor(head, of: "NTFS log", at: UInt64(start), .little)
    try cursor.expect("RSTR")
    try cursor.skip(12)
    let pageSize = try cursor.u32()
    let logPageSize = try cursor.u32()
    guard pageSize.nonzeroBitCount == 1, pageSize >= 512, pageSize <= pageSizeLimit,
      logPageSize.nonzeroBitCount == 1, logPageSize >= 512, Int(pageSize) <= head.count,
      start == 0 || start == Int(pageSize)
    else { throw cursor.refusal(.impossible("pages of \(pageSize) and \(logPageSize) bytes")) }
    let area = Int(try cursor.u16())
    let minor = try cursor.u16()
    let major = try cursor.u16()
    var bytes = Array(log[start..<start + Int(pageSize)])
    try NTFSFixups.undo(&bytes, of: "NTFS log", at: UInt64(start))
    guard area % 8 == 0, area >= 30, area <= bytes.count - 48 else {
      throw cursor.refusal(.impossible("a restart area at \(area)"))
    }
    let rest = bytes.span.extracting(area..<bytes.count)
    var fields = ByteCursor(rest, of: "NTFS log", at: UInt64(start + area), .little)
    let number = try fields.u64()
    try fields.skip(4)
    return RestartPage(
      pageSize: pageSize, version: (major, minor), sequenceNumber: number,
      clientsInUse: try fields.u16(), flags: try fields.u16())
  }
}
