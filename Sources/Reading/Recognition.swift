internal import Blocks
internal import Bytes
public import DiskImages
internal import Streams

/// Tells what a source is by how it begins and ends, and compares that with what its name says.
///
/// It is the one place where that is decided, for whatever is read: files, devices, disks from
/// servers, and the files in an archive.
public enum Recognition {
  /// The format of an image that is only described: a raw disk by its name may be anything then.
  ///
  /// - Parameter option: The option that tells it instead.
  /// - Throws: `FormatError`, and `ReadingError` for an archive.
  public static func image(
    _ file: InputFile, option: String
  ) throws -> (format: any DiskFormat.Type, doubt: String?) {
    let claim = NameClaim(file.path, isDevice: file.isDevice, option: option)
    return try image(
      file, file.path, claim.isRaw ? NameClaim("", option: option) : claim, option: option)
  }

  /// The format of the image in `source`, and what the user should know of how that was found.
  ///
  /// - Parameters:
  ///   - source: The file, or a part of it.
  ///   - path: What it is called in messages.
  ///   - claim: What its name says.
  ///   - option: The option that tells the format instead; nil where none does.
  static func image(
    _ source: any BlockSource, _ path: String, _ claim: NameClaim, option: String?
  ) throws -> (format: any DiskFormat.Type, doubt: String?) {
    let format = try recognize(source, option)
    let head = try source.bytes(Int(min(source.size, UInt64(ArchiveMagic.byteCount))), at: 0) ?? []
    let hint = option.map { "\($0) raw takes the bytes as they are" }
    if SavedStream.begins(head) {
      throw ReadingError.request(
        "\(path): a saved stream, not a disk", hint: "give it on stdin: < \(path)")
    }
    if format.name == RawImage.name {
      if let other = ForeignMagic.format(of: head) {
        throw ReadingError.unsupported(
          source: path, "looks like \(other), which cannot be read yet", hint: hint)
      }
      if let word = ArchiveMagic.kind(head)?.word {
        _ = try claim.check(word)
        throw ReadingError.unsupported(
          source: path, "looks like \(word), which cannot be read here",
          hint: ["vread reads the disks in it", hint].compactMap { $0 }.joined(separator: "; "))
      }
    }
    return (format, try claim.check(format.name))
  }

  /// Finds the format by magics.
  private static func recognize(
    _ source: any BlockSource, _ option: String?
  ) throws -> any DiskFormat.Type {
    do {
      return try DiskFormats.recognize(source)
    } catch let error as FormatError {
      guard case .ambiguous(let text, _) = error.reason else { throw error }
      throw FormatError(
        error.structure, at: error.offset,
        .ambiguous(text, hint: option.map { "\($0) says which it is" }))
    }
  }
}

/// Magics of disk formats that no reader is there for: such a file is never taken for raw.
enum ForeignMagic {
  private static let magics: [(format: String, magic: [UInt8], offset: Int)] = [
    ("Parallels", Array("WithoutFreeSpace".utf8), 0),
    ("Parallels", Array("WithouFreSpacExt".utf8), 0),
  ]

  /// The name of the format whose magic is in the first 512 bytes of a file; nil when none is.
  static func format(of head: [UInt8]) -> String? {
    magics.first { head.dropFirst($0.offset).starts(with: $0.magic) }?.format
  }
}
