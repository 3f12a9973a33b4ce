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
    let names = given.isEmpty ? sources.map { SourceName($0).volumeName } : given
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

  /// `name` with what is not allowed in one replaced.
  static func allowed(_ name: String) -> String {
    var scalars = String.UnicodeScalarView()
    for scalar in name.unicodeScalars { scalars.append(isAllowed(scalar) ? scalar : "-") }
    let name = String(scalars)
    return isAllowed(name) ? name : "disk"
  }

  private static func isAllowed(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= byteLimit
      && name.unicodeScalars.allSatisfy { isAllowed($0) }
  }

  private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
    scalar != "/" && scalar != ":" && scalar.value >= 0x20 && !(0x7F...0x9F).contains(scalar.value)
  }
}
