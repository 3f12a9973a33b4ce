public import Blocks
internal import NetworkDisks
public import Platform

/// What a user opened by a name: a file, a device, or a disk that a server exports.
public protocol NamedSource: BlockSource {
  /// How messages and headers call it; holds no secrets.
  var path: String { get }
  /// Whether it is a disk by its nature, to which a machine can write what it likes.
  var isDevice: Bool { get }
  /// Whether `status` is that of the same file, under whatever name.
  func isFile(_ status: FileStatus) -> Bool
  /// Whether it was written to since it was opened, as far as that can be told.
  func hasChanged() throws -> Bool
}

/// A disk that an NBD server exports.
final class ServedDisk: NamedSource {
  let path: String
  private let disk: NetworkDisk

  init(_ name: SourceName) throws {
    path = name.shown
    do {
      switch name {
      case .command(let words): disk = try NetworkDisk(command: words)
      case .uri(let text), .path(let text):
        try NBDAddress(text).requireTrust()
        disk = try NetworkDisk(uri: text)
      }
    } catch let error as NetworkDiskError {
      throw ReadingError.unreachable(source: path, error.description, hint: error.hint)
    }
  }

  /// Makes all connections that reading may profit from.
  func connectFully() { disk.connectFully() }

  var size: UInt64 { disk.size }
  var sectorSize: UInt32 { disk.sectorSize }
  var isDevice: Bool { true }

  func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    try disk.read(into: &bytes, at: offset)
  }

  func nextData(at offset: UInt64) throws -> Range<UInt64>? { try disk.nextData(at: offset) }

  func isFile(_ status: FileStatus) -> Bool { false }

  func hasChanged() throws -> Bool { false }
}

/// Those of a feed's sources that servers export, connected to.
///
/// Apart from the feed, as it takes what a process should not be able to do any more when it looks
/// at what is in the sources: programs are started, libraries loaded, names looked up.
public final class ServedSources: Sendable {
  private let disks: [ServedDisk?]

  /// Connects to all servers; on the main thread, with which programs end that are started.
  ///
  /// - Parameters:
  ///   - sources: What `SourceName` knows; files are left alone.
  ///   - isComplete: Whether to make all connections now that reading may profit from.
  /// - Throws: `ReadingError`.
  public init(_ sources: [String], isComplete: Bool = false) throws {
    disks = try sources.map { source in
      let name = SourceName(source)
      if case .path = name { return nil }
      return try naming(source: name.shown) {
        let disk = try ServedDisk(name)
        if isComplete { disk.connectFully() }
        return disk
      }
    }
  }

  /// The disk of the source with that number; nil for files.
  func disk(_ index: Int) -> ServedDisk? { disks[index] }

  /// Says goodbye to servers, and ends those that were started; when the process is about to end.
  public static func closeAll() { NetworkDisk.closeAll() }
}
