internal import CDeflate

/// The ordinary CRC-32 (polynomial EDB88320, reflected, inverted at both ends) by libdeflate, as GPT and
/// gzip use it, over bytes that come piece by piece.
public struct CRC32: Sendable {
  /// The CRC of all bytes that were added.
  public private(set) var value: UInt32 = 0

  public init() {}

  public mutating func add(_ bytes: Span<UInt8>) {
    // Where no bytes are, libdeflate would begin anew.
    guard !bytes.isEmpty else { return }
    value = unsafe bytes.withUnsafeBytes {
      unsafe libdeflate_crc32(value, $0.baseAddress, $0.count)
    }
  }

  public static func of(_ bytes: Span<UInt8>) -> UInt32 {
    var crc = CRC32()
    crc.add(bytes)
    return crc.value
  }
}
