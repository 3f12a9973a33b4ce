internal import Blocks
internal import Platform
internal import Reading
internal import Repositories

/// The file of `--base` as reading wants it.
final class BaselineReading: Baseline {
  private let file: BaselineFile

  /// Opens what `vstore baseline` wrote.
  init(_ path: String) throws { file = try BaselineFile(try FileDescriptor(path, .read)) }

  var point: String { file.pointID }

  func covers(_ name: String, size: UInt64) -> Bool { file.volume(name, size: size) != nil }

  func isUnchanged(_ segment: Segment, ofVolume name: String) -> Bool {
    file.isUnchanged(segment, ofVolume: name)
  }
}
