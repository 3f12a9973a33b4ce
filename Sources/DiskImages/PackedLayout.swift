/// An image whose file holds grains of the disk, compressed each for itself, one behind the other.
///
/// Grains come in ascending order; those of zeros are left out.
public protocol PackedLayout {
  /// Bytes of a grain, a power of two up to 4 MiB.
  var grainByteCount: Int { get }
  /// How grains are compressed.
  var packing: GrainPacking { get }
  /// The file's size in bytes; final once `finish` has returned.
  var byteCount: UInt64 { get }
  /// Writes what the file starts with, as far as it is known.
  mutating func start(_ write: StructureWriter) throws
  /// Gives a grain its place, and writes what must stand before it.
  ///
  /// - Parameters:
  ///   - count: Bytes that it takes in the file.
  ///   - isPacked: Whether these are compressed ones; else they are the grain's own.
  /// - Returns: Where they start in the file.
  mutating func place(
    _ grain: UInt64, _ count: Int, isPacked: Bool, _ write: StructureWriter
  ) throws -> UInt64
  /// Writes what makes an image of the grains.
  mutating func finish(_ write: StructureWriter) throws
}

/// How the grains of an image are compressed.
public enum GrainPacking: Sendable {
  /// Deflate in a zlib stream, also where that is longer than the grain.
  case zlib
  /// Plain deflate, where it is shorter.
  case deflate
  /// zstd, where it is shorter.
  case zstd
}
