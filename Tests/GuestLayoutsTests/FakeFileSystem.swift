import Blocks

@testable import GuestLayouts

/// A file system in a test's own words.
final class FakeFileSystem: GuestFileSystem, FileTree, @unchecked Sendable {
  struct Node {
    var file: GuestFile
    var entries: [(String, UInt64)] = []
    var extents: [FileExtent] = []
    var content: [UInt8] = []
    var doubt: GuestDoubt?
  }

  var nodes: [UInt64: Node] = [2: Node(file: GuestFile(id: 2, kind: .directory))]
  var free: Result<[Range<UInt64>], GuestDoubt> = .success([])
  var fileDoubt: String?
  var nameRule = NameRule.exact
  let byteCount: UInt64
  var usedByteCount: UInt64? { nil }
  let root: UInt64 = 2

  init(_ byteCount: UInt64) { self.byteCount = byteCount }

  /// Adds a file and the folders above it; gives its id.
  @discardableResult
  func add(
    _ path: String, _ ranges: [Range<UInt64>] = [], content: [UInt8] = [], links: UInt32 = 1,
    doubt: GuestDoubt? = nil
  ) -> UInt64 {
    var folder: UInt64 = 2
    let names = path.split(separator: "/").map(String.init)
    for (depth, name) in names.enumerated() {
      if let known = nodes[folder]?.entries.first(where: { $0.0 == name }) {
        folder = known.1
        continue
      }
      let id = UInt64(nodes.count + 10)
      nodes[folder]?.entries.append((name, id))
      let isFile = depth == names.count - 1
      var node = Node(file: GuestFile(id: id, kind: isFile ? .regular : .directory))
      if isFile {
        var offset: UInt64 = 0
        for range in ranges {
          node.extents.append(FileExtent(offset: offset, range: range))
          offset += UInt64(range.count)
        }
        node.content = content
        node.file.size = content.isEmpty ? offset : UInt64(content.count)
        node.file.linkCount = links
        node.doubt = doubt
      }
      nodes[id] = node
      folder = id
    }
    return folder
  }

  func freeSpace() throws -> FreeSpace {
    var space = FreeSpace()
    for range in try free.get() { space.add(range) }
    return space
  }

  func files() throws -> (any FileTree)? { self }
  func file(_ id: UInt64) throws -> GuestFile { try node(id).file }

  func forEachEntry(of directory: GuestFile, _ body: (DirectoryEntry) throws -> Bool) throws {
    for (name, id) in try node(directory.id).entries {
      guard try body(DirectoryEntry(name: Array(name.utf8), id: id)) else { return }
    }
  }

  func extents(of file: GuestFile) throws -> [FileExtent] {
    if let doubt = try node(file.id).doubt { throw doubt }
    return try node(file.id).extents
  }

  func content(of file: GuestFile) throws -> any BlockSource {
    let content = try node(file.id).content
    return MemoryDisk(content + [UInt8](repeating: 0, count: Int(file.size) - content.count))
  }

  private func node(_ id: UInt64) throws -> Node {
    guard let node = nodes[id] else { throw GuestDoubt("no file \(id)") }
    return node
  }

  func target(of link: GuestFile) throws -> [UInt8] { [] }
  func attributes(of file: GuestFile) throws -> [ExtendedAttribute] { [] }
}

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
