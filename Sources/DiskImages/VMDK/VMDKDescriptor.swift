internal import Blocks
internal import Bytes

/// The text that says what a VMDK is made of.
///
///     # Disk DescriptorFile
///     encoding="UTF-8"
///     CID=fffffffe
///     parentCID=ffffffff
///     createType="monolithicSparse"
///     RW 4192256 SPARSE "disk-s001.vmdk"
///
/// Lines may end in CR LF, spaces may stand round `=`, keys are of either case, and the rest of its
/// room is filled with zeros. VMware Virtual Disk Format 5.0, "The Descriptor File".
struct VMDKDescriptor: Sendable {
  /// What a guest may do with an extent.
  enum Access: String, Sendable {
    case readWrite = "RW"
    case readOnly = "RDONLY"
    case none = "NOACCESS"
  }

  /// A part of the disk, one after the other.
  struct Extent: Equatable, Sendable {
    let access: Access
    let sectors: UInt64
    /// FLAT, SPARSE, ZERO and so on, in capital letters.
    let kind: String
    let file: String
    /// Where in its file a flat extent starts, in sectors.
    let start: UInt64

    /// Not beyond the limit of a disk's size.
    var byteCount: UInt64 { sectors * VMDKHeader.sector }
  }

  static let magic = Array("# Disk DescriptorFile".utf8)
  static let byteLimit = 1 << 20
  private static let noParent = "ffffffff"

  /// The keys' values, the keys in lower case.
  private(set) var values: [String: String] = [:]
  private(set) var extents: [Extent] = []
  /// Where it lies in its file.
  private let offset: UInt64

  var createType: String { values["createtype"] ?? "" }
  /// Changes whenever the disk's content does after somebody opened it.
  var identifier: String { (values["cid"] ?? "").lowercased() }
  /// The identifier that the disk below must have; nil for a disk of its own.
  var parentIdentifier: String? {
    let value = (values["parentcid"] ?? "").lowercased()
    return ["", VMDKDescriptor.noParent].contains(value) ? nil : value
  }

  /// The disk's size in bytes.
  ///
  /// - Throws: When it is beyond the limit.
  var size: UInt64 {
    get throws(FormatError) {
      var sectors: UInt64 = 0
      for extent in extents {
        let (sum, overflow) = sectors.addingReportingOverflow(extent.sectors)
        guard !overflow, sum <= VolumeHeader.sizeLimit / VMDKHeader.sector else {
          throw refusal(.impossible("the extents are beyond the limit of a disk's size"))
        }
        sectors = sum
      }
      guard !extents.isEmpty else { throw refusal(.impossible("there is no extent")) }
      return sectors * VMDKHeader.sector
    }
  }

  /// - Parameters:
  ///   - source: The file.
  ///   - range: Where the text lies in it.
  init(in source: any BlockSource, _ range: Range<UInt64>) throws {
    let count = range.upperBound - range.lowerBound
    guard count <= UInt64(VMDKDescriptor.byteLimit) else {
      throw FormatError(
        "VMDK descriptor", at: range.lowerBound, .impossible("a text of \(count) bytes"))
    }
    guard let bytes = try source.bytes(Int(count), at: range.lowerBound) else {
      throw FormatError("VMDK descriptor", at: range.lowerBound, .truncated)
    }
    try self.init(parsing: bytes, at: range.lowerBound)
  }

  /// - Parameters:
  ///   - bytes: The text, perhaps with zeros behind it.
  ///   - offset: Where it lies in the file.
  init(parsing bytes: [UInt8], at offset: UInt64) throws(FormatError) {
    self.offset = offset
    guard bytes.starts(with: VMDKDescriptor.magic) else {
      throw FormatError("VMDK descriptor", at: offset, .badMagic)
    }
    for line in try VMDKText.lines(bytes.prefix { $0 != 0 }, at: offset) {
      let line = line.trimmed
      if line.isEmpty || line.hasPrefix("#") { continue }
      if VMDKDescriptor.isExtent(line) {
        guard let extent = VMDKDescriptor.extent(line) else {
          throw refusal(.impossible("an extent that says nothing: \(line.printable)"))
        }
        extents.append(extent)
      } else if let sign = line.firstIndex(of: "=") {
        let value = line[line.index(after: sign)...].trimmed
        values[line[..<sign].trimmed.lowercased()] = value.unquoted
      } else {
        throw refusal(.impossible("a line that is no entry: \(line.printable)"))
      }
    }
    _ = try size
  }

  /// An error about the descriptor as a whole.
  func refusal(_ reason: FormatError.Reason) -> FormatError {
    FormatError("VMDK descriptor", at: offset, reason)
  }

  /// Whether a line begins as one about an extent does; it may hold a `=` in a file's name.
  private static func isExtent(_ line: String) -> Bool {
    let word = line.prefix { !$0.isWhitespace && $0 != "=" }
    return Access(rawValue: word.uppercased()) != nil
  }

  private static func extent(_ line: String) -> Extent? {
    let words = line.split(
      maxSplits: 3, omittingEmptySubsequences: true, whereSeparator: \.isWhitespace)
    guard words.count >= 3, let access = Access(rawValue: words[0].uppercased()),
      let sectors = UInt64(words[1])
    else { return nil }
    let rest = words.count > 3 ? words[3].trimmed : ""
    var file = ""
    var start: UInt64 = 0
    if rest.hasPrefix("\"") {
      guard let end = rest.dropFirst().firstIndex(of: "\"") else { return nil }
      file = String(rest[rest.index(after: rest.startIndex)..<end])
      let after = rest[rest.index(after: end)...].trimmed
      // A raw device's extent goes on with a partition's name.
      guard let number = after.split(whereSeparator: \.isWhitespace).first else {
        return Extent(
          access: access, sectors: sectors, kind: words[2].uppercased(), file: file, start: 0)
      }
      guard let value = UInt64(number) else { return nil }
      start = value
    }
    return Extent(
      access: access, sectors: sectors, kind: words[2].uppercased(), file: file, start: start)
  }
}

/// The lines of a descriptor, in the encoding that it names.
private enum VMDKText {
  private static let western = ["windows-1252", "iso-8859-1", "latin1"]
  /// The characters of bytes 0x80 to 0x9F in windows-1252; zero for none.
  private static let marks: [UInt32] = [
    0x20AC, 0, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039,
    0x0152,
    0, 0x017D, 0, 0, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161,
    0x203A, 0x0153, 0, 0x017E, 0x0178,
  ]

  static func lines(
    _ bytes: ArraySlice<UInt8>, at offset: UInt64
  ) throws(FormatError) -> [String] {
    let plain = String(decoding: bytes, as: UTF8.self)
    guard bytes.contains(where: { $0 >= 0x80 }) else { return split(plain) }
    let encoding =
      split(plain).map { $0.lowercased().filter { $0 != " " } }
      .first { $0.hasPrefix("encoding=") }
      .map { String($0.dropFirst(9)).unquoted } ?? "utf-8"
    if encoding == "utf-8" { return split(plain) }
    guard western.contains(encoding) else {
      throw FormatError(
        "VMDK descriptor", at: offset,
        .unsupported("a text in \(encoding.printable) with letters beyond ASCII"))
    }
    var scalars = String.UnicodeScalarView()
    for byte in bytes {
      let mark = (0x80...0x9F).contains(byte) ? marks[Int(byte) - 0x80] : UInt32(byte)
      scalars.append(Unicode.Scalar(mark == 0 ? 0xFFFD : mark) ?? "\u{FFFD}")
    }
    return split(String(scalars))
  }

  private static func split(_ text: String) -> [String] {
    text.split(whereSeparator: \.isNewline).map(String.init)
  }
}

extension StringProtocol {
  fileprivate var trimmed: String {
    var rest = self[...]
    while let first = rest.first, first.isWhitespace { rest = rest.dropFirst() }
    while let last = rest.last, last.isWhitespace { rest = rest.dropLast() }
    return String(rest)
  }

  /// Without the quotation marks around it.
  fileprivate var unquoted: String {
    hasPrefix("\"") && hasSuffix("\"") && count >= 2 ? String(dropFirst().dropLast()) : String(self)
  }
}
