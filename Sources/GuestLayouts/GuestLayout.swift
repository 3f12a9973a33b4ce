/// One thing that guests put on their disks: a partition table, a swap area, a file system.
///
/// Everything on a disk may be hostile: an implementation compares each count and place with a
/// named limit and the area's size before it multiplies, allocates or follows it, and reports
/// damage as a warning in its finding. What is not understood is read in full, so caution costs
/// space and never content.
public protocol GuestLayout: Sendable {
  /// The layout's name, for messages.
  static var name: String { get }
  /// Whether it divides a disk; such layouts are looked for on whole disks only, the first wins.
  static var isTable: Bool { get }
  /// Looks for the layout in `area`, a whole disk or one partition.
  ///
  /// - Returns: What is there; nothing when it is not this layout.
  /// - Throws: `SourceError` when the area cannot be read.
  static func find(in area: GuestArea) throws -> [GuestFinding]
}

/// The layouts that are known.
public enum GuestLayouts {
  /// Every layout, tables in the order in which they claim a disk.
  ///
  /// To add a file system, write its folder and name it here.
  public static let all: [any GuestLayout.Type] = [
    GPT.self, MBR.self, LinuxSwap.self, LVM2.self, LinuxRAID.self, Ext.self, XFS.self, NTFS.self,
    FAT.self,
    ExFAT.self, Btrfs.self, KnownContents.self,
  ]
}
