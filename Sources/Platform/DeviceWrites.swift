/// Tells whether a block device is written to, by whomever: the kernel counts it.
///
/// Linux, Documentation/block/stat.rst.
public final class DeviceWrites: Sendable {
  /// Writes that were done, merged ones, sectors, and the same of discards: words from 0 on.
  private static let wordsOfWrites = [4, 5, 6, 11, 12, 13]

  private let counters: FileDescriptor
  private let atOpen: [Substring]

  /// The file with a block device's counters; nil for everything else.
  public static func path(of status: FileStatus) -> String? {
    guard status.kind == .blockDevice else { return nil }
    // As gnu_dev_major(3) and gnu_dev_minor(3) take numbers apart.
    let number = status.ownNumber
    let major = number >> 8 & 0xFFF | number >> 32 & 0xFFFF_F000
    let minor = number & 0xFF | number >> 12 & 0xFFFF_FF00
    return "/sys/dev/block/\(major):\(minor)/stat"
  }

  /// Nil for what is no block device, and where the kernel does not show its counters.
  public init?(_ status: FileStatus) {
    guard let path = DeviceWrites.path(of: status) else { return nil }
    do {
      counters = try FileDescriptor(path, .read)
      atOpen = try DeviceWrites.count(in: counters)
    } catch {
      return nil
    }
  }

  /// Whether something was written since.
  public func hasAny() throws(SystemError) -> Bool {
    try DeviceWrites.count(in: counters) != atOpen
  }

  private static func count(in file: FileDescriptor) throws(SystemError) -> [Substring] {
    var bytes = [UInt8](repeating: 0, count: 1024)
    var span = bytes.mutableSpan
    let count = try file.read(into: &span, at: 0)
    let words = String(decoding: bytes[..<count], as: UTF8.self).split(
      whereSeparator: \.isWhitespace)
    return wordsOfWrites.filter { $0 < words.count }.map { words[$0] }
  }
}
