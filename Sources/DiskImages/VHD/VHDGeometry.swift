internal import Bytes

/// Cylinders, heads and sectors per track: how a VHD tells its size to a BIOS.
///
/// Their product is usually a little less than the size, and readers differ in which of the two
/// they believe. The product is only ever taken for the size by readers that see less than `most`.
public struct VHDGeometry: Equatable, Sendable, CustomStringConvertible {
  public var cylinders: UInt16
  public var heads: UInt8
  public var sectors: UInt8

  public init(cylinders: UInt16, heads: UInt8, sectors: UInt8) {
    self.cylinders = cylinders
    self.heads = heads
    self.sectors = sectors
  }

  /// The most that the fields hold; every reader then goes by the size field.
  public static let most = VHDGeometry(cylinders: 65535, heads: 16, sectors: 255)

  /// What cylinders, heads and sectors come to, in bytes.
  public var byteCount: UInt64 { UInt64(cylinders) * UInt64(heads) * UInt64(sectors) * 512 }

  public var description: String { "\(cylinders)/\(heads)/\(sectors)" }

  /// What the specification computes for a disk: "Appendix: CHS Calculation".
  ///
  /// - Parameter size: The disk's size in bytes.
  public init(specifiedFor size: UInt64) {
    let total = min(size / 512, 65535 * 16 * 255)
    var sectors: UInt64 = 255
    var heads: UInt64 = 16
    var tracks = total / sectors
    if total < 65535 * 16 * 63 {
      sectors = 17
      tracks = total / sectors
      heads = max(4, (tracks + 1023) / 1024)
      if tracks >= heads * 1024 || heads > 16 {
        sectors = 31
        heads = 16
        tracks = total / sectors
      }
      if tracks >= heads * 1024 {
        sectors = 63
        heads = 16
        tracks = total / sectors
      }
    }
    // The limits above keep each of them within its field.
    cylinders = UInt16(truncatingIfNeeded: tracks / heads)
    self.heads = UInt8(truncatingIfNeeded: heads)
    self.sectors = UInt8(truncatingIfNeeded: sectors)
  }

  /// What our own images say, so that every reader sees the right size: the specified geometry
  /// where it is exact, else the most that fits.
  ///
  /// - Parameter size: The disk's size in bytes.
  public init(writtenFor size: UInt64) {
    let specified = VHDGeometry(specifiedFor: size)
    self = specified.byteCount == size ? specified : .most
  }
}
