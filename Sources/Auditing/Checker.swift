internal import GuestLayouts
internal import Platform

/// The programs that a file system's own makers check it with.
struct Checker {
  let name: String
  /// Its arguments; the file system's image comes behind them.
  let arguments: [String]
  /// What has it replay a log first, in the image that is thrown away; nil when it cannot.
  var replay: [String]?
  /// The package of Debian's that it is in.
  let package: String

  /// Those for a kind of file system, none of which mends anything.
  static func all(for kind: String) -> [Checker] {
    switch kind {
    case "ext2", "ext3", "ext4":
      [
        Checker(
          name: "e2fsck", arguments: ["-f", "-n"], replay: ["-E", "journal_only", "-y"],
          package: "e2fsprogs")
      ]
    case "XFS": [Checker(name: "xfs_repair", arguments: ["-n", "-f"], package: "xfsprogs")]
    case "NTFS":
      [
        Checker(name: "ntfsfix", arguments: ["-n"], package: "ntfs-3g"),
        Checker(name: "ntfsresize", arguments: ["-i", "-f"], package: "ntfs-3g"),
      ]
    case "FAT12", "FAT16", "FAT32":
      [Checker(name: "fsck.fat", arguments: ["-n"], package: "dosfstools")]
    case "exFAT": [Checker(name: "fsck.exfat", arguments: ["-n"], package: "exfatprogs")]
    case "btrfs":
      [
        Checker(
          name: "btrfs", arguments: ["check", "--readonly", "--check-data-csum"],
          package: "btrfs-progs")
      ]
    default: []
    }
  }

  /// Runs it on what would be restored, whose log it replays where it can.
  ///
  /// - Parameters:
  ///   - image: What would be restored.
  ///   - original: Gives the same file system as it was, asked for when the check fails: what was
  ///     damaged before is not the backup's fault.
  func check(
    _ image: ScratchImage, original: () throws -> ScratchImage?
  ) throws -> AuditCheck.Outcome {
    guard let path = Command.path(of: name) else {
      return .notDone("\(name) is not installed (Debian: \(package))")
    }
    func run(_ image: ScratchImage) throws -> Command.Result {
      // How that goes shows in the check.
      if let replay { _ = try Command.run([path] + replay + [image.path]) }
      return try Command.run([path] + arguments + [image.path])
    }
    let result = try run(image)
    guard result.status != 0 else { return .passed("nothing is wrong") }
    if let original = try original() {
      let before = try run(original)
      if before.status == result.status {
        return .notDone("\(name) finds the same fault in the original (status \(before.status))")
      }
    }
    let lines = String(decoding: result.output, as: UTF8.self).split(whereSeparator: \.isNewline)
    return .failed(["\(name): status \(result.status)"] + lines.suffix(20).map(String.init))
  }
}
