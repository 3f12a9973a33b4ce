internal import Bytes

/// The compression of NTFS: chunks of up to 4,096 bytes, each by itself.
///
/// A chunk starts with 16 bits: its length without them less one, then 3, then whether it is
/// compressed; zero ends all. In a compressed chunk, a byte of eight flags goes before eight
/// tokens: a byte as it is, or 16 bits that say how far back, and how many bytes to copy. The
/// further the chunk, the more bits the distance has and the fewer the length. [MS-XCA] 2.5.
enum LZNT1 {
  static let chunkByteCount = 4096

  /// - Parameters:
  ///   - input: What is stored; what follows its end is not looked at.
  ///   - count: How many bytes are wanted; zeros follow what is short.
  ///   - place: For errors.
  /// - Throws: `FormatError` for what no compressor writes.
  static func decompressed(
    _ input: Span<UInt8>, count: Int, at place: UInt64
  ) throws(FormatError) -> [UInt8] {
    var output = [UInt8](repeating: 0, count: count)
    var position = 0
    var start = 0
    while start < count, position <= input.count - 2 {
      let head = UInt16(input[position]) | UInt16(input[position + 1]) << 8
      if head == 0 { break }
      let length = Int(head & 0xFFF) + 1
      position += 2
      guard head >> 12 & 7 == 3, length <= input.count - position else {
        throw FormatError("LZNT1 chunk", at: place, .impossible("its head is \(head)"))
      }
      let chunk = input.extracting(position..<position + length)
      let end = min(start + chunkByteCount, count)
      var span = output.mutableSpan
      var target = span._mutatingExtracting(start..<end)
      if head & 0x8000 == 0 {
        guard length <= target.count else { throw error(place) }
        target.copy(chunk, to: 0)
      } else {
        try expand(chunk, into: &target, at: place)
      }
      position += length
      start += chunkByteCount
    }
    return output
  }

  private static func expand(
    _ chunk: Span<UInt8>, into output: inout MutableSpan<UInt8>, at place: UInt64
  ) throws(FormatError) {
    var source = 0
    var target = 0
    // How many bits of a token are its length: all distances back to the start must fit into
    // the others.
    var lengthBits = 12
    while source < chunk.count {
      let flags = chunk[source]
      source += 1
      for bit in UInt8(0)..<8 {
        guard source < chunk.count else { return }
        if flags >> bit & 1 == 0 {
          guard target < output.count else { throw error(place) }
          output[target] = chunk[source]
          source += 1
          target += 1
          continue
        }
        guard source <= chunk.count - 2, target > 0 else { throw error(place) }
        let token = Int(chunk[source]) | Int(chunk[source + 1]) << 8
        source += 2
        while lengthBits > 4, target > 1 << (16 - lengthBits) { lengthBits -= 1 }
        let distance = token >> lengthBits + 1
        let length = token & (1 << lengthBits - 1) + 3
        guard distance <= target, length <= output.count - target else { throw error(place) }
        for index in target..<target + length { output[index] = output[index - distance] }
        target += length
      }
    }
  }

  private static func error(_ place: UInt64) -> FormatError {
    FormatError("LZNT1 chunk", at: place, .impossible("a token that does not fit"))
  }
}
