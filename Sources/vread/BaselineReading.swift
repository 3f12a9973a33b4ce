internal import Blocks
internal import Platform
internal import Reading
internal import Repositories

/// The file of `--base` as reading wants it.
final class BaselineReading: Baseline {
  private let file: BaselineFile

  /// Opens what `vstore baseline` wrote.
  init(_ path: String) throws {
    file = try BaselineFile(try FileDescriptor(path, .read))
  }

  var point: String { file.pointID }

  /// What to say of the volumes that the baseline cannot help with.
  func doubts(_ volumes: [SourceVolume]) -> [String] {
    volumes.map(\.header.name).filter { !file.names.contains($0) }.map { name in
      "\(name): not in the baseline, which has: \(file.names.joined(separator: ", ")); "
        + "everything is sent"
    }
  }

  func covers(_ name: String, size: UInt64) -> Bool { file.volume(name, size: size) != nil }

  func isUnchanged(_ segment: Segment, ofVolume name: String) -> Bool {
    file.isUnchanged(segment, ofVolume: name)
  }
}
