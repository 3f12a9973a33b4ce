internal import DiskImages
internal import Platform

/// What the name of an image promises.
public enum FileEnding {
  /// Of formats that are not written.
  private static let foreign = ["qcow": "QCOW", "vdi": "VDI", "qed": "QED"]
  private static let formats: [String: ImageFormat] = [
    "vhd": .vhd, "vhdx": .vhdx, "vmdk": .vmdk, "qcow2": .qcow2, "ova": .ova,
  ]

  /// What follows the last dot of a file's name, in small letters; empty when there is none.
  private static func of(_ path: String) -> String {
    let name = Files.name(of: path)
    guard let dot = name.lastIndex(of: ".") else { return "" }
    return name[name.index(after: dot)...].lowercased()
  }

  /// The format that an image gets.
  ///
  /// - Parameters:
  ///   - path: The file's path; `-` promises nothing.
  ///   - asked: The format that was asked for, if any.
  /// - Returns: That one, else what the name promises, else nil.
  /// - Throws: When the name promises another one, or one that is not written.
  public static func format(
    of path: String, asked: ImageFormat?
  ) throws(Failure) -> ImageFormat? {
    guard path != "-" else { return asked }
    let ending = of(path)
    if let format = foreign[ending] {
      throw Failure(
        .usage, "\(path): \(format) cannot be made",
        hint: "what can be: \(ImageFormat.choice)")
    }
    let promised = NameClaim(path, option: nil).isRaw ? .raw : formats[ending]
    // Images of all kinds are called .img, and what is .raw to one program is a VHD to another.
    if let asked, let promised, promised != asked, promised != .raw {
      throw Failure(
        .usage,
        "\(path): the name of \(promised.article) \(promised.title), "
          + "but \(asked.article) \(asked.title) would be in it")
    }
    return asked ?? promised
  }
}

extension ImageFormat {
  var article: String { self == .ova ? "an" : "a" }

  /// `vhd, vhdx, …`: what can be asked for, and of whom.
  static var choice: String {
    let files = allCases.filter { $0 != .ova }.map(\.rawValue).joined(separator: ", ")
    return "\(files); ova by vrestore export"
  }
}
