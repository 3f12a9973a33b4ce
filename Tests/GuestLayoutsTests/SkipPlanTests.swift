import Blocks
import TestSupport
import Testing

@testable import GuestLayouts

struct SkipPlanTests {
  private let size: UInt64 = 1 << 30

  private func plan(
    _ systems: [FakeFileSystem], _ kinds: Set<HoleKind>, _ patterns: [String] = []
  ) throws -> SkipPlan {
    var exclusions = Exclusions()
    for pattern in patterns { try exclusions.add(pattern) }
    return SkipPlan(.fake(systems), kinds: kinds, exclusions: exclusions)
  }

  private func swapArea(_ byteCount: Int) -> [UInt8] {
    var disk = TestDisk(byteCount)
    disk.swap(at: 0, byteCount)
    return disk.bytes
  }

  @Test func `free space lies where its file system does`() throws {
    let systems = [FakeFileSystem(size), FakeFileSystem(size)]
    systems[1].free = .success([8192..<16384])
    let plan = try plan(systems, [.free])
    #expect(plan.skipped[0][.free]?.ranges == [size + 8192..<size + 16384])
    #expect(plan.warnings[0] == [])
  }

  @Test func `a doubt is told, and nothing is left out`() throws {
    let system = FakeFileSystem(size)
    system.free = .failure(GuestDoubt("its journal is dirty"))
    system.add("/tmp/a", [8192..<16384])
    let plan = try plan([system], [.free, .excluded], ["/tmp/**"])
    #expect(plan.skipped == [[:]])
    #expect(plan.warnings == [["partition 1: fake is read whole: its journal is dirty"]])
  }

  @Test func `excluded files give up what is theirs alone`() throws {
    let system = FakeFileSystem(size)
    system.add("/var/cache/a/big", [65536..<131072, 262144..<266240])
    system.add("/var/cache/linked", [524288..<528384], links: 2)
    system.add("/var/cache/shared", [532480..<536576], doubt: GuestDoubt("it is shared"))
    system.add("/var/lib/kept", [540672..<544768])
    let plan = try plan([system], [.excluded], ["/var/cache/**"])
    #expect(plan.skipped[0][.excluded]?.ranges == [65536..<131072, 262144..<266240])
    #expect(plan.files.map(\.path) == ["/var/cache/a/big"])
    #expect(
      plan.warnings[0] == [
        "partition 1: /var/cache/linked is not left out: it has other names too",
        "partition 1: /var/cache/shared is not left out: it is shared",
      ])
  }

  @Test(arguments: ["its places are in doubt", nil])
  func `files in doubt are left in`(doubt: String?) throws {
    let system = FakeFileSystem(size)
    system.fileDoubt = doubt
    system.free = .success([1 << 20..<2 << 20])
    system.add("/tmp/a", [8192..<16384])
    // One that lies in free space contradicts it: then nothing is known to be free.
    if doubt == nil { system.add("/tmp/b", [(1 << 20) + 4096..<(1 << 20) + 8192]) }
    let plan = try plan([system], [.free, .excluded], ["/tmp/**"])
    #expect(plan.skipped[0][.excluded] == nil)
    #expect(plan.skipped[0][.free]?.byteCount == (doubt == nil ? nil : 1 << 20))
    #expect(plan.warnings[0].count == 1)
  }

  @Test func `two files that claim the same bytes are left in, and all others`() throws {
    let system = FakeFileSystem(size)
    system.add("/tmp/a", [8192..<16384])
    system.add("/tmp/b", [12288..<20480])
    system.add("/tmp/c", [65536..<69632])
    let plan = try plan([system], [.excluded], ["/tmp/**"])
    #expect(plan.skipped == [[:]])
    #expect(plan.warnings[0].first?.contains("two files claim") == true)
  }

  @Test func `a folder that is in two places ends the walk`() throws {
    let system = FakeFileSystem(size)
    system.add("/tmp/d/a", [8192..<16384])
    let folder = try #require(system.nodes[2]?.entries[0].1)
    let inner = try #require(system.nodes[folder]?.entries[0].1)
    system.nodes[inner]?.entries.append(("loop", folder))
    let plan = try plan([system], [.excluded], ["/tmp/**"])
    #expect(plan.skipped == [[:]])
    #expect(plan.warnings[0].first?.contains("in two places") == true)
  }

  @Test func `patterns that match nothing are told, be there a doubt or not`() throws {
    let systems = [FakeFileSystem(size), FakeFileSystem(size)]
    systems[0].fileDoubt = "it was not unmounted"
    systems[0].add("/var/a", [8192..<16384])
    // Without it, what the first one is would decide where the second one is.
    systems[1].add("/etc/fstab", content: [10])
    systems[1].add("/tmp/b/c", [8192..<16384], links: 2)
    systems[1].addFolder("/srv")
    systems[1].addLink("/link", to: "/srv")
    var exclusions = Exclusions()
    for pattern in ["/var/a", "/tmp", "/tmp/b/c", "/srv/**", "/link/**", "/link", "/nothing"] {
      try exclusions.add(pattern, from: "--exclude")
    }
    try exclusions.add("/of/a/set")
    let plan = SkipPlan(.fake(systems), kinds: [.excluded], exclusions: exclusions)
    #expect(plan.matches.patterns == [0, 1, 2, 3])
    #expect(
      exclusions.warnings(plan.matches)
        == ["/link/**", "/link", "/nothing"].map { "--exclude: '\($0)': no file matches" })
  }

  @Test func `only some patterns that match nothing are named`() throws {
    var exclusions = Exclusions()
    for number in 0..<30 { try exclusions.add("/\(number)", from: "list:\(number)") }
    var matches = PatternMatches()
    matches.isComplete = false
    let warnings = exclusions.warnings(matches)
    #expect(warnings.count == 21)
    #expect(warnings.first == "list:0: '/0': no file matches where files can be looked for")
    #expect(warnings.last == "10 more patterns match no file where files can be looked for")
  }

  @Test func `the fstab of a root is never left out`() throws {
    let system = FakeFileSystem(size)
    system.add("/etc/fstab", [8192..<16384], content: Array("# nothing\n".utf8))
    system.add("/etc/passwd", [65536..<131072])
    #expect(try plan([system], [.excluded], ["/etc/**"]).files.map(\.path) == ["/etc/passwd"])
  }

  @Test func `a swap file that is read for a doubt is named`() throws {
    let system = FakeFileSystem(size)
    system.fileDoubt = "it was not unmounted"
    #expect(try plan([system], [.swap]).warnings == [[]])
    system.add("/swapfile", [1 << 20..<2 << 20], content: swapArea(1 << 20))
    let plan = try plan([system], [.swap])
    #expect(plan.skipped == [[:]])
    #expect(plan.warnings == [["partition 1: /swapfile is not left out: it was not unmounted"]])
  }

  @Test func `swap files keep their first page, and others of that name everything`() throws {
    let system = FakeFileSystem(size)
    system.add("/swapfile", [1 << 20..<2 << 20, 4 << 20..<5 << 20], content: swapArea(2 << 20))
    system.add("/swap.img", [8 << 20..<9 << 20], content: [UInt8](repeating: 7, count: 1 << 20))
    let plan = try plan([system], [.swap])
    let expected: [Range<UInt64>] = [(1 << 20) + 65536..<2 << 20, 4 << 20..<5 << 20]
    #expect(plan.skipped[0][.swap]?.ranges == expected)
    #expect(plan.files.map(\.path) == ["/swapfile"])
  }

  @Test(arguments: ["/swapfile", "/var/named", "/elsewhere"])
  func `a machine that has suspended may need everything`(path: String) throws {
    let root = FakeFileSystem(size)
    root.fileDoubt = "its journal has not been replayed"
    root.add("/etc/fstab", content: Array("/var/named none swap sw 0 0\n".utf8))
    var area = TestDisk(1 << 20)
    area.swap(at: 0, 1 << 20, magic: "S1SUSPEND\0")
    root.add(path, [1 << 20..<2 << 20], content: area.bytes)
    let other = FakeFileSystem(size)
    other.free = .success([8192..<16384])
    let plan = try plan([root, other], [.free, .swap])
    let isKnown = path != "/elsewhere"
    #expect(plan.skipped[0][.free]?.byteCount == (isKnown ? nil : 8192))
    #expect(
      plan.warnings == [
        isKnown
          ? [
            "a machine has suspended to \(path) of partition 1, and may need everything when it wakes: "
              + "nothing is left out"
          ] : []
      ])
  }

  @Test func `one swap area with a suspended machine keeps all others`() {
    var disk = TestDisk.usual()
    disk.swap(at: 1 << 20, 1 << 20)
    #expect(disk.layout.swap.count == 1)
    disk.put("S1SUSPEND", at: (1 << 20) + 4086)
    #expect(disk.layout.swap.isEmpty)
  }

  @Test func `swap files that fstab names are found where they are mounted`() throws {
    let root = FakeFileSystem(size)
    let other = FakeFileSystem(size)
    let table =
      "# swap\nUUID=0000-1 /srv\\040data ext4 defaults 0 2\n/srv\\040data/my.swap none swap sw 0 0\n"
    root.add("/etc/fstab", content: Array(table.utf8))
    other.add("/my.swap", [1 << 20..<2 << 20], content: swapArea(1 << 20))
    let plan = try plan([root, other], [.swap])
    #expect(plan.skipped[0][.swap]?.ranges == [size + (1 << 20) + 65536..<size + (2 << 20)])
    #expect(plan.files.map(\.path) == ["/srv data/my.swap"])
  }

  @Test(arguments: [
    ("UUID=0000-1", true), ("LABEL=fs1", true), ("LABEL=\"fs1\"", true), ("/dev/sda2", false),
    ("PARTUUID=1", false), ("/dev/disk/by-uuid/0000-1", true), ("/dev/disk/by-label/fs1", true),
    ("/dev/disk/by-label/f\\x731", true), ("/dev/disk/by-label/fs0", false),
    ("/dev/disk/by-id/x", false),
  ])
  func `patterns count from the guest's root`(device: String, isKnown: Bool) throws {
    let root = FakeFileSystem(size)
    let other = FakeFileSystem(size)
    root.add("/etc/fstab", content: Array("\(device) /var ext4 defaults 0 2\n".utf8))
    other.add("/cache/a", [8192..<16384])
    #expect(
      try plan([root, other], [.excluded], ["/var/cache/**"]).files.map(\.path)
        == (isKnown ? ["/var/cache/a"] : []))
    // What is in an unknown folder is known by no path from the root.
    #expect(try plan([root, other], [.excluded], ["/cache/**"]).files.map(\.path).isEmpty)
    #expect(
      try plan([root, other], [.excluded], ["cache/**"]).files.map(\.path)
        == [isKnown ? "/var/cache/a" : "/cache/a"])
    let told = try plan([root, other], [.excluded], ["x"]).warnings.joined()
    #expect(told.contains { $0.contains("cannot be told") } == (device == "/dev/sda2"))
  }

  @Test func `without an fstab, and on Windows, a file system is its own root`() throws {
    let root = FakeFileSystem(size)
    root.add("/cache/a", [8192..<16384])
    #expect(try plan([root], [.excluded], ["/cache/**"]).files.map(\.path) == ["/cache/a"])
    // The other one may have the fstab.
    let running = FakeFileSystem(size)
    running.fileDoubt = "its journal has not been replayed"
    #expect(try plan([root, running], [.excluded], ["/cache/**"]).files.map(\.path).isEmpty)
    // So may what is encrypted; swap has no files.
    for (kind, isRoot) in [("LUKS", false), ("Linux swap", true), ("squashfs", true)] {
      var layout = MachineLayout.fake([root, FakeFileSystem(size)])
      layout.volumes[1].contents = [GuestFinding(kind)]
      var exclusions = Exclusions()
      try exclusions.add("/cache/**")
      let plan = SkipPlan(layout, kinds: [.excluded], exclusions: exclusions)
      #expect(plan.files.map(\.path) == (isRoot ? ["/cache/a"] : []))
    }
    let linux = FakeFileSystem(size)
    linux.add("/etc/fstab", content: Array("UUID=9 / ext4 x 0 1\n".utf8))
    let windows = FakeFileSystem(size)
    windows.nameRule = .ignoringCase
    windows.add("/Windows/Temp/a", [8192..<16384])
    // A drive without Windows is mounted somewhere.
    for (kind, isDrive) in [("NTFS", true), ("FAT32", false)] {
      var layout = MachineLayout.fake([linux, windows])
      layout.volumes[1].contents[0].kind = kind
      var exclusions = Exclusions()
      try exclusions.add("C:\\Windows\\Temp")
      let plan = SkipPlan(layout, kinds: [.excluded], exclusions: exclusions)
      #expect(plan.files.map(\.path) == (isDrive ? ["/Windows/Temp/a"] : []))
    }
  }

  @Test func `when Windows sleeps its other drives are read whole`() throws {
    let systems = (0..<3).map { _ in FakeFileSystem(size) }
    for system in systems { system.free = .success([8192..<16384]) }
    systems[0].isSuspended = true
    systems[0].free = .failure(GuestDoubt("it sleeps"))
    var layout = MachineLayout.fake(systems)
    layout.volumes[0].contents[0].kind = "NTFS"
    layout.volumes[1].contents[0].kind = "FAT32"
    let plan = SkipPlan(layout, kinds: [.free])
    #expect(plan.skipped[0][.free]?.ranges == [2 * size + 8192..<2 * size + 16384])
    #expect(plan.warnings[0].contains { $0.contains("Windows has suspended on partition 1") })
  }

  @Test func `of two volumes with one name neither is known to be mounted`() throws {
    let root = FakeFileSystem(size)
    root.add("/etc/fstab", content: Array("LABEL=data /var ext4 defaults 0 2\n".utf8))
    var systems = [root]
    for _ in 0..<2 {
      systems.append(FakeFileSystem(size))
      systems[systems.count - 1].add("/cache/a", [8192..<16384])
    }
    var exclusions = Exclusions()
    try exclusions.add("/var/cache/**")
    for copyCount in 1...2 {
      var layout = MachineLayout.fake(systems)
      for index in 1...copyCount { layout.volumes[index].contents[0].label = "data" }
      let plan = SkipPlan(layout, kinds: [.excluded], exclusions: exclusions)
      #expect(plan.files.map(\.path) == (copyCount == 1 ? ["/var/cache/a"] : []))
    }
  }

  @Test(arguments: [("", true), ("HIBR", false), ("hibr", false), ("wake", true)])
  func `a hibernation file is left in while a machine sleeps in it`(magic: String, isSkipped: Bool)
    throws
  {
    let system = FakeFileSystem(size)
    system.nameRule = .ignoringCase
    system.add("/PAGEFILE.SYS", [8192..<16384])
    system.add(
      "/hiberfil.sys", [65536..<131072],
      content: Array(magic.utf8) + [UInt8](repeating: 0, count: 65536 - magic.utf8.count))
    let plan = try plan([system], [.swap])
    #expect(plan.skipped[0][.swap]?.byteCount == (isSkipped ? 8192 + 65536 : 8192))
    #expect(plan.warnings[0].count == (isSkipped ? 0 : 1))
  }
}
