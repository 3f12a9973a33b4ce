internal import Bytes

/// The guard against torn writes: the last two bytes of each 512 are kept elsewhere, and a number
/// that every write changes stands in their places.
///
///     offset size  field
///          0    4  signature
///          4    2  offset of the array   the number, then the bytes that belong in its places
///          6    2  its entries           one more than there are pieces of 512 bytes
///
/// libfsntfs, "The fix-up values".
enum NTFSFixups {
  static let stride = 512

  /// Puts the bytes back.
  ///
  /// - Parameters:
  ///   - bytes: The structure, some pieces of 512 bytes.
  ///   - structure: Its name, for errors.
  ///   - place: Its offset in the area, in bytes.
  static func undo(
    _ bytes: inout [UInt8], of structure: String, at place: UInt64
  ) throws(FormatError) {
    let pieces = bytes.count / stride
    guard pieces > 0, bytes.count % stride == 0 else {
      throw FormatError(structure, at: place, .truncated)
    }
    let start = Int(bytes[4]) | Int(bytes[5]) << 8
    let count = Int(bytes[6]) | Int(bytes[7]) << 8
    guard count == pieces + 1, start >= 8, start % 2 == 0, start + 2 * count <= stride - 2 else {
      throw FormatError(structure, at: place + 4, .impossible("\(count) fixups at \(start)"))
    }
    for piece in 1...pieces {
      let end = piece * stride - 2
      guard bytes[end] == bytes[start], bytes[end + 1] == bytes[start + 1] else {
        throw FormatError(structure, at: place + UInt64(end), .impossible("a torn write"))
      }
      bytes[end] = bytes[start + 2 * piece]
      bytes[end + 1] = bytes[start + 2 * piece + 1]
    }
  }
}
