/// The ordinary CRC-32 (reflected polynomial EDB88320), as GPT uses it.
public enum CRC32 {
  public static func of(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var running = RunningCRC32(.ordinary)
    running.add(bytes)
    return running.value
  }
}

/// A CRC of 32 bits over bytes that come piece by piece: reflected, and inverted at both ends.
public struct RunningCRC32: Sendable {
  /// Which polynomial.
  public enum Polynomial: Sendable {
    /// EDB88320: GPT, gzip.
    case ordinary
    /// 82F63B78, Castagnoli's: VHDX, iSCSI.
    case castagnoli
  }

  private static let ordinary = table(0xEDB8_8320)
  private static let castagnoli = table(0x82F6_3B78)

  private static func table(_ polynomial: UInt32) -> [UInt32] {
    (0..<256).map { (start: UInt32) in
      (0..<8).reduce(start) { value, _ in value & 1 == 1 ? value >> 1 ^ polynomial : value >> 1 }
    }
  }

  private let table: [UInt32]
  private var state: UInt32

  /// - Parameters:
  ///   - polynomial: Which one.
  ///   - start: The register's first value; other than all ones in LVM2, ext4.
  public init(_ polynomial: Polynomial, start: UInt32 = ~0) {
    state = start
    table = polynomial == .ordinary ? RunningCRC32.ordinary : RunningCRC32.castagnoli
  }

  public mutating func add(_ bytes: some Sequence<UInt8>) {
    state = RunningCRC32.step(state, bytes, table.span)
  }

  public mutating func add(_ bytes: Span<UInt8>) {
    state = RunningCRC32.step(state, bytes, table.span)
  }

  private static func step(_ state: UInt32, _ bytes: Span<UInt8>, _ table: Span<UInt32>) -> UInt32 {
    var state = state
    for index in 0..<bytes.count {
      state = table[Int(UInt8(truncatingIfNeeded: state) ^ bytes[index])] ^ state >> 8
    }
    return state
  }

  private static func step(
    _ state: UInt32, _ bytes: some Sequence<UInt8>, _ table: Span<UInt32>
  ) -> UInt32 {
    bytes.reduce(state) { table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ $0 >> 8 }
  }

  /// The CRC of all bytes that were added.
  public var value: UInt32 { ~state }
}
