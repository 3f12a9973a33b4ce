public import Bytes
public import Codecs

/// The digests of an appliance's files.
///
///     SHA256(app.ovf)= 1f2e...
///     SHA256(app-disk1.vmdk)= 90ab...
///
/// Lines may end in CR LF; spaces may stand round the parentheses and the sign; a name may hold
/// spaces and parentheses. DMTF DSP0243, section 6.
public struct OVFManifest: Sendable {
  /// The most bytes of a manifest.
  public static let byteLimit = 1 << 20

  public struct Entry: Equatable, Sendable {
    public let name: String
    public let kind: MessageDigest.Kind
    public let digest: [UInt8]
  }

  public private(set) var entries: [Entry] = []

  /// - Parameters:
  ///   - bytes: The whole manifest.
  ///   - name: Its name, for errors.
  public init(parsing bytes: [UInt8], _ name: String = "OVF manifest") throws(FormatError) {
    guard bytes.count <= OVFManifest.byteLimit else {
      throw FormatError(name, at: 0, .impossible("\(bytes.count) bytes are over the limit"))
    }
    var offset = 0
    for line in bytes.split(separator: 0x0A, omittingEmptySubsequences: false) {
      let start = offset
      offset += line.count + 1
      let text = String(decoding: line, as: UTF8.self).filter { $0 != "\r" && $0 != "\u{FEFF}" }
      if text.allSatisfy(\.isWhitespace) { continue }
      entries.append(try OVFManifest.entry(text, name, UInt64(start)))
    }
  }

  private static func entry(
    _ line: String, _ name: String, _ offset: UInt64
  ) throws(FormatError) -> Entry {
    func refuse(_ text: String) -> FormatError { FormatError(name, at: offset, .impossible(text)) }
    guard let open = line.firstIndex(of: "("), let sign = line.lastIndex(of: "="),
      let close = line[..<sign].lastIndex(of: ")"), open < close,
      line[line.index(after: close)..<sign].allSatisfy(\.isWhitespace)
    else { throw refuse("a line that is no digest: \(line.prefix(100))") }
    let word = line[..<open].filter { !$0.isWhitespace && $0 != "-" }.uppercased()
    guard let kind = MessageDigest.Kind(rawValue: word) else {
      throw FormatError(name, at: offset, .unsupported("digest \(line[..<open].prefix(40))"))
    }
    guard let digest = Hex.bytes(line[line.index(after: sign)...].filter { !$0.isWhitespace }),
      digest.count == kind.byteCount
    else { throw refuse("\(kind.rawValue) with other than \(kind.byteCount * 2) digits") }
    return Entry(
      name: String(line[line.index(after: open)..<close]), kind: kind, digest: digest)
  }

  /// The kinds of digests that `name` must be given; empty when it is not listed.
  public func kinds(of name: String) -> [MessageDigest.Kind] {
    entries.filter { $0.name == name }.map(\.kind)
  }

  /// Compares what came out for a file with what is listed.
  ///
  /// - Parameters:
  ///   - name: The file.
  ///   - digests: Digests of each kind that `kinds(of:)` names.
  public func check(
    _ name: String, _ digests: [MessageDigest.Kind: [UInt8]]
  ) throws(FormatError) {
    for entry in entries where entry.name == name {
      guard let digest = digests[entry.kind], digest == entry.digest else {
        throw FormatError(
          "manifest", at: 0,
          .impossible(
            "\(name): its \(entry.kind.rawValue) is not the one that the manifest tells: "
              + "the file is damaged or was changed"))
      }
    }
  }
}
