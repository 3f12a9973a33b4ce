internal import Bytes
internal import CArchive

/// A member of a tar archive that is to be written.
public struct TarMember: Sendable {
  public enum Kind: Sendable {
    /// A file of so many bytes, and the ranges of it that are no holes; nil when all is data.
    case file(size: UInt64, data: [Range<UInt64>]?)
    case folder
    case symbolicLink(target: [UInt8])
    /// Another name of a member that came before.
    case hardLink(target: [UInt8])
    case characterDevice(major: UInt32, minor: UInt32)
    case blockDevice(major: UInt32, minor: UInt32)
    case fifo
  }

  /// A time in seconds since 1970.
  public struct Time: Sendable {
    public var seconds: Int64
    public var nanoseconds: UInt32

    public init(seconds: Int64, nanoseconds: UInt32) {
      self.seconds = seconds
      self.nanoseconds = nanoseconds
    }

    /// As libarchive has to be told.
    ///
    /// Behind the digits of the seconds, whatever their sign, it writes those of the nanoseconds: one
    /// and a half seconds before 1970 would become two and a half. What lies less than a second
    /// before it cannot write at all.
    fileprivate var asWritten: Time {
      guard seconds < 0, nanoseconds > 0, nanoseconds < 1_000_000_000 else { return self }
      return seconds == -1
        ? Time(seconds: -1, nanoseconds: 0)
        : Time(seconds: seconds + 1, nanoseconds: 1_000_000_000 - nanoseconds)
    }
  }

  /// Bytes; any but NUL.
  public var name: [UInt8]
  public var kind: Kind
  /// The lower twelve bits of a mode.
  public var mode: UInt16
  public var owner: UInt32 = 0
  public var group: UInt32 = 0
  public var modified: Time?
  public var accessed: Time?
  public var attributes: [(name: [UInt8], value: [UInt8])] = []

  public init(_ name: [UInt8], _ kind: Kind, mode: UInt16) {
    self.name = name
    self.kind = kind
    self.mode = mode
  }

  /// The kinds of a mode, as every Unix has them.
  fileprivate var kindBits: UInt32 {
    switch kind {
    case .file, .hardLink: 0o100000
    case .folder: 0o040000
    case .symbolicLink: 0o120000
    case .characterDevice: 0o020000
    case .blockDevice: 0o060000
    case .fifo: 0o010000
    }
  }

  fileprivate var size: UInt64 {
    if case .file(let size, _) = kind { return size }
    return 0
  }
}

/// What could not be written to an archive.
public struct TarError: Error, CustomStringConvertible {
  public let description: String
  /// The errno value, where the system refused to take the bytes.
  public var code: Int32?
}

/// A tar archive in the pax format, written in one go by libarchive.
///
/// Extended attributes are in it as SCHILY.xattr, holes as GNU.sparse 1.0.
@safe public final class TarWriter {
  private let archive: UnsafeMutableRawPointer
  private let zeros = Buffer(count: 1 << 20)
  /// Bytes of the member that are still to come.
  private var left: UInt64 = 0

  /// Loads the library that writes.
  public static func load() throws {
    guard ca_load() == 0 else { throw ArchiveError.library("libarchive", "libarchive13") }
  }

  /// - Parameter descriptor: Where it goes, open for writing.
  public init(_ descriptor: Int32) throws {
    try TarWriter.load()
    guard let archive = unsafe ca_begin_tar(descriptor) else {
      throw ArchiveError("libarchive cannot write what is needed")
    }
    unsafe self.archive = archive
    zeros.clear(0..<zeros.count)
  }

  /// Begins a member; of a file, its bytes have to follow.
  public func begin(_ member: TarMember) throws {
    precondition(left == 0)
    guard let size = Int64(exactly: member.size) else {
      throw TarError(description: "\(member.size) bytes: too long for a tar")
    }
    guard
      let entry = unsafe ca_new_entry(
        TarWriter.text(member.name), member.kindBits | UInt32(member.mode & 0o7777), size)
    else { throw TarError(description: "no memory") }
    defer { unsafe ca_free_entry(entry) }
    unsafe ca_set_owner(entry, member.owner, member.group)
    if let time = member.modified?.asWritten {
      unsafe ca_set_modified(entry, time.seconds, time.nanoseconds)
    }
    if let time = member.accessed?.asWritten {
      unsafe ca_set_accessed(entry, time.seconds, time.nanoseconds)
    }
    for (name, value) in member.attributes {
      unsafe ca_add_attribute(entry, TarWriter.text(name), value, value.count)
      unsafe addAccessList(entry, name, value)
    }
    switch member.kind {
    case .file(_, let data): unsafe addHoles(entry, size, data)
    case .symbolicLink(let target): unsafe ca_set_symlink(entry, TarWriter.text(target))
    case .hardLink(let target): unsafe ca_set_hardlink(entry, TarWriter.text(target))
    case .characterDevice(let major, let minor), .blockDevice(let major, let minor):
      unsafe ca_set_device(entry, major, minor)
    case .folder, .fifo: break
    }
    guard unsafe ca_write_header(archive, entry) == 0 else { throw trouble() }
    left = member.size
  }

  /// Adds an access control list as a record of its own.
  ///
  /// tar with `--acls` passes over the attribute. A list that is not as it should be stays one only.
  ///
  ///     offset size  field
  ///          0    4  version  2
  ///          4       lines of 8 bytes: tag (2), rights (2), user or group (4)
  ///
  /// Little-endian. Linux, include/uapi/linux/posix_acl_xattr.h.
  private func addAccessList(
    _ entry: UnsafeMutableRawPointer, _ name: [UInt8], _ value: [UInt8]
  ) {
    let isDefault = name == Array("system.posix_acl_default".utf8)
    guard isDefault || name == Array("system.posix_acl_access".utf8),
      value.count >= 4, value.count % 8 == 4, value.span.little32(at: 0) == 2
    else { return }
    for place in stride(from: 4, to: value.count, by: 8) {
      let head = value.span.little32(at: place)
      let id = value.span.little32(at: place + 4)
      guard unsafe ca_add_access(entry, isDefault ? 1 : 0, head & 0xFFFF, head >> 16, id) == 0
      else { return }
    }
  }

  private func addHoles(
    _ entry: UnsafeMutableRawPointer, _ size: Int64, _ data: [Range<UInt64>]?
  ) {
    guard let data, size > 0 else { return }
    for range in data {
      unsafe ca_add_data_range(entry, Int64(range.lowerBound), Int64(range.count))
    }
    // A file that is one hole needs an entry, too.
    if data.isEmpty { unsafe ca_add_data_range(entry, 0, 0) }
  }

  /// Writes the next bytes of the file.
  public func write(_ bytes: Span<UInt8>) throws {
    precondition(UInt64(bytes.count) <= left)
    var done = 0
    while done < bytes.count {
      let part = bytes.extracting(done..<bytes.count)
      let count = unsafe part.withUnsafeBytes { unsafe ca_write(archive, $0.baseAddress, $0.count) }
      guard count > 0 else { throw trouble() }
      done += count
    }
    left -= UInt64(bytes.count)
  }

  /// Passes over bytes of the file: a hole, or what could not be read and is to be zeros.
  public func writeZeros(_ byteCount: UInt64) throws {
    var rest = byteCount
    let zeros = zeros
    while rest > 0 {
      let count = min(rest, UInt64(zeros.count))
      try write(zeros.span(0..<Int(count)))
      rest -= count
    }
  }

  /// Ends the member; what is missing of a file becomes zeros.
  public func end() throws {
    try writeZeros(left)
    guard unsafe ca_finish_entry(archive) == 0 else { throw trouble() }
  }

  /// Writes the archive's end.
  public func finish() throws {
    guard unsafe ca_end_tar(archive) == 0 else { throw trouble() }
  }

  private func trouble() -> TarError {
    let text = unsafe ca_error(archive).map { unsafe String(cString: $0) } ?? "it cannot be written"
    // All other failures have words that say more, and perhaps numbers of libarchive's own.
    let code = unsafe text == "Write error" ? ca_error_number(archive) : nil
    return TarError(description: text.prefix(1).lowercased() + text.dropFirst(), code: code)
  }

  /// Bytes as C has them.
  private static func text(_ bytes: [UInt8]) -> [CChar] {
    bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } + [0]
  }
}
