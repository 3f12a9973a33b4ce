internal import Platform

/// The names that volumes get.
enum VolumeNames {
  /// The most bytes of a name.
  static let byteLimit = 255

  /// One name for each source, no two the same; `given` are the user's, one for each or none.
  static func of(_ sources: [String], given: [String]) throws(ReadingError) -> [String] {
    guard !sources.isEmpty else { throw .request("no source", hint: nil) }
    guard sources.count <= SourceFeed.sourceLimit else {
      throw .request("more than \(SourceFeed.sourceLimit) sources", hint: nil)
    }
    guard given.isEmpty || given.count == sources.count else {
      throw .request(
        "\(given.count) names for \(sources.count) sources",
        hint: "give one name for each source, in their order, or none")
    }
    let names = given.isEmpty ? sources.map { usual(for: $0) } : given
    for name in names where !isAllowed(name) {
      throw .request(
        "'\(name)' cannot be a volume's name",
        hint: "1 to \(byteLimit) bytes without '/', ':' and control characters")
    }
    var seen: Set<String> = []
    for name in names where !seen.insert(name).inserted {
      throw .request("two volumes would be called \(name)", hint: "name each volume")
    }
    return names
  }

  /// The file's name without its extension.
  static func usual(for path: String) -> String {
    let name = Files.name(of: path)
    guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return name }
    return String(name[..<dot])
  }

  private static func isAllowed(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= byteLimit
      && !name.unicodeScalars.contains {
        $0 == "/" || $0 == ":" || $0.value < 0x20 || (0x7F...0x9F).contains($0.value)
      }
  }
}
