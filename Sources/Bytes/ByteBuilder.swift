/// Builds a structure's bytes field by field; the mirror of `ByteCursor`.
public struct ByteBuilder {
  public private(set) var bytes: [UInt8] = []
  private let order: ByteOrder

  public init(_ order: ByteOrder, capacity: Int = 0) {
    self.order = order
    bytes.reserveCapacity(capacity)
  }

  public mutating func u8(_ value: UInt8) { bytes.append(value) }
  public mutating func u16(_ value: UInt16) { store(value) }
  public mutating func u32(_ value: UInt32) { store(value) }
  public mutating func u64(_ value: UInt64) { store(value) }

  /// Appends a digest, whose order does not depend on the byte order.
  public mutating func digest(_ value: Digest) {
    storeBig(value.words.0)
    storeBig(value.words.1)
    storeBig(value.words.2)
    storeBig(value.words.3)
  }

  public mutating func text(_ value: StaticString) {
    for index in 0..<value.utf8CodeUnitCount {
      unsafe bytes.append(value.utf8Start[index])
    }
  }

  public mutating func raw(_ value: [UInt8]) { bytes += value }
  public mutating func zeros(_ count: Int) { bytes += [UInt8](repeating: 0, count: count) }

  /// Puts other bytes in the place of the first ones, where those could not be known before.
  public mutating func replaceStart(by start: [UInt8]) {
    for index in start.indices { bytes[index] = start[index] }
  }

  /// Fills with zeros until the structure has `count` bytes.
  public mutating func pad(to count: Int) {
    precondition(bytes.count <= count)
    zeros(count - bytes.count)
  }

  private mutating func store<T: FixedWidthInteger>(_ value: T) {
    for index in 0..<MemoryLayout<T>.size {
      let shift = order == .big ? (MemoryLayout<T>.size - 1 - index) * 8 : index * 8
      bytes.append(UInt8(truncatingIfNeeded: value >> T(shift)))
    }
  }

  private mutating func storeBig(_ value: UInt64) {
    for index in 0..<8 {
      bytes.append(UInt8(truncatingIfNeeded: value >> UInt64((7 - index) * 8)))
    }
  }
}
