/// A CRC of 32 bits over bytes that come piece by piece: reflected, and inverted at both ends.
///
/// It goes byte by byte, which is fast enough for a file's own structures; *Codecs* has the ordinary
/// one for everything else.
public struct RunningCRC32: Sendable {
  /// Which polynomial.
  public enum Polynomial: Sendable {
    /// EDB88320: LVM2.
    case ordinary
    /// 82F63B78, Castagnoli's: VHDX, iSCSI.
    case castagnoli
  }

  private static let ordinary = table(0xEDB8_8320)
  private static let castagnoli = table(0x82F6_3B78)

  /// What each value of a byte does to a CRC.
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
    let bytes = Array(bytes)
    add(bytes.span)
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

  /// The CRC of all bytes that were added.
  public var value: UInt32 { ~state }
}
