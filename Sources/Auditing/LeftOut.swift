internal import Blocks
internal import GuestLayouts

/// A range of a disk that was left out because of the guest's file that it belongs to.
public struct LeftOutRange: Sendable {
  /// The disk's index.
  public let disk: Int
  public let range: Range<UInt64>
  /// The file's path in its guest, as messages show it.
  public let path: String

  public init(disk: Int, _ range: Range<UInt64>, path: String) {
    self.disk = disk
    self.range = range
    self.path = path
  }
}

/// What was left out of a machine's disks on purpose, by kind and by file.
struct LeftOut: Sendable {
  /// How a file fares.
  enum Verdict: Equatable {
    /// Nothing of it is left out.
    case kept
    /// Some of it is left out, and that is told.
    case leftOut
    case wrong(String)
  }

  /// For each disk, without zeros.
  let holes: [[HoleKind: ExtentSet]]
  /// For each disk, by place.
  private let files: [[LeftOutRange]]

  init(_ holes: [[HoleKind: ExtentSet]], _ files: [LeftOutRange]) {
    self.holes = holes
    var byDisk = holes.map { _ in [LeftOutRange]() }
    for file in files where byDisk.indices.contains(file.disk) { byDisk[file.disk].append(file) }
    for disk in byDisk.indices {
      byDisk[disk].sort { $0.range.lowerBound < $1.range.lowerBound }
    }
    self.files = byDisk
  }

  /// How a file fares that lies in some ranges of a volume.
  ///
  /// - Parameter path: Its path in its file system, which does not know where its guest mounts it.
  func verdict(on ranges: [Range<UInt64>], of placement: Placement, path: String) -> Verdict {
    var result = Verdict.kept
    for range in ranges {
      placement.forEachPlace(of: range) { disk, range in
        for (kind, set) in holes[disk] {
          for part in set.intersection(range) {
            if case .wrong = result { return }
            result = verdict(on: part, kind, disk, path)
          }
        }
      }
    }
    return result
  }

  private func verdict(
    on part: Range<UInt64>, _ kind: HoleKind, _ disk: Int, _ path: String
  ) -> Verdict {
    switch kind {
    case .free: return .wrong("it lies in what was left out as free")
    case .bad: return .wrong("parts of it could not be read")
    default:
      return isTold(part, disk, path)
        ? .leftOut : .wrong("it is left out, and the point does not say so")
    }
  }

  /// Whether all of a range was left out for this file.
  private func isTold(_ part: Range<UInt64>, _ disk: Int, _ path: String) -> Bool {
    let all = files[disk]
    var low = 0
    var high = all.count
    while low < high {
      let middle = (low + high) / 2
      if all[middle].range.upperBound <= part.lowerBound { low = middle + 1 } else { high = middle }
    }
    var position = part.lowerBound
    while position < part.upperBound {
      guard low < all.count, all[low].range.contains(position), all[low].path.hasSuffix(path) else {
        return false
      }
      position = all[low].range.upperBound
      low += 1
    }
    return true
  }
}
