import Blocks
import GuestLayouts

/// A file system in a test's own words.
public final class FakeFileSystem: GuestFileSystem, FileTree, @unchecked Sendable {
  public struct Node {
    public var file: GuestFile
    public var entries: [(String, UInt64)] = []
    public var extents: [FileExtent] = []
    public var content: [UInt8] = []
    /// Where in the content data is; nil when all of it is.
    public var data: [Range<UInt64>]?
    /// From where on the content cannot be read.
    public var damage: UInt64 = .max
    public var target: [UInt8] = []
    public var attributes: [ExtendedAttribute] = []
    public var doubt: GuestDoubt?
    /// What ends the entries.
    public var trouble: GuestDoubt?
  }

  public var nodes: [UInt64: Node] = [2: Node(file: GuestFile(id: 2, kind: .directory))]
  public var free: Result<[Range<UInt64>], GuestDoubt> = .success([])
  public var fileDoubt: String?
  public var isSuspended = false
  public var nameRule = NameRule.exact
  public let byteCount: UInt64
  public var usedByteCount: UInt64? { nil }
  public let root: UInt64 = 2

  public init(_ byteCount: UInt64) { self.byteCount = byteCount }

  /// Adds a file and the folders above it; gives its id.
  @discardableResult
  public func add(
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

  /// Adds a symbolic link.
  public func addLink(_ path: String, to target: String) {
    let id = add(path)
    nodes[id]?.file.kind = .symbolicLink
    nodes[id]?.target = Array(target.utf8)
  }

  /// Adds a folder.
  @discardableResult
  public func addFolder(_ path: String) -> UInt64 {
    let id = add(path)
    nodes[id]?.file.kind = .directory
    return id
  }

  /// Adds another name of a file to a folder, be it one that is there.
  public func link(_ id: UInt64, in folder: UInt64, as name: String) {
    nodes[folder]?.entries.append((name, id))
  }

  public func freeSpace() throws -> FreeSpace {
    var space = FreeSpace()
    for range in try free.get() { space.add(range) }
    return space
  }

  public func files() throws -> (any FileTree)? { self }
  public func file(_ id: UInt64) throws -> GuestFile { try node(id).file }

  public func forEachEntry(
    of directory: GuestFile, _ body: (DirectoryEntry) throws -> Bool
  ) throws {
    let node = try node(directory.id)
    for (name, id) in node.entries {
      guard try body(DirectoryEntry(name: Array(name.utf8), id: id)) else { return }
    }
    if let trouble = node.trouble { throw trouble }
  }

  public func extents(of file: GuestFile) throws -> [FileExtent] {
    if let doubt = try node(file.id).doubt { throw doubt }
    return try node(file.id).extents
  }

  public func content(of file: GuestFile) throws -> any BlockSource {
    FakeContent(try node(file.id), size: file.size)
  }

  private func node(_ id: UInt64) throws -> Node {
    guard let node = nodes[id] else { throw GuestDoubt("no file \(id)") }
    return node
  }

  public func target(of link: GuestFile) throws -> [UInt8] { try node(link.id).target }

  public func attributes(of file: GuestFile) throws -> [ExtendedAttribute] {
    try node(file.id).attributes
  }
}

/// The content of a file: what the test says, then zeros.
private final class FakeContent: BlockSource {
  private let content: MemorySource
  private let data: [Range<UInt64>]
  private let damage: UInt64
  let size: UInt64
  var sectorSize: UInt32 { 512 }

  init(_ node: FakeFileSystem.Node, size: UInt64) {
    content = MemorySource(node.content)
    data = node.data ?? (size > 0 ? [0..<size] : [])
    damage = node.damage
    self.size = size
  }

  func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    let end = offset + UInt64(bytes.count)
    guard end <= damage, end <= size else { throw SourceError(offset..<end, .damaged("damage")) }
    try content.readPadded(into: &bytes, at: min(offset, content.size))
  }

  func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    data.first { $0.upperBound > offset }.map { max($0.lowerBound, offset)..<$0.upperBound }
  }
}
