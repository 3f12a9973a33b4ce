internal import Platform

/// What a source is called on the command line.
public enum SourceName: Equatable, Sendable {
  /// A file or block device.
  case path(String)
  /// An NBD URI: `nbd://`, `nbds://`, `nbd+unix://`, `nbds+unix://`.
  case uri(String)
  /// A program that serves a disk by NBD when it is started, `[ PROGRAM ARGUMENT... ]`.
  case command([String])

  /// The beginnings of NBD URIs.
  private static let schemes = ["nbd://", "nbds://", "nbd+unix://", "nbds+unix://"]

  public init(_ text: String) {
    let words = text.split(separator: "\0", omittingEmptySubsequences: false).map(String.init)
    if words.count > 2, words.first == "[", words.last == "]" {
      self = .command(Array(words.dropFirst().dropLast()))
    } else if SourceName.schemes.contains(where: { text.lowercased().hasPrefix($0) }) {
      self = .uri(text)
    } else {
      self = .path(text)
    }
  }

  /// The text that stands for a command among other sources.
  ///
  /// The words are parted by NUL, which is in no word and no path.
  public static func text(ofCommand words: [String]) -> String {
    (["["] + words + ["]"]).joined(separator: "\0")
  }

  /// How messages and headers call it.
  ///
  /// Of a command only the program is told, as arguments may be passwords, and of a URI neither
  /// the user nor parameters other than the socket.
  public var shown: String {
    switch self {
    case .path(let path): return path
    case .command(let words): return words.count > 1 ? "[ \(words[0]) ... ]" : "[ \(words[0]) ]"
    case .uri(let text):
      let uri = NBDAddress(text)
      return uri.scheme + "://" + uri.host + uri.path + (uri.socket.map { "?socket=\($0)" } ?? "")
    }
  }

  /// The name that its volume usually gets.
  var volumeName: String {
    let name =
      switch self {
      case .path(let path): SourceName.stem(path)
      case .uri(let text): NBDAddress(text).volumeName
      case .command(let words): SourceName.stem(SourceName.disk(in: words) ?? words[0])
      }
    if case .path = self { return name }
    return VolumeNames.allowed(name)
  }

  /// The file's name without its extension.
  static func stem(_ path: String) -> String {
    let name = Files.name(of: path)
    guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return name }
    return String(name[..<dot])
  }

  /// Which word of a command may be what names the disk.
  ///
  /// It is the last that is a path, or a parameter that is one by its key. No other word is taken:
  /// it might be a secret.
  private static func disk(in words: [String]) -> String? {
    words.dropFirst().last { isPath($0) || parameter($0) != nil }.map { parameter($0) ?? $0 }
  }

  private static func isPath(_ word: String) -> Bool {
    if word.hasPrefix("/") || word.hasPrefix("./") || word.hasPrefix("../") { return true }
    // A word that cannot even be looked up is no path.
    do { return try Files.status(word)?.kind == .regular } catch { return false }
  }

  /// The path in `file=PATH`, `path=PATH` and `url=URL`, the latter without what is behind `?`.
  private static func parameter(_ word: String) -> String? {
    for key in ["file=", "path=", "url="] where word.hasPrefix(key) {
      let value = word.dropFirst(key.count).prefix { $0 != "?" && $0 != "#" }
      return value.isEmpty ? nil : String(value)
    }
    return nil
  }
}

/// The parts of an NBD URI, as far as they are told to people; libnbd reads it itself.
///
///     nbd[s][+unix]://[user@]host[:port]/export[?parameter=value&...]
///
/// https://github.com/NetworkBlockDevice/nbd, doc/uri.md.
struct NBDAddress {
  let scheme: String
  /// With its port, without a user.
  let host: String
  /// The export's name with the slash in front.
  let path: String
  private let parameters: [Substring]

  init(_ text: String) {
    let parts = text.firstRange(of: "://")
    scheme = String(text[..<(parts?.lowerBound ?? text.startIndex)])
    var rest = text[(parts?.upperBound ?? text.startIndex)...]
    rest = rest.prefix { $0 != "#" }
    let query = rest.firstIndex(of: "?").map { rest[$0...].dropFirst() } ?? ""
    rest = rest.prefix { $0 != "?" }
    let authority = rest.prefix { $0 != "/" }
    path = String(rest[authority.endIndex...])
    host = String(authority.lastIndex(of: "@").map { authority[$0...].dropFirst() } ?? authority)
    parameters = query.split { $0 == "&" || $0 == ";" }
  }

  /// As it is written, with its escapes.
  var socket: String? { parameter("socket") }

  private func parameter(_ name: String) -> String? {
    parameters.first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.utf8.count + 1)) }
  }

  /// Refuses a URI with which libnbd would talk to whoever answers.
  ///
  /// Up to 1.20.2 (CVE-2024-7383) it checks a server's certificate only where the folder that the
  /// URI names holds the authority's; without that any certificate would do.
  func requireTrust() throws {
    guard scheme.lowercased() == "nbds", parameter("tls-psk-file") == nil else { return }
    if let folder = parameter("tls-certificates").flatMap(NBDAddress.unescaped),
      try Files.status("\(folder)/ca-cert.pem") != nil
    {
      return
    }
    throw ReadingError.request(
      "nbds: without a certificate authority nobody would check who the server is",
      hint: "add ?tls-certificates=FOLDER with a ca-cert.pem in it, or tls-psk-file=FILE")
  }

  /// A parameter's value without escapes; nil when they are none.
  private static func unescaped(_ text: String) -> String? {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      let digits = String(decoding: rest.prefix(2), as: UTF8.self)
      guard digits.utf8.count == 2, let value = UInt8(digits, radix: 16) else { return nil }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    return String(validating: bytes, as: UTF8.self)
  }

  var volumeName: String {
    if let export = path.split(separator: "/").last { return SourceName.stem(String(export)) }
    if let socket { return SourceName.stem(socket) }
    // An address of IPv6 is in brackets.
    return String(
      host.hasPrefix("[") ? host.dropFirst().prefix { $0 != "]" } : host.prefix { $0 != ":" })
  }
}
