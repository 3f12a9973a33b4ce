internal import Bytes

/// Finds the one byte or field of a VHDX structure that was damaged, with its checksum as the proof.
enum VHDXMending {
  /// The structure with one byte as it was; nil where no byte, or more than one, could be it.
  ///
  /// A wrong byte changes a CRC by a value that depends only on what is wrong with it and on how many
  /// bytes follow. Going backwards through the structure, each step is one byte more to follow.
  static func withOneByte(_ bytes: [UInt8]) -> [UInt8]? {
    let difference = bytes.span.little32(at: 4) ^ VHDXChecksum.checksum(of: bytes)
    let table = (0..<256).map { (start: UInt32) in
      (0..<8).reduce(start) { value, _ in value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
    }
    var found: [UInt8]?
    // Undo, for each byte from the end on, what the bytes behind it did to the difference.
    var inverse = [UInt8](repeating: 0, count: 256)
    for (index, value) in table.enumerated() { inverse[Int(value >> 24)] = UInt8(index) }
    var state = difference
    for place in bytes.indices.reversed() {
      let index = inverse[Int(state >> 24)]
      state = (state ^ table[Int(index)]) << 8 | UInt32(index)
      // Before its own byte the CRC had no difference: what is left is the byte's alone.
      guard state < 256, state > 0, !(4..<8).contains(place) else { continue }
      guard found == nil else { return nil }
      var copy = bytes
      copy[place] ^= UInt8(state)
      found = copy
    }
    return found
  }

  /// The structure with one field as `other` has it, or with `candidates` in their places.
  static func withOneField(
    _ bytes: [UInt8], _ candidates: [(place: Int, bytes: [UInt8])]
  ) -> [UInt8]? {
    for (place, value) in candidates {
      var copy = bytes
      copy.replaceSubrange(place..<place + value.count, with: value)
      if copy != bytes, VHDXChecksum.isRight(copy) { return copy }
    }
    return nil
  }
}

extension VHDXChecksum {
  /// Whether the checksum that `bytes` hold fits them.
  static func isRight(_ bytes: [UInt8]) -> Bool {
    bytes.span.little32(at: 4) == checksum(of: bytes)
  }
}
