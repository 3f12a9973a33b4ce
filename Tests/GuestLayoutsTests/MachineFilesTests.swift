import Blocks
import TestSupport
import Testing

@testable import GuestLayouts

/// Where in a machine a path leads to.
struct MachineFilesTests {
  private let size: UInt64 = 1 << 20

  private func path(_ text: String) throws -> [[UInt8]] { try #require(GuestPath.names(text)) }

  /// The index of the file system that has a path; nil where it is not told.
  private func place(_ files: MachineFiles, _ text: String) throws -> Int? {
    guard case .found(let place) = try files.find(try path(text)) else { return nil }
    return place.system
  }

  @Test func `paths go through the mount points`() throws {
    let systems = [FakeFileSystem(size), FakeFileSystem(size), FakeFileSystem(size)]
    systems[1].add(
      "/etc/fstab", content: Array("LABEL=fs0 /home ext4 x 0 0\nLABEL=fs1 / ext4 x 0 0\n".utf8))
    systems[1].add("/home/hidden")
    systems[1].add("/same")
    systems[0].add("/joe")
    systems[2].add("/data")
    systems[2].add("/same")
    let files = MachineFiles(.fake(systems))
    #expect(files.fileSystems.map(\.mountPoint) == [[Array("home".utf8)], [], nil])
    #expect(try place(files, "/home/joe") == 0)
    #expect(try place(files, "/home") == 0)
    #expect(try place(files, "/etc/fstab") == 1)
    // The machine's own root comes before what nobody mounts; what is mounted hides what is below.
    #expect(try place(files, "/same") == 1)
    #expect(try place(files, "/data") == 2)
    #expect(try place(files, "/home/hidden") == nil)
    #expect(try place(files, "/joe") == nil)
  }

  @Test func `without an fstab a path has to be in one file system only`() throws {
    let systems = [FakeFileSystem(size), FakeFileSystem(size)]
    systems[0].add("/etc/a")
    systems[1].add("/etc/b")
    let files = MachineFiles(.fake(systems))
    #expect(try place(files, "/etc/b") == 1)
    guard case .several(let found) = try files.find(try path("/etc")) else {
      Issue.record("one was chosen")
      return
    }
    #expect(found == [0, 1])
    guard case .missing = try files.find(try path("/etc/c")) else {
      Issue.record("something was found")
      return
    }
  }

  @Test func `a link on the way is told with its names`() throws {
    let systems = [FakeFileSystem(size), FakeFileSystem(size)]
    systems[0].add("/etc/fstab", content: Array("LABEL=fs1 /srv ext4 x 0 0\n".utf8))
    systems[1].addLink("/a/link", to: "../b")
    let files = MachineFiles(.fake(systems))
    guard case .link(let count, let target) = try files.find(try path("/srv/a/link/x/y")) else {
      Issue.record("no link")
      return
    }
    #expect(count == 3)
    #expect(target == Array("../b".utf8))
    #expect(try place(files, "/srv/a/link") == 1)
  }

  @Test func `names of a path are the machine's`() throws {
    func names(_ text: String) -> [String]? {
      GuestPath.names(text)?.map { String(decoding: $0, as: UTF8.self) }
    }
    #expect(names("/etc//fstab/") == ["etc", "fstab"])
    #expect(names("etc/./x") == ["etc", "x"])
    #expect(names("C:\\Users\\joe") == ["Users", "joe"])
    #expect(names("c:/Users") == ["Users"])
    #expect(names("/a\\b") == ["a\\b"])
    #expect(names("/") == [])
    #expect(names("/a/../b") == nil)
  }
}
