/// A place to which a machine has suspended.
///
/// When it wakes it goes on with what it had in memory. That holds what its file systems were like, which
/// may be newer than their journals, and which of its memory is in other swap areas: both may need
/// what the disks alone call free.
struct Suspension {
  let volume: GuestVolume
  /// The swap file; nil for a swap area.
  let path: [UInt8]?

  /// Looks for one in all swap areas and swap files; nil when there is none.
  init?(on layout: MachineLayout) {
    if let volume = layout.volumes.first(where: { $0.contents.contains(where: \.isSuspended) }) {
      self.volume = volume
      path = nil
      return
    }
    let trees = layout.volumes.map(Suspension.tree)
    let points = MountPoints(layout.volumes, trees)
    for (index, tree) in trees.enumerated() {
      guard let tree else { continue }
      for path in FileClaims.linuxPaths(points.swapFiles(in: index, tree.nameRule))
      where Suspension.isSuspended(path, tree) {
        volume = layout.volumes[index]
        self.path = path.flatMap { [UInt8(ascii: "/")] + $0 }
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

  /// In the user's words.
  var warning: String {
    let place = path.map { "\(GuestText.path($0)) of \(volume.title)" } ?? volume.title
    return "a machine has suspended to \(place), and may need everything when it wakes: "
      + "nothing is left out"
  }
}
