public import Blocks

/// The files of one file system, as they are on the disk.
///
/// Everything may be hostile: loops, sizes and counts are bounded by each implementation, which
/// throws `FormatError` for damage. Nothing is kept that grows with the number of files.
public protocol FileTree: Sendable {
  /// How names are told apart.
  var nameRule: NameRule { get }
  /// The id of the root directory.
  var root: UInt64 { get }
  /// What is known of a file.
  ///
  /// - Parameter id: `root`, or from an entry.
  func file(_ id: UInt64) throws -> GuestFile
  /// Calls `body` for each entry of a directory but `.` and `..`, until it returns false.
  func forEachEntry(
    of directory: GuestFile, _ body: (DirectoryEntry) throws -> Bool
  ) throws
  /// Where the content of a regular file lies, in the order of the file, in whole allocation units;
  /// nothing for what has no room of its own (empty, or inside its inode).
  ///
  /// Only ranges that belong to this file's content alone: what an excluded file leaves out.
  ///
  /// - Throws: `GuestDoubt` when units are shared with other files, or it cannot be told.
  func extents(of file: GuestFile) throws -> [FileExtent]
  /// All ranges of the area that are known to be a file's or folder's, in no order: its content in
  /// whole allocation units, and what else it has where that can be told.
  ///
  /// - Throws: `GuestDoubt` when units are shared with other files, or it cannot be told.
  func ranges(of file: GuestFile) throws -> [Range<UInt64>]
  /// The content of a regular file, to be read at any place; what was never written is zero.
  ///
  /// - Throws: `GuestDoubt` when it cannot be read as it is: encrypted, an unknown compression.
  func content(of file: GuestFile) throws -> any BlockSource
  /// Where a symbolic link points to.
  func target(of link: GuestFile) throws -> [UInt8]
  /// Extended attributes, names with their namespace (`user.comment`), as Linux shows them.
  func attributes(of file: GuestFile) throws -> [ExtendedAttribute]
}

extension FileTree {
  public func ranges(of file: GuestFile) throws -> [Range<UInt64>] {
    file.kind == .regular ? try extents(of: file).map(\.range) : []
  }
}

/// How a file system tells names apart.
public enum NameRule: Sendable {
  /// Any difference counts.
  case exact
  /// Upper and lower case are the same, beyond ASCII too.
  case ignoringCase
}

/// One name in a directory.
public struct DirectoryEntry: Equatable, Sendable {
  /// The name: bytes as on the disk, or UTF-8 where the disk has UTF-16.
  ///
  /// Never `.`, `..`, empty or with a `/` or NUL in it: such a name is damage.
  public var name: [UInt8]
  /// For `FileTree.file`.
  public var id: UInt64

  public init(name: [UInt8], id: UInt64) {
    self.name = name
    self.id = id
  }
}

/// What is known of a file besides its content.
public struct GuestFile: Equatable, Sendable {
  public enum Kind: Equatable, Sendable {
    case regular, directory, symbolicLink
    case characterDevice(major: UInt32, minor: UInt32)
    case blockDevice(major: UInt32, minor: UInt32)
    case fifo, socket
    /// Something that only its own system understands, such as other reparse points of NTFS.
    case other
  }

  public var id: UInt64
  public var kind: Kind
  /// Bytes of its content.
  public var size: UInt64 = 0
  /// How many names it has.
  public var linkCount: UInt32 = 1
  /// The lower twelve bits of a Unix mode; nil where there is none.
  public var mode: UInt16?
  public var owner: UInt32?
  public var group: UInt32?
  public var modified: FileTime?
  public var accessed: FileTime?
  public var changed: FileTime?
  public var created: FileTime?

  public init(id: UInt64, kind: Kind) {
    self.id = id
    self.kind = kind
  }
}

/// A time in seconds since 1970 in UTC, which may lie before.
public struct FileTime: Equatable, Sendable {
  public var seconds: Int64
  /// Of 0 to 999,999,999.
  public var nanoseconds: UInt32

  public init(seconds: Int64, nanoseconds: UInt32 = 0) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }
}

/// A piece of a file's content on the disk.
public struct FileExtent: Equatable, Sendable {
  /// Where in the file, in bytes.
  public var offset: UInt64
  /// Where in the area; the length is that of the piece, and may pass the file's end.
  public var range: Range<UInt64>

  public init(offset: UInt64, range: Range<UInt64>) {
    self.offset = offset
    self.range = range
  }
}

/// An extended attribute.
public struct ExtendedAttribute: Equatable, Sendable {
  public var name: [UInt8]
  public var value: [UInt8]

  public init(name: [UInt8], value: [UInt8]) {
    self.name = name
    self.value = value
  }
}
