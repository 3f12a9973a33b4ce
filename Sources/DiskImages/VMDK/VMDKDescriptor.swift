internal import Bytes

/// The text that says what a VMDK is made of.
///
///     # Disk DescriptorFile
///     CID=fffffffe
///     parentCID=ffffffff
///     createType="monolithicSparse"
///     RW 4192256 SPARSE "disk-s001.vmdk"
///
/// Lines may end in CR LF, spaces may stand round `=`, keys are of either case, and the rest of its
/// room is filled with zeros. VMware Virtual Disk Format 5.0, "The Descriptor File".
struct VMDKDescriptor: Sendable {
  /// A part of the disk, one after the other.
  struct Extent: Equatable, Sendable {
    /// RW, RDONLY or NOACCESS.
    let access: String
    let sectors: UInt64
    /// FLAT, SPARSE, ZERO and so on.
    let kind: String
    let file: String
    /// Where in its file a flat extent starts, in sectors.
    let start: UInt64
  }

  static let byteLimit = 1 << 20
  private static let accesses = ["RW", "RDONLY", "NOACCESS"]

  /// The keys' values, the keys in lower case.
  private(set) var values: [String: String] = [:]
  private(set) var extents: [Extent] = []

  var createType: String { values["createtype"] ?? "" }
  /// Whether it holds only what differs from another disk.
  var hasParent: Bool { !["", "ffffffff"].contains((values["parentcid"] ?? "").lowercased()) }

  /// - Parameters:
  ///   - bytes: The text, perhaps with zeros behind it.
  ///   - offset: Where it lies in the file.
  init(parsing bytes: [UInt8], at offset: UInt64) throws(FormatError) {
    let text = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    guard text.hasPrefix("# Disk DescriptorFile") else {
      throw FormatError("VMDK descriptor", at: offset, .badMagic)
    }
    for line in text.split(whereSeparator: \.isNewline) {
      let line = line.trimmed
      if line.isEmpty || line.hasPrefix("#") { continue }
      if let extent = VMDKDescriptor.extent(line) {
        extents.append(extent)
      } else if let sign = line.firstIndex(of: "=") {
        let value = line[line.index(after: sign)...].trimmed
        values[line[..<sign].trimmed.lowercased()] = value.unquoted
      } else {
        throw FormatError(
          "VMDK descriptor", at: offset, .impossible("a line that is no entry: \(line)"))
      }
    }
  }

  private static func extent(_ line: String) -> Extent? {
    let words = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: true)
    guard words.count >= 3, accesses.contains(String(words[0])), let sectors = UInt64(words[1])
    else { return nil }
    let rest = words.count > 3 ? words[3].trimmed : ""
    var file = ""
    var start: UInt64 = 0
    if rest.hasPrefix("\""), let end = rest.dropFirst().firstIndex(of: "\"") {
      file = String(rest[rest.index(after: rest.startIndex)..<end])
      start = UInt64(rest[rest.index(after: end)...].trimmed) ?? 0
    }
    return Extent(
      access: String(words[0]), sectors: sectors, kind: String(words[2]), file: file,
      start: start)
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
