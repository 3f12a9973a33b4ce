/// The disk as it is, in a file of its size.
public struct RawLayout: StraightLayout {
  public let byteCount: UInt64
  public var dataOffset: UInt64 { 0 }

  /// - Parameter size: The disk's size in bytes.
  public init(size: UInt64) { byteCount = size }

  public func writeStart(_ write: StructureWriter) {}
  public func writeEnd(_ write: StructureWriter) {}
}
