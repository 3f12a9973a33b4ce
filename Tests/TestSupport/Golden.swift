import Platform

/// Files of earlier releases; added at each release and never edited.
public enum Golden {
  public static let folder =
    Files.folder(of: Files.folder(of: Files.folder(of: #filePath))) + "/Tests/golden"

  /// The bytes of a golden file.
  ///
  /// With VPIPE_MAKE_GOLDENS set, one that is missing is made.
  public static func bytes(_ name: String, make: () throws -> [UInt8]) throws -> [UInt8] {
    let path = "\(folder)/\(name)"
    if Environment.value("VPIPE_MAKE_GOLDENS") != nil, try Files.status(path) == nil {
      if try Files.status(Files.folder(of: path)) == nil {
        try Files.makeDirectory(Files.folder(of: path))
      }
      let file = try FileDescriptor(path, .create)
      try file.write(try make())
      try file.close()
    }
    return try Files.contents(path, limit: 1 << 20) ?? []
  }
}
