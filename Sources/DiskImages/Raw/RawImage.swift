public import Blocks
internal import Bytes

/// A disk as it is: byte for byte, without any structure around it.
public final class RawImage: DiskFormat {
  public static let name = "raw"

  private let source: any BlockSource
  public var size: UInt64 { source.size }
  public var sectorSize: UInt32 { source.sectorSize }

  public static func recognizes(_ source: any BlockSource) throws -> Bool { true }

  public init(opening source: any BlockSource) throws { self.source = source }

  public func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    try source.read(into: &bytes, at: offset)
  }

  public func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    try source.nextData(at: offset)
  }
}
