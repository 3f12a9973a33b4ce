/// A place to which a machine has suspended.
///
/// When it wakes it goes on with what it had in memory. That holds what its file systems were like, which
/// may be newer than their journals, and which of its memory is in other swap areas: both may need
/// what the disks alone call free.
struct Suspension {
  /// In the user's words: `partition 2`, `/swapfile of partition 1`.
  private let place: String
  /// The disk that it is on.
  let disk: Int

  /// Looks for one in all swap areas and swap files; nil when there is none.
  init?(on layout: MachineLayout) {
    if let volume = layout.volumes.first(where: { $0.contents.contains(where: \.isSuspended) }) {
      place = volume.title
      disk = volume.disk ?? 0
      return
    }
    // Part of a mirror, or what a snapshot is of.
    if let group = layout.groups.first(where: { $0.hidden.contains(where: \.isSuspended) }) {
      place = "a logical volume of volume group \(group.name)"
      disk = group.firstDisk
      return
    }
    let trees = layout.volumes.map(Suspension.tree)
    let points = MountPoints(layout.volumes, trees, UnseenPlaces())
    for (index, tree) in trees.enumerated() {
      guard let tree else { continue }
      for path in FileClaims.linuxPaths(points.swapFiles(in: index, tree.nameRule))
      where Suspension.isSuspended(path, tree) {
        let volume = layout.volumes[index]
        place = "\(GuestText.path(path.flatMap { [UInt8(ascii: "/")] + $0 })) of \(volume.title)"
        disk = volume.disk ?? 0
        return
      }
    }
    return nil
  }

  /// The files of a volume, be they in doubt: a machine suspends with its file systems in use.
  private static func tree(of volume: GuestVolume) -> (any FileTree)? {
    do {
      return try volume.finding?.fileSystem?.files()
    } catch {
      // What cannot be read can tell nothing; where it matters otherwise, it is told there.
      return nil
    }
  }

  private static func isSuspended(_ path: [[UInt8]], _ tree: any FileTree) -> Bool {
    do {
      guard let file = try tree.find(path), file.kind == .regular else { return false }
      let area = try GuestArea(tree.content(of: file))
      return try LinuxSwap.find(in: area).contains(where: \.isSuspended)
    } catch {
      return false
    }
  }

  /// For the user.
  var warning: String {
    "a machine has suspended to \(place), and may need everything when it wakes: "
      + "nothing is left out"
  }

  // MARK: Windows

  /// A volume on which Windows has suspended; nil when there is none.
  ///
  /// It has everything in memory that it had mounted, be it for a fast start only: page files on other
  /// volumes, and what they call free. File systems of others it does not know.
  static func windows(on layout: MachineLayout) -> GuestVolume? {
    layout.volumes.first { $0.contents.contains { $0.fileSystem?.isSuspended == true } }
  }

  /// Whether Windows may have had it mounted.
  static func isOfWindows(_ volume: GuestVolume) -> Bool {
    volume.contents.contains { $0.kind == "NTFS" || $0.kind == "exFAT" || $0.kind.hasPrefix("FAT") }
  }

  static func warning(of windows: GuestVolume) -> String {
    "Windows has suspended on \(windows.title), and may need everything when it wakes"
  }
}
