/// Names of NTFS, which are any 16-bit numbers, as bytes.
enum NTFSNames {
  /// UTF-8; a surrogate without its other half becomes three bytes, as WTF-8 has it.
  static func bytes(_ units: [UInt16]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(units.count)
    var index = 0
    while index < units.count {
      var value = UInt32(units[index])
      index += 1
      if value & 0xFC00 == 0xD800, index < units.count, units[index] & 0xFC00 == 0xDC00 {
        value = 0x10000 + (value & 0x3FF) << 10 + UInt32(units[index] & 0x3FF)
        index += 1
      }
      append(value, to: &result)
    }
    return result
  }

  private static func append(_ value: UInt32, to bytes: inout [UInt8]) {
    func tail(_ shift: UInt32) -> UInt8 { UInt8(0x80 | value >> shift & 0x3F) }
    switch value {
    case ..<0x80: bytes.append(UInt8(value))
    case ..<0x800: bytes += [UInt8(0xC0 | value >> 6), tail(0)]
    case ..<0x10000: bytes += [UInt8(0xE0 | value >> 12), tail(6), tail(0)]
    default: bytes += [UInt8(0xF0 | value >> 18), tail(12), tail(6), tail(0)]
    }
  }

  /// Little-endian 16-bit numbers; an odd byte at the end is left out.
  static func units(_ bytes: some RandomAccessCollection<UInt8>) -> [UInt16] {
    var result: [UInt16] = []
    result.reserveCapacity(bytes.count / 2)
    var low: UInt8?
    for byte in bytes {
      if let first = low {
        result.append(UInt16(first) | UInt16(byte) << 8)
        low = nil
      } else {
        low = byte
      }
    }
    return result
  }
}
