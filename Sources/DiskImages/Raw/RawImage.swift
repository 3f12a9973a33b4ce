public import Blocks

/// A disk as it is: byte for byte, without any structure around it.
public final class RawImage: DiskFormat {
  public static let name = "raw"

  public let content: any BlockSource

  public static func recognizes(_ source: any BlockSource) throws -> Bool { true }

  public init(opening source: any BlockSource, _ options: OpeningOptions) throws {
    content = source
  }
}
