internal import Blocks
internal import Bytes

/// How a differencing VHD finds its parent.
///
/// "Differencing Hard Disk" and "Parent Locators" in the specification. Paths are the writer's
/// machine's; what counts is the identifier.
extension VHDImage {
  /// The most bytes of a locator's path.
  private static let pathLimit: UInt32 = 64 << 10
  private static let relative = VHDParentLocator.code("W2ru")
  private static let absolute = VHDParentLocator.code("W2ku")
  private static let url = VHDParentLocator.code("MacX")

  /// The parent of a differencing disk; nil for others.
  static func parent(
    of source: any BlockSource, _ footer: VHDFooter, _ header: VHDDynamicHeader,
    _ options: OpeningOptions
  ) throws -> (any BlockSource)? {
    guard footer.kind == .differencing else { return nil }
    let names = try parentNames(of: source, header)
    guard !names.isEmpty else {
      throw FormatError(
        "VHD dynamic header", at: footer.headerOffset + 64, .impossible("the parent has no name"))
    }
    let companion = try options.companions.open(names, as: .parent)
    let image = try companion.opened(as: .parent) { file in
      try VHDImage(opening: file, options.of(companion))
    }
    guard image.footer.identifier == header.parentIdentifier else {
      throw companion.mismatch(
        .parent,
        "its identifier is \(Hex.text(image.footer.identifier)), the child was made of "
          + Hex.text(header.parentIdentifier))
    }
    guard image.size == footer.size else {
      throw companion.mismatch(
        .parent, "a disk of \(image.size) bytes, the child's has \(footer.size)")
    }
    return ParentDisk(image, in: companion, as: .parent)
  }

  /// What the parent may be called here, the likeliest first.
  static func parentNames(
    of source: any BlockSource, _ header: VHDDynamicHeader
  ) throws -> [String] {
    var names: [String] = []
    for platform in [relative, absolute, url] {
      for locator in header.locators where locator.platform == platform {
        guard locator.byteCount <= pathLimit,
          let bytes = try source.bytes(Int(locator.byteCount), at: locator.offset)
        else {
          throw FormatError(
            "VHD parent locator", at: locator.offset,
            .impossible("a path of \(locator.byteCount) bytes"))
        }
        if platform == url {
          names += String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self).candidatesFromURL
        } else {
          names += UTF16Text.decode(bytes, .little).candidatesFromWindows
        }
      }
    }
    return (names + UTF16Text.decode(header.parentName, .big).candidatesFromWindows).distinct
  }
}

extension VHDParentLocator {
  /// A platform code as a number.
  static func code(_ text: StaticString) -> UInt32 {
    "\(text)".utf8.reduce(0) { $0 << 8 | UInt32($1) }
  }
}

extension String {
  /// The path of a `file:` URL, and its last part.
  fileprivate var candidatesFromURL: [String] {
    guard hasPrefix("file:") else { return [] }
    var path: [UInt8] = []
    var rest = utf8.dropFirst(5)
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"),
        let code = Hex.bytes(String(decoding: rest.prefix(2), as: UTF8.self)),
        code.count == 1
      {
        path += code
        rest = rest.dropFirst(2)
      } else {
        path.append(byte)
      }
    }
    let plain = String(decoding: path, as: UTF8.self)
    guard let slash = plain.lastIndex(of: "/") else { return [plain] }
    return [String(plain[plain.index(after: slash)...])]
  }
}

/// Text of 16-bit units, as Windows keeps it.
enum UTF16Text {
  /// The text up to the first zero.
  static func decode(_ bytes: [UInt8], _ order: ByteOrder) -> String {
    var units: [UInt16] = []
    for index in stride(from: 0, to: bytes.count - 1, by: 2) {
      let first = UInt16(bytes[index])
      let second = UInt16(bytes[index + 1])
      let unit = order == .little ? second << 8 | first : first << 8 | second
      if unit == 0 { break }
      units.append(unit)
    }
    return String(decoding: units, as: UTF16.self)
  }
}
