/// A 32-byte SHA-256 or HMAC-SHA-256 value, ordered as its bytes are.
public struct Digest: Hashable, Sendable, Comparable, CustomStringConvertible {
  public static let byteCount = 32

  /// The bytes as four big-endian words, so that word order is byte order.
  public let words: (UInt64, UInt64, UInt64, UInt64)

  @inlinable
  public init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

  /// Takes the first 32 of `bytes`; fewer give nil.
  public init?(_ bytes: [UInt8]) {
    guard bytes.count >= Digest.byteCount else { return nil }
    func word(_ index: Int) -> UInt64 {
      (0..<8).reduce(0) { $0 << 8 | UInt64(bytes[index * 8 + $1]) }
    }
    words = (word(0), word(1), word(2), word(3))
  }

  /// Reads 64 hexadecimal digits.
  public init?(hex: String) {
    guard let bytes = Hex.bytes(hex), bytes.count == Digest.byteCount else { return nil }
    self.init(bytes)
  }

  public var bytes: [UInt8] {
    var builder = ByteBuilder(.big, capacity: Digest.byteCount)
    builder.digest(self)
    return builder.bytes
  }

  public var description: String { Hex.text(bytes) }

  @inlinable
  public static func == (left: Digest, right: Digest) -> Bool {
    left.words.0 == right.words.0 && left.words.1 == right.words.1
      && left.words.2 == right.words.2 && left.words.3 == right.words.3
  }

  @inlinable
  public static func < (left: Digest, right: Digest) -> Bool {
    if left.words.0 != right.words.0 { return left.words.0 < right.words.0 }
    if left.words.1 != right.words.1 { return left.words.1 < right.words.1 }
    if left.words.2 != right.words.2 { return left.words.2 < right.words.2 }
    return left.words.3 < right.words.3
  }

  /// The bytes are already evenly spread, so one word is enough.
  @inlinable
  public func hash(into hasher: inout Hasher) { hasher.combine(words.1) }
}
