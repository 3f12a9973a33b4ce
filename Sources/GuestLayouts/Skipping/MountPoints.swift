internal import Blocks
internal import Bytes

/// A line of /etc/fstab that counts here, as fstab(5) has it.
struct MountLine: Equatable {
  let device: String
  let folder: String
  let type: String
  let options: [String]

  /// The lines of a file.
  static func all(_ bytes: [UInt8]) -> [MountLine] {
    String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).compactMap { line in
      let words = line.split(whereSeparator: \.isWhitespace).map { unescaped(String($0)) }
      guard words.count >= 3, !words[0].hasPrefix("#") else { return nil }
      let options = words.count > 3 ? words[3].split(separator: ",").map(String.init) : []
      return MountLine(device: words[0], folder: words[1], type: words[2], options: options)
    }
  }

  /// Whether the device goes by the name that the machine's kernel gave it, which a disk does not tell.
  var isKernelName: Bool {
    let name = device.dropFirst("/dev/".count)
    return device.hasPrefix("/dev/")
      && ["sd", "vd", "xvd", "hd", "nvme", "mmcblk"].contains { name.hasPrefix($0) }
  }

  /// Whether it mounts what a disk of the machine should have: no memory, no server, no other folder and
  /// no medium that comes and goes.
  var isOfDisk: Bool {
    let isTag = ["UUID=", "LABEL=", "PARTUUID=", "PARTLABEL="].contains { device.hasPrefix($0) }
    guard folder.hasPrefix("/"), isTag || device.hasPrefix("/dev/"),
      !["swap", "iso9660", "udf", "tmpfs", "none", "ignore"].contains(type),
      !options.contains("bind"), !options.contains("rbind"),
      type != "auto" || !options.contains("noauto")
    else { return false }
    // Such as /dev/sr0.
    let drives = ["fd", "floppy", "sr", "scd", "cdrom", "cdrw", "dvd", "dvdrw"]
    let name = device.dropFirst("/dev/".count)
    return isTag
      || !drives.contains { drive in
        name.hasPrefix(drive) && name.dropFirst(drive.count).allSatisfy(\.isNumber)
      }
  }

  /// Octal escapes stand for blanks.
  private static func unescaped(_ word: String) -> String {
    let bytes = Array(word.utf8)
    var result: [UInt8] = []
    var position = 0
    while position < bytes.count {
      if bytes[position] == UInt8(ascii: "\\"), position + 3 < bytes.count,
        let value = UInt8(
          String(decoding: bytes[position + 1...position + 3], as: UTF8.self), radix: 8)
      {
        result.append(value)
        position += 4
      } else {
        result.append(bytes[position])
        position += 1
      }
    }
    return String(decoding: result, as: UTF8.self)
  }
}

/// Where guests mount their file systems, as the fstab of their roots tells.
struct MountPoints {
  /// For the index of a volume the names of the folder.
  private(set) var folders: [Int: [[UInt8]]] = [:]
  /// Whether there is a root with an fstab, or files that cannot be looked at and may hold one: then what no fstab
  /// names is not known by a path.
  private(set) var mayHaveRoot: Bool
  /// Whether one of the volumes is Windows'.
  private let hasWindows: Bool
  /// For the index of a root the lines that name a partition as no disk tells it, such as /dev/sda4.
  private(set) var unknown: [(root: Int, line: MountLine)] = []
  /// For the index of a root what its fstab mounts of the disks beneath it, and the index of the volume that it
  /// means, where one is known.
  private(set) var mounts: [(root: Int, names: [[UInt8]], line: MountLine, volume: Int?)] = []
  /// The swap files that an fstab names, as paths in the guest.
  private(set) var swapFiles: [[[UInt8]]] = []

  /// The swap files that an fstab names in a volume, as paths below its root.
  func swapFiles(in index: Int, _ rule: NameRule?) -> [[[UInt8]]] {
    guard let folder = folder(of: index, rule) else { return [] }
    return swapFiles.filter { $0.starts(with: folder) }.map { Array($0.dropFirst(folder.count)) }
  }

  /// The most bytes of an fstab.
  static let byteLimit: UInt64 = 1 << 20

  /// - Parameters:
  ///   - volumes: With the trees of their files, where they have one.
  ///   - unseen: What nobody looks into besides.
  init(_ volumes: [GuestVolume], _ trees: [(any FileTree)?], _ unseen: UnseenPlaces) {
    mayHaveRoot = unseen.mayHaveFiles
    hasWindows = volumes.contains { $0.contents.contains { $0.kind == "NTFS" } }
    for index in volumes.indices {
      if trees[index] == nil, volumes[index].finding?.fileSystem != nil { mayHaveRoot = true }
      guard let tree = trees[index], let lines = MountPoints.fstab(tree) else { continue }
      folders[index] = folders[index] ?? []
      mayHaveRoot = true
      for line in lines {
        let names = line.folder.utf8.split(separator: UInt8(ascii: "/")).map { Array($0) }
        if line.isOfDisk, !names.isEmpty {
          let volume = MountPoints.only(of: volumes, unseen, calledAs: line.device)
          mounts.append((index, names, line, volume))
        }
        if line.type == "swap", line.device.hasPrefix("/"), !line.device.hasPrefix("/dev/") {
          swapFiles.append(line.device.utf8.split(separator: UInt8(ascii: "/")).map { Array($0) })
        } else if line.folder.hasPrefix("/"), !names.isEmpty,
          let target = MountPoints.only(of: volumes, unseen, calledAs: line.device), target != index
        {
          folders[target] = folders[target] ?? names
        } else if line.folder.hasPrefix("/"), !names.isEmpty, line.isKernelName {
          unknown.append((index, line))
        }
      }
    }
  }

  /// The folder that the root of a volume is in; nil when nothing tells it: then only patterns for any depth count.
  ///
  /// Without any fstab a volume is its own root, and so is one of Windows, which has drives instead of folders.
  func folder(of index: Int, _ rule: NameRule?) -> [[UInt8]]? {
    if let folder = folders[index] { return folder }
    let isDrive = hasWindows && rule != .exact
    return mayHaveRoot && !isDrive ? nil : []
  }

  /// The volume that a device's name means; nil when there is none, or when copies have the same name:
  /// then nobody knows which of them the machine takes.
  private static func only(
    of volumes: [GuestVolume], _ unseen: UnseenPlaces, calledAs text: String
  ) -> Int? {
    let device = DeviceName(text)
    let called = volumes.indices.filter { volumes[$0].isCalled(device) }
    return called.count == 1 && !unseen.has(device) ? called[0] : nil
  }

  /// What fstab of a root says; nil when there is none that can be read: then nothing is known.
  private static func fstab(_ tree: any FileTree) -> [MountLine]? {
    do {
      guard let file = try tree.find([Array("etc".utf8), Array("fstab".utf8)]),
        file.kind == .regular, file.size <= byteLimit,
        let bytes = try tree.content(of: file).bytes(Int(file.size), at: 0)
      else { return nil }
      return MountLine.all(bytes)
    } catch {
      return nil
    }
  }
}
