public import Blocks
internal import Bytes
internal import CArchive
internal import Codecs

/// Why an archive could not be read at all: the library is not there, or memory is short.
public struct ArchiveError: Error, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }

  /// A library that could not be loaded.
  static func library(_ name: String, _ package: String) -> ArchiveError {
    let reason = unsafe ca_load_error().map { unsafe String(cString: $0) } ?? "no reason"
    return ArchiveError("\(name) is needed for this (Debian: \(package)): \(reason)")
  }
}

/// One file of an archive.
public struct ArchiveMember: Sendable {
  /// As it stands in the archive; nothing of it can be trusted.
  public let name: String
  /// Its size in bytes; nil where the archive tells it only behind the file.
  public let size: UInt64?
  /// Whether it is a plain file, not a link, a device, or one stored with holes.
  public let isPlain: Bool
  public let isFolder: Bool
  /// Where its bytes begin in the archive, before any compression around the archive.
  public let start: UInt64
}

/// An archive that is read once, from its start to its end, by libarchive; as a stream, the bytes
/// of the member that `next` went to.
///
/// Nothing is ever extracted: a name is a name, and no file is opened for it.
@safe public final class ArchiveReader: ByteStream {
  /// What the archive may be.
  public enum Kind: Sendable {
    /// A tar (ustar, pax, GNU) or a zip, perhaps compressed as a whole.
    case package
    /// One compressed file.
    case compressedFile
  }

  /// The most bytes of a member's name.
  private static let nameLimit = 4096
  /// The most compressions around an archive: a tar in a gzip, and no deeper.
  private static let filterLimit = 1
  /// What is asked of the input at a time, in bytes.
  private static let pieceByteCount = 256 << 10

  /// What libarchive's calls for input get at.
  fileprivate final class Input {
    let stream: any ByteStream
    let buffer = Buffer(count: ArchiveReader.pieceByteCount)
    /// What the stream threw; libarchive only knows that something did.
    var error: (any Error)?
    /// How many bytes came, and the first and the last few of them.
    var byteCount: UInt64 = 0
    var head: [UInt8] = []
    var tail: [UInt8] = []

    init(_ stream: any ByteStream) { self.stream = stream }

    /// Known when anything comes out of it.
    var isGzip: Bool { head.starts(with: [0x1F, 0x8B]) }
  }

  private let archive: UnsafeMutableRawPointer
  private let input: Input
  private let kind: Kind
  private var member: ArchiveMember?
  private var memberPosition: UInt64 = 0
  /// Of what came out of a gzip.
  private var checksum = CRC32()

  /// Where the libraries lie, for a process that is to open nothing else.
  public static let libraryFolders = [
    "/etc/ld.so.cache", "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib",
  ]

  /// Loads the libraries that archives and their descriptions need.
  public static func load() throws {
    guard ca_load() == 0 else { throw ArchiveError.library("libarchive", "libarchive13") }
    guard cx_load() == 0 else { throw ArchiveError.library("libexpat", "libexpat1") }
  }

  /// Looks at the start of `stream`.
  ///
  /// - Throws: `FormatError` when it is no such archive, and what reading it throws.
  public init(_ stream: any ByteStream, _ kind: Kind) throws {
    try ArchiveReader.load()
    let kinds = kind == .package ? CA_TAR | CA_ZIP : CA_RAW
    guard let archive = unsafe ca_new(Int32(kinds)) else {
      throw ArchiveError("libarchive cannot read what is needed")
    }
    unsafe self.archive = archive
    self.kind = kind
    input = Input(stream)
    let context = unsafe Unmanaged.passUnretained(input).toOpaque()
    let status = unsafe Int(
      ca_open(
        archive, context,
        { _, context, buffer in
          guard let context = unsafe context, let buffer = unsafe buffer else { return -1 }
          let input = unsafe Unmanaged<Input>.fromOpaque(context).takeUnretainedValue()
          return unsafe input.fill(buffer)
        },
        { _, context, count in
          guard let context = unsafe context, count > 0 else { return 0 }
          let input = unsafe Unmanaged<Input>.fromOpaque(context).takeUnretainedValue()
          return input.skip(UInt64(count))
        }))
    guard status == CA_OK else { throw trouble() }
  }

  deinit { unsafe ca_free(archive) }

  /// Bytes of the archive that were read so far, before any compression around it.
  public var position: UInt64 { unsafe UInt64(max(ca_position(archive), 0)) }

  /// Whether the archive is compressed as a whole; known after the first member.
  public var isCompressed: Bool { unsafe ca_filters(archive) > 0 }

  /// Whether the archive is a tar; known after the first member.
  public var isTar: Bool { !format.hasPrefix("ZIP") && kind == .package }

  private var format: String { unsafe ca_format(archive).map { unsafe String(cString: $0) } ?? "" }

  /// Goes to the next member; nil at the archive's end.
  public func next() throws -> ArchiveMember? {
    var entry: UnsafeMutableRawPointer?
    let status = unsafe Int(ca_next(archive, &entry))
    if let error = input.error { throw error }
    if status == CA_END {
      member = nil
      return nil
    }
    // A warning is about a name in other letters than this locale's.
    guard status == CA_OK || status == CA_WARNING, let entry = unsafe entry else {
      throw trouble()
    }
    try refuseCostly()
    guard let raw = unsafe ca_name(entry) else {
      throw FormatError("archive", at: position, .impossible("a member without a name"))
    }
    let name = unsafe String(cString: raw)
    guard name.utf8.count <= ArchiveReader.nameLimit else {
      throw FormatError("archive", at: position, .impossible("a name of \(name.utf8.count) bytes"))
    }
    let size = unsafe ca_size(entry)
    let found = unsafe ArchiveMember(
      name: name, size: size < 0 ? nil : UInt64(size), isPlain: ca_is_plain(entry) != 0,
      isFolder: ca_is_folder(entry) != 0, start: position)
    member = found
    memberPosition = 0
    return found
  }

  /// Refuses what could take a great deal of memory to decompress.
  private func refuseCostly() throws(FormatError) {
    let filters = unsafe Int(ca_filters(archive))
    guard filters <= ArchiveReader.filterLimit else {
      throw FormatError("archive", at: 0, .unsupported("an archive compressed \(filters) times"))
    }
    guard kind == .package, !isTar else { return }
    guard format.hasSuffix("(deflation)") || format.hasSuffix("(uncompressed)") else {
      throw FormatError("archive", at: position, .unsupported(format))
    }
  }

  public func read(into bytes: inout MutableSpan<UInt8>) throws -> Int {
    guard !bytes.isEmpty else { return 0 }
    let count = unsafe bytes.withUnsafeMutableBytes {
      unsafe ca_read(archive, $0.baseAddress, $0.count)
    }
    if let error = input.error { throw error }
    guard count >= 0 else { throw trouble() }
    memberPosition += UInt64(count)
    if kind == .compressedFile {
      if input.isGzip { checksum.add(bytes.span.extracting(0..<count)) }
      if count == 0 { try proveEnd() }
    }
    if count == 0, let size = member?.size, memberPosition != size {
      throw FormatError(
        "archive", at: position,
        .impossible("\(member?.name ?? "") ends after \(memberPosition) of \(size) bytes"))
    }
    return count
  }

  /// Proves that what came out is all that went in.
  ///
  /// libarchive does not look at gzip's checksum and length, and takes the start of a further part of
  /// the file that is damaged, in gzip and bzip2, for its end.
  private func proveEnd() throws {
    try input.drain()
    func refuse(_ text: String) -> FormatError {
      FormatError("compressed file", at: input.byteCount, .impossible(text))
    }
    if input.isGzip {
      let tail = input.tail
      guard tail.count == 8, tail.span.little32(at: 0) == checksum.value,
        tail.span.little32(at: 4) == UInt32(truncatingIfNeeded: memberPosition)
      else {
        throw refuse(
          "gzip: the checksum and length at the end do not fit what came out; "
            + "a file of several parts cannot be read here")
      }
    }
    if input.head.starts(with: [0x42, 0x5A, 0x68]) {
      guard unsafe UInt64(max(ca_taken(archive), 0)) == input.byteCount else {
        throw refuse("bzip2: something follows what came out")
      }
    }
  }

  /// What went wrong, as far as libarchive tells.
  private func trouble() -> any Error {
    if let error = input.error { return error }
    let text = unsafe ca_error(archive).map { unsafe String(cString: $0) } ?? "damaged"
    return FormatError(
      "archive", at: position,
      .impossible(text.prefix(1).lowercased() + text.dropFirst().prefix(200)))
  }
}

extension ArchiveReader.Input {
  /// Gives libarchive the next bytes.
  fileprivate func fill(_ target: UnsafeMutablePointer<UnsafeRawPointer?>) -> Int {
    let buffer = buffer
    do {
      var span = buffer.mutableSpan(0..<buffer.count)
      let count = try stream.read(into: &span)
      note(buffer.span(0..<count))
      unsafe span.withUnsafeMutableBytes {
        unsafe target.pointee = UnsafeRawPointer($0.baseAddress)
      }
      return count
    } catch {
      self.error = error
      return -1
    }
  }

  /// Remembers where it began and where it is.
  private func note(_ bytes: Span<UInt8>) {
    byteCount += UInt64(bytes.count)
    for index in 0..<min(bytes.count, 8 - head.count) { head.append(bytes[index]) }
    for index in max(0, bytes.count - 8)..<bytes.count { tail.append(bytes[index]) }
    if tail.count > 8 { tail.removeFirst(tail.count - 8) }
  }

  /// Reads what is left of the stream.
  fileprivate func drain() throws {
    let buffer = buffer
    while true {
      var span = buffer.mutableSpan(0..<buffer.count)
      let count = try stream.read(into: &span)
      if count == 0 { return }
      note(buffer.span(0..<count))
    }
  }

  fileprivate func skip(_ count: UInt64) -> Int64 {
    do {
      return Int64(try stream.skip(count))
    } catch {
      self.error = error
      return 0
    }
  }
}
