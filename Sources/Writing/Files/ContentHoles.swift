public import Blocks
public import GuestLayouts

/// In which holes of a backup the content of a guest's file is.
public struct ContentHoles {
  /// Tells in which kind of hole, if any, bytes of a disk are.
  public typealias Finder = (_ disk: Int, Range<UInt64>) throws -> [HoleKind: UInt64]

  /// Bytes of the content.
  let byKind: [HoleKind: UInt64]

  /// Looks for the holes of a regular file; none are found where nobody can tell where it lies.
  public init(
    of file: GuestFile, in fileSystem: MachineFiles.FileSystem, _ find: Finder
  ) throws {
    let placement = fileSystem.volume.placement
    var kinds: [HoleKind: UInt64] = [:]
    do {
      for extent in try fileSystem.tree.extents(of: file) where extent.offset < file.size {
        let length = min(
          extent.range.upperBound - extent.range.lowerBound, file.size - extent.offset)
        let range = extent.range.lowerBound..<extent.range.lowerBound + length
        guard range.upperBound <= placement.byteCount else { continue }
        try placement.forEachPlace(of: range) { disk, range in
          kinds.merge(try find(disk, range)) { $0 + $1 }
        }
      }
    } catch is GuestDoubt {
      // Whoever leaves files out asks the same, and leaves such files in.
      kinds = [:]
    }
    byKind = kinds
  }

  /// As what the content, or a part of it, was left out on purpose; nil when it is there.
  public var leftOut: HoleKind? {
    [HoleKind.excluded, .swap, .free].first { byKind[$0] != nil }
  }
}
