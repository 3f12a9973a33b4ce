internal import ArgumentParser
internal import Blocks
internal import GuestLayouts
internal import Platform
internal import Repositories
internal import ToolSupport
internal import Writing

/// Which file system of a point paths are looked for in.
struct GuestArguments: ParsableArguments {
  @Option(help: "Only on this disk of the point, by its name or number, from 0.")
  var volume: String?

  @Option(help: ArgumentHelp("Only in the partition of this number.", valueName: "number"))
  var partition: Int?

  @Option(help: ArgumentHelp("Only in this logical volume.", valueName: "group/name"))
  var logicalVolume: String?

  func validate() throws {
    if partition != nil, logicalVolume != nil {
      throw ValidationError("--partition and --logical-volume exclude each other")
    }
    if let logicalVolume, logicalVolume.split(separator: "/").count != 2 {
      throw ValidationError("--logical-volume \(logicalVolume): not like vg0/root")
    }
  }

  /// Whether a file system was chosen.
  var chooses: Bool { volume != nil || partition != nil || logicalVolume != nil }

  /// Opens a point's disks, as their guest has them.
  ///
  /// From then on the process can open nothing but the repository, and write nothing but beneath
  /// what `target` gives: what is on the disks may be hostile.
  ///
  /// - Parameters:
  ///   - libraries: Folders that are needed for something else, for reading.
  ///   - target: Gives the folders to write to; called when the point is there.
  func open(
    _ arguments: PointArguments, libraries: [String] = [],
    target: () throws(Failure) -> [String] = { () throws(Failure) in [] }
  ) throws -> PointFiles {
    let selected = try arguments.open()
    if volume != nil, selected.volume != nil {
      throw Failure(.usage, "--volume and \(selected.selector) both pick a disk")
    }
    let volumes = try naming(selected.selector) {
      try selected.repository.openVolumes(of: selected.stored)
    }
    let picked = try selected.pickedVolume(volume ?? selected.volume)
    let folders = try target()
    try Files.allowMany()
    try Sandbox.allowOnly(reading: selected.repository.paths + libraries, writing: folders)
    return PointFiles(selected, volumes, self, disk: picked)
  }
}

/// The files of a point.
struct PointFiles {
  let selected: SelectedPoint
  let volumes: [StoredVolume]
  let layout: MachineLayout
  let files: MachineFiles
  private let arguments: GuestArguments
  /// The disk that was picked.
  private let disk: Int?

  fileprivate init(
    _ selected: SelectedPoint, _ volumes: [StoredVolume], _ arguments: GuestArguments, disk: Int?
  ) {
    self.selected = selected
    self.volumes = volumes
    self.arguments = arguments
    self.disk = disk
    layout = MachineLayout(of: volumes)
    files = MachineFiles(layout)
  }

  /// Whether a volume is among those that were chosen.
  func isChosen(_ volume: GuestVolume) -> Bool {
    if let disk, volume.disk != disk { return false }
    if let number = arguments.partition, volume.partition?.number != number { return false }
    if let wanted = arguments.logicalVolume {
      guard let name = volume.logicalName, "\(name.group)/\(name.volume)" == wanted else {
        return false
      }
    }
    return true
  }

  /// Whether paths are looked for in file systems that the user chose.
  var isChoosing: Bool { arguments.chooses || disk != nil }

  /// What a volume is called where there may be several disks.
  func title(_ volume: GuestVolume) -> String {
    guard volumes.count > 1, volume.logicalName == nil, let disk = volume.disk else {
      return volume.title
    }
    return "\(volume.title) of \(volumes[disk].name)"
  }

  /// Tells of file systems that cannot be opened and, where all are of interest, of what else is
  /// damaged or not understood on the disks.
  func warn(ofAll: Bool) {
    if ofAll { for disk in layout.disks { for text in disk.warnings { Console.warn(text) } } }
    for text in files.warnings { Console.warn(text) }
  }

  /// What the machine has mounted over a path and nobody can look into here, as a sentence; nil when
  /// there is no such thing, or paths are looked for in a file system that was chosen.
  ///
  /// - Parameter system: The file system that the path was found in; nil when it was not.
  func closedMount(over path: [[UInt8]], foundIn system: Int?) -> String? {
    guard !isChoosing else { return nil }
    return files.closedMount(over: path, foundIn: system).map { sentence($0) }
  }

  /// Why files beneath a mount point cannot be read.
  func sentence(_ mount: MachineFiles.ClosedMount) -> String {
    let folder = "/" + mount.names.map { GuestText.path($0) }.joined(separator: "/")
    if let index = mount.volume {
      let volume = layout.volumes[index]
      let kind = volume.finding.map { " (\($0.kind))" } ?? ""
      return "\(folder) is mounted from \(title(volume))\(kind), whose files cannot be read"
    }
    if let name = mount.logicalVolume {
      return "\(folder) is mounted from logical volume \(name), whose files cannot be read"
    }
    let device = GuestText.path(Array(mount.device.utf8))
    return "\(folder) is mounted from \(device), "
      + (mount.isUnclear
        ? "and the disks do not tell which file system that is"
        : "which was not found on the disks")
  }

  /// A file that a path means.
  struct Found {
    let path: [[UInt8]]
    let place: MachineFiles.Place
    let fileSystem: MachineFiles.FileSystem
    /// What the machine would see instead, where that cannot be read, as a sentence.
    let closedMount: String?
  }

  /// Finds what a path means.
  func find(_ text: String) throws(Failure) -> Found {
    guard let path = GuestPath.names(text) else {
      throw Failure(.usage, "\(text): has .. in it", hint: "name the file without it")
    }
    switch try naming(text, { try answer(path) }) {
    case .found(let place):
      return Found(
        path: path, place: place, fileSystem: files.fileSystems[place.system],
        closedMount: closedMount(over: path, foundIn: place.system))
    case .several(let systems):
      let names = systems.map { title(files.fileSystems[$0].volume) }.joined(separator: ", ")
      throw Failure(
        .usage, "\(text): is in several file systems: \(names)",
        hint: "choose one with --volume, --partition or --logical-volume")
    case .link(let count, let target):
      let link = "/" + path.prefix(count).map { GuestText.path($0) }.joined(separator: "/")
      throw Failure(
        .notFound, "\(text): no such file",
        hint: "\(link) is a symbolic link to \(GuestText.path(target)): name the file by that")
    case .missing:
      if let trouble { throw trouble }
      let isPattern = text.contains { "*?[".contains($0) }
      throw Failure(
        .notFound, "\(text): no such file",
        hint: isPattern
          ? "patterns are not taken here: name a file or a folder"
          : closedMount(over: path, foundIn: nil) ?? missingHint)
    }
  }

  /// Why paths can be looked for in nothing that the user chose.
  private var nothingChosen: Failure {
    var words: [String] = []
    if let number = arguments.partition { words.append("partition \(number)") }
    if let name = arguments.logicalVolume { words.append("logical volume \(name)") }
    if let disk { words.append((words.isEmpty ? "disk " : "of ") + volumes[disk].name) }
    let asked = words.joined(separator: " ")
    let there = layout.volumes.filter { isChosen($0) && $0.placement.byteCount > 0 }
    let kinds = Set(there.flatMap(\.contents).map(\.kind)).sorted().joined(separator: ", ")
    let hidden = layout.groups.lazy.flatMap { group in
      group.volumes.lazy.filter { "\(group.name)/\($0.name)" == arguments.logicalVolume }
    }.first { $0.volume == nil }
    if let hidden {
      let reason = hidden.doubt ?? "not all there, or not understood"
      return Failure(.notFound, "\(asked) is \(reason): its files cannot be read")
    }
    let readable = files.fileSystems.prefix(10).map { title($0.volume) }.joined(separator: ", ")
    return Failure(
      .notFound,
      there.isEmpty
        ? "\(asked): no such place for a file system"
        : "\(asked): no file system that can be read is there"
          + (kinds.isEmpty ? "" : " (\(kinds))"),
      hint: files.fileSystems.isEmpty
        ? "vrestore ls without a path tells what there is" : "files are in \(readable)")
  }

  private var missingHint: String {
    files.fileSystems.isEmpty
      ? "no file system of the point can be read: vrestore ls without a path tells what there is"
      : "vrestore ls lists files, and without a path the file systems"
  }

  private func answer(_ path: [[UInt8]]) throws -> MachineFiles.Answer {
    guard isChoosing else { return try files.find(path) }
    let chosen = files.fileSystems.indices.filter { isChosen(files.fileSystems[$0].volume) }
    guard !chosen.isEmpty else { throw nothingChosen }
    return try files.find(path, in: chosen)
  }

  /// The failure that damage of the repository is, if a read met any.
  var trouble: Failure? {
    for volume in volumes {
      if let trouble = volume.trouble { return Failure(selected.selector, trouble) }
    }
    return nil
  }

  /// The kinds of holes that content may be in, apart from zeros; nil when the point has none.
  var holes: ContentHoles.Finder? {
    let kinds: [HoleKind] = [.free, .swap, .excluded, .bad]
    let isThere = selected.point.volumes.contains { volume in
      kinds.contains { volume.bytes[$0.name, default: 0] > 0 }
    }
    guard isThere else { return nil }
    return { [volumes] disk, range in
      try volumes[disk].holes(in: range).filter { kinds.contains($0.key) }
    }
  }
}
