internal import Appliances
internal import Blocks
internal import Bytes

/// What an OVF says of the disks of a machine, and the names that they get here.
struct Appliance {
  /// The most files of an archive.
  static let memberLimit = 4096

  /// A disk with its file.
  struct Disk {
    /// Its number among the appliance's disks, from 0.
    let number: Int
    let id: String
    let file: OVFDescriptor.File
    let name: String
    /// The size in bytes that the OVF tells.
    let capacity: UInt64?
    /// The ids of disks that have the same content.
    let sharers: [String]

    /// Whether `text` names it: by its number, its volume's name, its id, or its file's name.
    func isCalled(_ text: String) -> Bool {
      ([name, id, file.name, "\(number)"] + sharers).contains(text)
    }
  }

  let descriptor: OVFDescriptor
  let disks: [Disk]
  var warnings: [String] = []

  /// - Parameters:
  ///   - bytes: The OVF.
  ///   - name: Its file's name.
  init(_ bytes: [UInt8], _ name: String) throws {
    descriptor = try OVFDescriptor(parsing: bytes, name)
    var taken: Set<String> = []
    var disks: [Disk] = []
    for disk in descriptor.disks {
      guard let file = disk.file else {
        warnings.append("disk \(disk.id) has no file: an empty disk is left out")
        continue
      }
      var volume = Appliance.volumeName(file.name)
      if !taken.insert(volume).inserted {
        volume = Appliance.volumeName("\(volume)-\(disks.count).x")
        taken.insert(volume)
      }
      disks.append(
        Disk(
          number: disks.count, id: disk.id, file: file, name: volume, capacity: disk.capacity,
          sharers: disk.sharers))
      for other in disk.sharers {
        warnings.append(
          "disk \(other) begins as disk \(disk.id) does, in \(file.name): it is read once")
      }
    }
    self.disks = disks
    for file in descriptor.files where !disks.contains(where: { $0.file.id == file.id }) {
      warnings.append("\(file.name) is not a disk and is left out")
    }
    guard !disks.isEmpty else {
      throw FormatError(name, at: 0, .impossible("it has no disk"))
    }
    guard disks.count <= SourceFeed.sourceLimit else {
      throw FormatError(name, at: 0, .impossible("\(disks.count) disks are over the limit"))
    }
  }

  /// A volume's name made of a file's.
  private static func volumeName(_ file: String) -> String {
    var name = file
    if MemberName.ends(name, ".gz") { name = MemberName.base(name) }
    name = MemberName.base(name).map { $0 == ":" ? "_" : String($0) }.joined()
    while name.utf8.count > VolumeNames.byteLimit { name.removeLast() }
    return name
  }

  /// The disks that `pick` names; all when it is nil.
  func picked(_ pick: String?) throws(ReadingError) -> [Disk] {
    guard let pick else { return disks }
    let found = disks.filter { $0.isCalled(pick) }
    guard found.count == 1 else {
      throw .request(
        found.isEmpty ? "no disk is called \(pick)" : "several disks are called \(pick)",
        hint: "there are: \(disks.map(\.name).joined(separator: ", "))")
    }
    return found
  }

  /// What to say of a disk whose size is not the one that the OVF tells.
  static func doubt(_ disk: Disk, size: UInt64) -> String? {
    guard let capacity = disk.capacity, capacity != size else { return nil }
    return "\(disk.name): the disk has \(size) bytes, but the OVF tells of \(capacity)"
  }

  /// Refuses a file that comes in a way that is not read.
  static func requireWhole(_ file: OVFDescriptor.File) throws(FormatError) {
    if file.chunkSize != nil {
      throw FormatError(
        "OVF", at: 0, .unsupported("\(file.name): a file in chunks (ovf:chunkSize)"))
    }
  }
}

/// A member of an archive whose name is safe to talk about.
enum Member {
  /// Checks a member's kind and name.
  ///
  /// - Returns: The plain name; nil for a folder, which is of no interest.
  static func name(
    _ name: String, isPlain: Bool, isFolder: Bool, at offset: UInt64
  ) throws(FormatError) -> String? {
    if isFolder { return nil }
    let trimmed = MemberName.trimmed(name)
    guard MemberName.isPlain(trimmed) else {
      throw FormatError(
        "archive", at: offset, .impossible("a file called '\(name)', which is no plain name"))
    }
    guard isPlain else {
      throw FormatError(
        "archive", at: offset,
        .impossible("\(trimmed) is a link, a device, encrypted or stored with holes"))
    }
    return trimmed
  }
}
