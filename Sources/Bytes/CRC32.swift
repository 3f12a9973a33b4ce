/// The ordinary CRC-32 (reflected polynomial EDB88320), as GPT uses it.
public enum CRC32 {
  private static let table: [UInt32] = (0..<256).map { (start: UInt32) in
    (0..<8).reduce(start) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
  }

  public static func of(_ bytes: some Sequence<UInt8>) -> UInt32 {
    let table = table.span
    var value = ~UInt32(0)
    for byte in bytes { value = table[Int(UInt8(truncatingIfNeeded: value) ^ byte)] ^ value >> 8 }
    return ~value
  }
}
