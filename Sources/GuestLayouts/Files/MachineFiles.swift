/// The file systems of a machine whose files can be read, and which of them a path is in.
public struct MachineFiles: Sendable {
  /// A file system with its files.
  public struct FileSystem: Sendable {
    public let volume: GuestVolume
    public let tree: any FileTree
    /// The names of the folder that it is mounted at; nil where no fstab tells.
    public let mountPoint: [[UInt8]]?
    /// Why files may not be as their guest would see them.
    public let doubt: String?
  }

  /// A folder that an fstab mounts something at whose files cannot be read.
  public struct ClosedMount: Sendable {
    /// The names of the folder.
    public let names: [[UInt8]]
    /// What the fstab calls the file system, such as `UUID=...`.
    public let device: String
    /// The index of its volume in the layout; nil where none was found, or several of that name.
    public let volume: Int?
    /// The logical volume that is meant, where the disks do not have all of it.
    public let logicalVolume: String?
    /// Whether the disks do not tell which one is meant, as of `/dev/sdb1`, or of one of two copies.
    public let isUnclear: Bool
    /// The index in `fileSystems` of the root with the fstab.
    fileprivate let root: Int
  }

  /// A file or folder that was found.
  public struct Place: Sendable {
    /// The index in `fileSystems`.
    public let system: Int
    public let file: GuestFile
  }

  /// Where a path leads to.
  public enum Answer: Sendable {
    case found(Place)
    /// It is in several file systems, and nothing says which of them is meant: their indices.
    case several([Int])
    /// A symbolic link is on the way, at so many of the path's names.
    case link(nameCount: Int, target: [UInt8])
    case missing
  }

  public private(set) var fileSystems: [FileSystem] = []
  /// What the machine mounts and nobody can look into here.
  public private(set) var closedMounts: [ClosedMount] = []
  /// What could not be opened, and why.
  public private(set) var warnings: [String] = []
  /// For the index of a volume of the layout that of its file system.
  private var indices: [Int: Int] = [:]
  /// For the index of a volume of the layout the folder that it is mounted at.
  private var mountPoints: [Int: [[UInt8]]] = [:]

  /// Opens the files of all file systems of a machine.
  public init(_ layout: MachineLayout) {
    let trees = layout.volumes.map { volume -> (any FileTree)? in
      do {
        return try volume.finding?.fileSystem?.files()
      } catch {
        warnings.append("\(volume.title): its files cannot be read: \(error)")
        return nil
      }
    }
    let unseen = layout.unseen
    let points = MountPoints(layout.volumes, trees, unseen)
    mountPoints = points.folders
    for (index, volume) in layout.volumes.enumerated() {
      guard let tree = trees[index] else { continue }
      indices[index] = fileSystems.count
      fileSystems.append(
        FileSystem(
          volume: volume, tree: tree, mountPoint: points.folders[index],
          doubt: volume.finding?.fileSystem?.fileDoubt))
    }
    for mount in points.mounts {
      guard mount.volume != mount.root, mount.volume.map({ trees[$0] == nil }) ?? true,
        let root = indices[mount.root]
      else { continue }
      closedMounts.append(
        ClosedMount(
          names: mount.names, device: mount.line.device, volume: mount.volume,
          logicalVolume: layout.missingVolume(calledAs: mount.line.device),
          isUnclear: mount.line.isKernelName || layout.has(mount.line.device, unseen),
          root: root))
    }
  }

  /// The folder that the volume at an index of the layout is mounted at; nil where no fstab tells.
  public func mountPoint(ofVolume index: Int) -> [[UInt8]]? { mountPoints[index] }

  /// What the machine has mounted over a path, so that what lies there is not what it sees; nil where
  /// nothing is, or its files can be read.
  ///
  /// - Parameter system: The index of the file system that the path was found in; nil when it was not.
  public func closedMount(over path: [[UInt8]], foundIn system: Int?) -> ClosedMount? {
    closedMounts.last { mount in
      guard path.starts(with: mount.names) else { return false }
      guard let system, let folder = fileSystems[system].mountPoint else { return true }
      // What is mounted deeper can be seen; another machine's root has mounts of its own.
      return folder.count < mount.names.count && (!folder.isEmpty || system == mount.root)
    }
  }

  /// The file system of the volume at an index of the layout; nil where there is none to be read.
  public func fileSystem(ofVolume index: Int) -> FileSystem? {
    indices[index].map { fileSystems[$0] }
  }

  /// Looks for a path as the machine sees it: through the mount points of its fstab where it has one,
  /// else in each file system, from its root.
  public func find(_ path: [[UInt8]]) throws -> Answer {
    let mounted = fileSystems.indices.filter { index in
      fileSystems[index].mountPoint.map { path.starts(with: $0) } ?? false
    }
    // What is mounted deeper hides what is beneath it.
    let depth = mounted.compactMap { fileSystems[$0].mountPoint?.count }.max()
    let visible = mounted.filter { fileSystems[$0].mountPoint?.count == depth }
    let answer = try find(Array(path.dropFirst(depth ?? 0)), in: visible)
    if case .missing = answer {
      return try find(path, in: fileSystems.indices.filter { fileSystems[$0].mountPoint == nil })
    }
    return answer
  }

  /// Looks for a path below the roots of some file systems.
  ///
  /// - Parameter systems: Indices of `fileSystems`.
  public func find(_ path: [[UInt8]], in systems: [Int]) throws -> Answer {
    var places: [Place] = []
    var link: Answer?
    for system in systems {
      switch try fileSystems[system].tree.lookUp(path) {
      case .file(let file): places.append(Place(system: system, file: file))
      case .link(let nameCount, let target):
        // Names before those of the mount point's are counted with it.
        let above = fileSystems[system].mountPoint?.count ?? 0
        link = link ?? .link(nameCount: nameCount + above, target: target)
      case .missing: break
      }
    }
    if places.count > 1 { return .several(places.map(\.system)) }
    return places.first.map { .found($0) } ?? link ?? .missing
  }
}

extension MachineLayout {
  /// Whether something goes by this name, whatever it is.
  fileprivate func has(_ text: String, _ unseen: UnseenPlaces) -> Bool {
    let device = DeviceName(text)
    return volumes.contains { $0.isCalled(device) } || unseen.has(device)
  }

  /// A logical volume that cannot be read, by the name that an fstab has for it: `vg0/home`.
  fileprivate func missingVolume(calledAs device: String) -> String? {
    for group in groups {
      for volume in group.volumes where volume.volume == nil {
        let paths = GuestVolume.devicePaths(group: group.name, volume: volume.name)
        if paths.contains(device) { return "\(group.name)/\(volume.name)" }
      }
    }
    return nil
  }
}

/// A path in a guest.
public enum GuestPath {
  /// The names of a path, as the user wrote it: `/etc/fstab`, `C:\Users\joe`; nil when a name in it is
  /// `..`.
  public static func names(_ text: String) -> [[UInt8]]? {
    var bytes = Array(text.utf8)
    let drive = bytes.first.map { $0 | 0x20 } ?? 0
    if bytes.count >= 3, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(drive),
      bytes[1] == UInt8(ascii: ":"), bytes[2] == UInt8(ascii: "\\") || bytes[2] == UInt8(ascii: "/")
    {
      bytes = bytes.dropFirst(2).map { $0 == UInt8(ascii: "\\") ? UInt8(ascii: "/") : $0 }
    }
    let names = bytes.split(separator: UInt8(ascii: "/")).map { Array($0) }
      .filter { $0 != Array(".".utf8) }
    return names.contains(Array("..".utf8)) ? nil : names
  }
}
