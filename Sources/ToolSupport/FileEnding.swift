internal import Platform

/// What the name of an image promises.
public enum FileEnding {
  /// Of formats that cannot be written.
  private static let foreign = [
    "qcow2": "QCOW2", "qcow": "QCOW", "vhdx": "VHDX", "vmdk": "VMDK", "vdi": "VDI", "qed": "QED",
    "ova": "OVA",
  ]

  /// What follows the last dot of a file's name, in small letters; empty when there is none.
  public static func of(_ path: String) -> String {
    let name = Files.name(of: path)
    guard let dot = name.lastIndex(of: ".") else { return "" }
    return name[name.index(after: dot)...].lowercased()
  }

  /// Refuses a name that promises a format which is not the one that it would get.
  public static func requirePossible(_ path: String) throws(Failure) {
    guard path != "-", let format = foreign[of(path)] else { return }
    throw Failure(
      .usage, "\(path): \(format) cannot be made",
      hint: "a name in .vhd gets a VHD, one in .raw or .img a raw disk from vhd convert")
  }
}
