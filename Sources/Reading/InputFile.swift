internal import Blocks
internal import Bytes
public import Platform

/// A file or block device as it is, watched while it is read.
///
/// A file that becomes shorter must not be mistaken for one that ends in a hole; so each answer
/// about holes is followed by a look at the size.
public final class InputFile: NamedSource {
  public let path: String
  private let file: FileDescriptor
  private let atOpen: FileStatus
  private let writes: DeviceWrites?
  public let size: UInt64
  public let sectorSize: UInt32

  public convenience init(_ path: String) throws {
    // A pipe with a name would wait here for its writer, and then be refused.
    let there = try Files.status(path)
    if there?.kind == .pipe { throw InputFile.unfit(path) }
    if there == nil, path.contains("://") {
      throw ReadingError.request(
        "\(path): neither a file nor an address that is read here",
        hint: "vread takes nbd:// and nbds://; [ nbdkit curl url=... ] serves what a web server has"
      )
    }
    try self.init(try FileDescriptor(path, .read), path)
  }

  /// - Parameters:
  ///   - file: Is open already.
  ///   - path: What it is called in messages.
  init(_ file: FileDescriptor, _ path: String) throws {
    self.path = path
    self.file = file
    atOpen = try file.status()
    writes = DeviceWrites(atOpen)
    switch atOpen.kind {
    case .regular, .blockDevice: break
    case .directory:
      throw ReadingError.request(
        "\(path): is a folder, not a disk", hint: "name the image in it, or the .ovf")
    case .characterDevice, .pipe, .other:
      throw InputFile.unfit(path)
    }
    size = try file.contentSize()
    sectorSize = file.sectorSize()
    guard size <= VolumeHeader.sizeLimit else {
      throw FormatError("disk", at: 0, .impossible("size of \(size) bytes is over the limit"))
    }
  }

  /// Who may do what with it, as chmod(1) has it without the bits for programs.
  public var permissions: UInt32 { atOpen.permissions & 0o777 }

  public var isDevice: Bool { atOpen.kind == .blockDevice }

  private static func unfit(_ path: String) -> ReadingError {
    .request(
      "\(path): is neither a file nor a block device",
      hint: "a disk is read at many places at once: save what a pipe delivers to a file first")
  }

  /// Whether the other one is the same file, under whatever name.
  func isFile(_ other: InputFile) -> Bool { isFile(other.atOpen) }

  /// Whether `status` is that of the same file, under whatever name.
  public func isFile(_ status: FileStatus) -> Bool { atOpen.isSame(status) }

  /// What the file was when it was opened.
  var status: FileStatus { atOpen }

  public func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    let wanted = offset..<offset + UInt64(bytes.count)
    let got: Int
    do {
      got = try file.read(into: &bytes, at: offset)
    } catch {
      throw SourceError(wanted, .unreadable(error))
    }
    if got < bytes.count {
      throw SourceError(offset + UInt64(got)..<wanted.upperBound, .ended)
    }
  }

  public func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    let range = offset..<size
    do {
      let extent = try file.nextData(at: offset, size: size)
      let now = try file.contentSize()
      guard now >= size else { throw SourceError(min(now, size)..<size, .ended) }
      return extent
    } catch let error as SystemError {
      throw SourceError(range, .unreadable(error))
    }
  }

  /// Whether it was written to since it was opened, as far as its times tell, or the kernel of a device.
  public func hasChanged() throws -> Bool {
    if let writes { return try writes.hasAny() }
    return try currentStatus().hasChanged(since: atOpen)
  }

  /// What the file is now.
  func currentStatus() throws -> FileStatus { try file.status() }
}

extension FileStatus {
  /// Whether the file was written to since it was like `before`, as far as its times tell.
  func hasChanged(since before: FileStatus) -> Bool {
    before.kind == .regular && (changed != before.changed || size != before.size)
  }

  /// Whether `other` is of the same file, under whatever name.
  func isSame(_ other: FileStatus) -> Bool {
    kind == other.kind && device == other.device && inode == other.inode
  }
}
