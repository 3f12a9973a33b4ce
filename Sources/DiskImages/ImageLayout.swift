/// Puts bytes of an image that are none of its disk's to their place in the file.
public typealias StructureWriter = (_ bytes: [UInt8], _ offset: UInt64) throws -> Void

/// An image whose file holds the whole disk in one piece: where each part lies is known beforehand.
public protocol StraightLayout {
  /// Where the disk starts in the file.
  var dataOffset: UInt64 { get }
  /// The file's size in bytes.
  var byteCount: UInt64 { get }
  /// Writes what lies in front of the disk, in order.
  func writeStart(_ write: StructureWriter) throws
  /// Writes what lies behind the disk, in order.
  func writeEnd(_ write: StructureWriter) throws
}

/// An image whose file holds blocks of the disk, each from the first write to it on.
///
/// Blocks get their places in ascending order; what is not written of one reads as zero, and so does
/// the room between the parts of the file.
public protocol BlockLayout {
  /// Bytes of a block of the disk.
  var blockByteCount: UInt64 { get }
  /// The file's size in bytes; final once `finish` has returned.
  var byteCount: UInt64 { get }
  /// Where a block starts in the file; nil when it has no place.
  ///
  /// Only asked for the block that got its place last, or for one that has none.
  func dataOffset(_ block: UInt64) -> UInt64?
  /// Gives a block its place, and writes what must stand beside it.
  ///
  /// - Returns: Where it starts in the file.
  mutating func allocate(_ block: UInt64, _ write: StructureWriter) throws -> UInt64
  /// Notes that bytes of a block are written, of the one that got its place last.
  mutating func mark(_ block: UInt64, _ range: Range<UInt64>)
  /// Writes what makes an image of the blocks.
  mutating func finish(_ write: StructureWriter) throws
}

extension BlockLayout {
  /// Most formats tell of whole blocks only.
  public func mark(_ block: UInt64, _ range: Range<UInt64>) {}
}

/// A disk that a format cannot hold, and what may help.
public struct LayoutError: Error, Equatable, CustomStringConvertible {
  public let description: String
  public let hint: String?

  public init(_ description: String, hint: String? = nil) {
    self.description = description
    self.hint = hint
  }
}
