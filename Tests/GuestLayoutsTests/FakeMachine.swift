import Blocks
import TestSupport

@testable import GuestLayouts

extension MachineLayout {
  /// A disk with a file system from its start to its end, and others behind it.
  static func fake(_ systems: [FakeFileSystem], label: String? = nil) -> MachineLayout {
    var layout = MachineLayout(of: [MemoryDisk([UInt8](repeating: 0, count: 4096))])
    var start: UInt64 = 0
    layout.volumes = systems.enumerated().map { index, system in
      var finding = GuestFinding("fake", label: "fs\(index)", uuid: "0000-\(index)")
      finding.fileSystem = system
      defer { start += system.byteCount }
      return GuestVolume(
        title: "partition \(index + 1)",
        placement: Placement(disk: 0, range: start..<start + system.byteCount),
        source: MemoryDisk([]), contents: [finding])
    }
    return layout
  }
}
