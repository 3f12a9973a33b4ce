internal import Bytes
internal import DiskImages

/// Tells archives by how they begin.
enum ArchiveMagic {
  enum Kind {
    /// A tar or a zip.
    case package
    /// Compressed by gzip, bzip2, xz, zstd or lz4, whatever is inside.
    case compressed

    /// What it is called where it is compared with a name.
    var word: String {
      switch self {
      case .package: NameClaim.Word.archive
      case .compressed: NameClaim.Word.compressed
      }
    }
  }

  /// How many bytes from the start must be looked at.
  static let byteCount = 512

  private static let compressions: [[UInt8]] = [
    [0x1F, 0x8B, 0x08], [0x42, 0x5A, 0x68], [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00],
    [0x28, 0xB5, 0x2F, 0xFD], [0x04, 0x22, 0x4D, 0x18],
  ]

  /// What begins with `head`; nil when it is no archive.
  static func kind(_ head: [UInt8]) -> Kind? {
    if isTar(head) || head.starts(with: [0x50, 0x4B, 0x03, 0x04]) { return .package }
    return compressions.contains { head.starts(with: $0) } ? .compressed : nil
  }

  /// Whether a file of that name which begins with `head` is an OVF: XML, and called so.
  ///
  /// In front of the first sign there may be a mark of UTF-8 or UTF-16, whose letters have a zero
  /// byte on one side, and space.
  static func isDescriptor(_ head: [UInt8], _ path: String) -> Bool {
    guard path.lowercased().hasSuffix(".ovf") else { return false }
    let marks: [[UInt8]] = [[0xEF, 0xBB, 0xBF], [0xFF, 0xFE], [0xFE, 0xFF]]
    let mark = marks.first { head.starts(with: $0) } ?? []
    let spaces: [UInt8] = [0x09, 0x0A, 0x0D, 0x20, 0x00]
    return head.dropFirst(mark.count).first { !spaces.contains($0) } == UInt8(ascii: "<")
  }

  /// Whether `head` is a member's header, with the checksum that belongs to it.
  private static func isTar(_ head: [UInt8]) -> Bool {
    guard head.count >= 512, head[257..<262].elementsEqual(Array("ustar".utf8)) else {
      return false
    }
    let field = head[148..<156]
    let text = String(decoding: field.filter { $0 != 0x20 && $0 != 0 }, as: UTF8.self)
    guard let told = Int(text, radix: 8) else { return false }
    let sum = head[0..<512].enumerated().reduce(0) {
      $0 + ((148..<156).contains($1.offset) ? 0x20 : Int($1.element))
    }
    return told == sum
  }
}
