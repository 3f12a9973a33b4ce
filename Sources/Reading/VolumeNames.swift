/// The names that volumes get.
enum VolumeNames {
  /// The most bytes of a name.
  static let byteLimit = 255

  /// Names for volumes, no two the same.
  ///
  /// - Parameters:
  ///   - wished: What each volume would like to be called, and the path that it comes from; where two
  ///     would be called the same, those of appliances get their file's name in front.
  ///   - given: The user's names, one for each volume or none.
  static func of(
    _ wished: [(name: String, appliance: String?)], given: [String]
  ) throws(ReadingError) -> [String] {
    guard given.isEmpty || given.count == wished.count else {
      throw .request(
        "\(given.count) names for \(wished.count) sources",
        hint: "give one name for each disk, in their order, or none")
    }
    var names = given.isEmpty ? wished.map(\.name) : given
    if given.isEmpty {
      var counts: [String: Int] = [:]
      for name in names { counts[name, default: 0] += 1 }
      for (index, wish) in wished.enumerated() where counts[wish.name] != 1 {
        if let path = wish.appliance { names[index] = prefixed(wish.name, path) }
      }
    }
    try check(names)
    return names
  }

  /// Refuses names that cannot be, or that are there twice.
  static func check(_ names: [String], besides taken: Set<String> = []) throws(ReadingError) {
    for name in names where !isAllowed(name) {
      throw .request(
        "'\(name)' cannot be a volume's name",
        hint: "1 to \(byteLimit) bytes without '/', ':' and control characters")
    }
    var seen = taken
    for name in names where !seen.insert(name).inserted {
      throw .request("two volumes would be called \(name)", hint: "name each volume")
    }
  }

  /// A name with that of the file in front that it comes from.
  static func prefixed(_ name: String, _ path: String) -> String {
    var name = "\(SourceName.stem(path))-\(name)"
    while name.utf8.count > byteLimit { name.removeLast() }
    return name
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
