/// Checked loads for tables that are searched, where a cursor's names and errors are not wanted.
extension Span<UInt8> {
  @inlinable
  public func big64(at offset: Int) -> UInt64 {
    precondition(offset >= 0 && offset <= count - 8)
    return UInt64(
      bigEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }

  @inlinable
  public func little64(at offset: Int) -> UInt64 {
    precondition(offset >= 0 && offset <= count - 8)
    return UInt64(
      littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }

  @inlinable
  public func little32(at offset: Int) -> UInt32 {
    precondition(offset >= 0 && offset <= count - 4)
    return UInt32(
      littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }

  @inlinable
  public func digest(at offset: Int) -> Digest {
    Digest(
      words: (
        big64(at: offset), big64(at: offset + 8), big64(at: offset + 16), big64(at: offset + 24)
      ))
  }
}
