/// How a chunk's bytes are stored.
public enum Codec: UInt8, Sendable, CaseIterable {
  case plain = 0
  case zstd = 1
}
