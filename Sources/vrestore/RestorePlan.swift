internal import GuestLayouts
internal import Platform
internal import ToolSupport

/// What `vrestore files` brings back, and where in the target it goes.
struct RestorePlan {
  struct Item {
    let found: PointFiles.Found
    /// Its names in the target: its last one as a rule; none for the root of a file system, which
    /// becomes the target itself.
    let place: [[UInt8]]
    /// Whether it belongs into a folder that is restored before it, by its mount point.
    let isInside: Bool

    var isFolder: Bool { found.place.file.kind == .directory }
    /// Its place, as messages show it.
    var shown: String {
      place.isEmpty ? "/" : place.map { GuestText.path($0) }.joined(separator: "/")
    }
  }

  /// Folders come before what belongs into them.
  private(set) var items: [Item] = []
  /// The mount points in the folders of file systems that nothing is restored of.
  let mountsLeftOut: [String]
  /// The mount points in the folders whose files cannot be read, as sentences.
  private let closedMounts: [String]

  /// The most of them that are told.
  private static let closedMountLimit = 20

  init(_ found: [PointFiles.Found], _ point: PointFiles) throws(Failure) {
    for one in found.sorted(by: { $0.path.count < $1.path.count }) {
      let around = items.last { item in
        item.isFolder && item.found.path.count < one.path.count
          && one.path.starts(with: item.found.path)
      }
      if let around, around.found.place.system != one.place.system {
        let rest = one.path.dropFirst(around.found.path.count)
        items.append(Item(found: one, place: around.place + rest, isInside: true))
      } else if let around, around.place.isEmpty {
        // All of its file system comes anyway.
        continue
      } else {
        items.append(Item(found: one, place: one.path.suffix(1), isInside: false))
      }
    }
    mountsLeftOut = RestorePlan.mountsLeftOut(found, point)
    closedMounts = RestorePlan.closedMounts(found, point)
    try refuseTwins()
  }

  private func refuseTwins() throws(Failure) {
    var seen: Set<[[UInt8]]> = []
    for item in items where !seen.insert(item.place).inserted {
      throw Failure(
        .usage, "two of the paths would become '\(item.shown)'",
        hint: "bring them back one after the other, into several folders")
    }
  }

  private static func mountsLeftOut(
    _ found: [PointFiles.Found], _ point: PointFiles
  ) -> [String] {
    guard !point.isChoosing else { return [] }
    var result: Set<String> = []
    for (index, system) in point.files.fileSystems.enumerated() {
      guard let folder = system.mountPoint, !found.contains(where: { $0.place.system == index }),
        found.contains(where: { $0.isAround(folder) })
      else { continue }
      result.insert("/" + folder.map { GuestText.path($0) }.joined(separator: "/"))
    }
    return result.sorted()
  }

  private static func closedMounts(
    _ found: [PointFiles.Found], _ point: PointFiles
  ) -> [String] {
    guard !point.isChoosing else { return [] }
    let left = point.files.closedMounts.filter { mount in
      // What is named itself has been told.
      found.contains { $0.isAround(mount.names) }
        && !found.contains { $0.path.starts(with: mount.names) }
    }
    return Set(left.map { point.sentence($0) }).sorted()
  }

  /// Tells which folders come back empty as something else is mounted there.
  func tellMountsLeftOut() {
    for closed in closedMounts.prefix(RestorePlan.closedMountLimit) {
      Console.say("note: \(closed)")
    }
    if closedMounts.count > RestorePlan.closedMountLimit {
      let more = closedMounts.count - RestorePlan.closedMountLimit
      Console.say("note: so it is with \(more) more mount points")
    }
    guard let last = mountsLeftOut.last else { return }
    let names =
      mountsLeftOut.count == 1
      ? "\(last) is another file system, and was"
      : "\(mountsLeftOut.dropLast().joined(separator: ", ")) and \(last) are other file systems, "
        + "and were"
    Console.say("note: \(names) not gone into: what is named as well comes to its place")
  }
}

extension PointFiles.Found {
  /// Whether it is a folder that another one, of these names, is beneath.
  fileprivate func isAround(_ names: [[UInt8]]) -> Bool {
    place.file.kind == .directory && path.count < names.count && names.starts(with: path)
  }
}
