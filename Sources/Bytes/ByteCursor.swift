/// The order of a multi-byte field's bytes.
public enum ByteOrder: Sendable {
  case big
  case little
}

/// A checked walk over the fields of one structure.
///
/// The cursor holds the structure's name, its place in the input and the byte order, so that a
/// parser has no checks of its own to forget: each read either returns a field or throws a
/// `FormatError` that names the structure and the byte.
public struct ByteCursor: ~Escapable {
  @usableFromInline let bytes: RawSpan
  @usableFromInline let structure: StaticString
  @usableFromInline let base: UInt64
  @usableFromInline let order: ByteOrder
  /// How many bytes have been read.
  public private(set) var position: Int = 0

  /// - Parameters:
  ///   - bytes: The structure's bytes.
  ///   - structure: Its name, for errors.
  ///   - base: The offset in the input, in bytes, of the first of `bytes`.
  ///   - order: The byte order of its fields.
  @_lifetime(copy bytes)
  public init(
    _ bytes: Span<UInt8>, of structure: StaticString, at base: UInt64 = 0, _ order: ByteOrder
  ) {
    self.bytes = unsafe bytes.bytes
    self.structure = structure
    self.base = base
    self.order = order
  }

  /// How many bytes are left.
  public var remaining: Int { bytes.byteCount - position }

  public mutating func u8() throws(FormatError) -> UInt8 { try load() }
  public mutating func u16() throws(FormatError) -> UInt16 { try load() }
  public mutating func u32() throws(FormatError) -> UInt32 { try load() }
  public mutating func u64() throws(FormatError) -> UInt64 { try load() }

  /// Reads a 32-byte digest, whose order in the input does not depend on the byte order.
  public mutating func digest() throws(FormatError) -> Digest {
    var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    words.0 = try loadBig()
    words.1 = try loadBig()
    words.2 = try loadBig()
    words.3 = try loadBig()
    return Digest(words: words)
  }

  /// Reads `count` bytes.
  public mutating func array(_ count: Int) throws(FormatError) -> [UInt8] {
    try require(count)
    let result = unsafe bytes.withUnsafeBytes {
      unsafe [UInt8]($0[position..<position + count])
    }
    position += count
    return result
  }

  public mutating func skip(_ count: Int) throws(FormatError) {
    try require(count)
    position += count
  }

  /// Reads a signature; anything else there is refused.
  public mutating func expect(_ signature: StaticString) throws(FormatError) {
    let count = signature.utf8CodeUnitCount
    try require(count)
    for index in 0..<count {
      let byte = unsafe bytes.unsafeLoadUnaligned(
        fromByteOffset: position + index, as: UInt8.self)
      guard unsafe byte == signature.utf8Start[index] else { throw refusal(.badMagic) }
    }
    position += count
  }

  /// Reads one value of an enumeration; other raw values are refused by name.
  public mutating func one<T: RawRepresentable>() throws(FormatError) -> T
  where T.RawValue: FixedWidthInteger & BitwiseCopyable {
    let raw: T.RawValue = try load()
    guard let value = T(rawValue: raw) else {
      position -= MemoryLayout<T.RawValue>.size
      throw refusal(.unsupported("\(T.self) \(raw)"))
    }
    return value
  }

  /// An error at the cursor's place.
  public func refusal(_ reason: FormatError.Reason) -> FormatError {
    FormatError("\(structure)", at: base &+ UInt64(position), reason)
  }

  private mutating func loadBig() throws(FormatError) -> UInt64 {
    try require(8)
    let raw = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self)
    position += 8
    return UInt64(bigEndian: raw)
  }

  private mutating func load<T: FixedWidthInteger & BitwiseCopyable>() throws(FormatError) -> T {
    try require(MemoryLayout<T>.size)
    let raw = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: position, as: T.self)
    position += MemoryLayout<T>.size
    return order == .big ? T(bigEndian: raw) : T(littleEndian: raw)
  }

  private func require(_ count: Int) throws(FormatError) {
    guard count >= 0, count <= bytes.byteCount - position else { throw refusal(.truncated) }
  }
}
