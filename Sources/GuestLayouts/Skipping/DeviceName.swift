/// How an fstab names a file system, as fstab(5) and mount(8) have it.
enum DeviceName: Equatable {
  /// `UUID`, `LABEL`, `PARTUUID` or `PARTLABEL`, be it as such or as a link in /dev/disk.
  case tag(String, String)
  case path(String)

  init(_ text: String) {
    let links = "/dev/disk/by-"
    if text.hasPrefix(links) {
      let parts = text.dropFirst(links.count).split(separator: "/", maxSplits: 1)
      self =
        parts.count == 2
        ? .tag(parts[0].uppercased(), DeviceName.unlinked(String(parts[1]))) : .path(text)
    } else if let equals = text.firstIndex(of: "=") {
      let value = text[text.index(after: equals)...].filter { $0 != "\"" }
      self = .tag(String(text[..<equals]), value)
    } else {
      self = .path(text)
    }
  }

  /// A name as udev writes it in a link, with `\x20` for a blank.
  private static func unlinked(_ name: String) -> String {
    let parts = name.split(separator: "\\x", omittingEmptySubsequences: false)
    var bytes = Array(parts[0].utf8)
    for part in parts.dropFirst() {
      if let value = UInt8(part.prefix(2), radix: 16), part.count >= 2 {
        bytes.append(value)
        bytes += part.dropFirst(2).utf8
      } else {
        bytes += "\\x\(part)".utf8
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

extension GuestFinding {
  /// Whether it goes by this name.
  func isCalled(_ device: DeviceName) -> Bool {
    switch device {
    case .tag("UUID", let value): uuid?.lowercased() == value.lowercased()
    case .tag("LABEL", let value): label == value
    default: false
    }
  }
}

extension GuestVolume {
  /// Whether it goes by this name, or something does that it looks like.
  func isCalled(_ device: DeviceName) -> Bool {
    switch device {
    case .tag("PARTUUID", let value): partition?.uuid?.lowercased() == value.lowercased()
    case .tag("PARTLABEL", let value): partition?.name == value
    case .path(let path): devicePaths.contains(path)
    default: contents.contains { $0.isCalled(device) }
    }
  }

  /// The paths that stand for a logical volume; those of partitions depend on the machine.
  private var devicePaths: [String] {
    logicalName.map { GuestVolume.devicePaths(group: $0.group, volume: $0.volume) } ?? []
  }

  /// The paths of a logical volume by its name.
  static func devicePaths(group: String, volume: String) -> [String] {
    func escaped(_ text: String) -> String {
      text.split(separator: "-", omittingEmptySubsequences: false).joined(separator: "--")
    }
    return [
      "/dev/\(group)/\(volume)",
      "/dev/mapper/\(escaped(group))-\(escaped(volume))",
    ]
  }
}
