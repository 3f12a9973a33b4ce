public import Bytes

/// What a file's name says of its content: where the two do not agree, nothing is guessed.
///
/// An image whose signature is damaged must not pass for a raw disk, and a machine that writes another
/// format's signature to the start of its raw disk must not have something else read than its disk.
public struct NameClaim: Sendable {
  /// What content may look like, besides the names of `DiskFormats`.
  public enum Word {
    /// A tar or a zip.
    public static let archive = "an archive"
    public static let compressed = "a compressed file"
    public static let descriptor = "an OVF"
  }

  private enum Kind {
    case nothing
    case raw
    /// What belongs to that extension.
    case images(String, [String])
  }

  /// What belongs to each extension, by what content looks like then.
  private static let extensions: [(names: [String], content: [String])] = [
    (["vmdk"], ["vmdk"]), (["qcow2", "qcow"], ["qcow2"]), (["qed"], ["qed"]), (["vdi"], ["vdi"]),
    (["vhd", "avhd"], ["vhd"]), (["vhdx", "avhdx"], ["vhdx"]), (["ovf"], [Word.descriptor]),
    (["ova", "tar", "zip"], [Word.archive, Word.compressed]),
    (compressions, [Word.compressed]),
  ]
  private static let compressions = [
    "gz", "tgz", "bz2", "tbz", "tbz2", "xz", "txz", "zst", "tzst", "lz4",
  ]
  private static let rawEndings = [".raw", ".img", ".bin", ".dd", ".iso", "-flat.vmdk"]

  private let kind: Kind
  private let isDevice: Bool
  private let option: String?

  /// - Parameters:
  ///   - name: The file's name, or a path that ends in it.
  ///   - isDevice: Whether it is a disk by its nature, and its name says nothing.
  ///   - option: The option that tells the format, for hints; nil when none does.
  public init(_ name: String, isDevice: Bool = false, option: String?) {
    self.isDevice = isDevice
    self.option = option
    let name = name.lowercased()
    let ending = name.split(separator: ".", omittingEmptySubsequences: false).last.map(String.init)
    let isRaw = NameClaim.rawEndings.contains { name.hasSuffix($0) }
    if isDevice || isRaw || NameClaim.isFlatPart(name) {
      kind = .raw
    } else if let ending,
      let known = NameClaim.extensions.first(where: { $0.names.contains(ending) })
    {
      kind = .images(ending, known.content)
    } else {
      kind = .nothing
    }
  }

  /// Whether it is a raw disk by its nature or name.
  public var isRaw: Bool { if case .raw = kind { true } else { false } }

  /// Whether the name says that this is what the file holds.
  ///
  /// - Parameter found: The name of a format, or a `Word`.
  public func promises(_ found: String) -> Bool {
    switch kind {
    case .images(_, let content): content.contains(found)
    case .raw: found == RawImage.name
    case .nothing: false
    }
  }

  /// Whether it is one of the raw files that a VMDK in several files is made of: `disk-f001.vmdk`.
  private static func isFlatPart(_ name: String) -> Bool {
    guard name.hasSuffix(".vmdk"), let dash = name.lastIndex(of: "-") else { return false }
    let part = name[dash...].dropFirst().dropLast(".vmdk".count)
    return part.first == "f" && part.count == 4 && part.dropFirst().allSatisfy(\.isWholeNumber)
  }

  /// A compressed file's name without the extension that says so.
  public static func inside(_ name: String) -> String {
    guard let dot = name.lastIndex(of: ".") else { return name }
    let ending = name[dot...].dropFirst().lowercased()
    guard compressions.contains(ending) else { return name }
    return String(name[..<dot]) + (ending.hasPrefix("t") ? ".tar" : "")
  }

  /// Compares the name with the content.
  ///
  /// - Parameter found: The name of a format, or a `Word`.
  /// - Returns: What the user should know of a file whose name says nothing.
  /// - Throws: `FormatError` where the name says otherwise.
  public func check(_ found: String) throws(FormatError) -> String? {
    if promises(found) { return nil }
    switch kind {
    case .images(let ending, _):
      let isRaw = found == RawImage.name
      throw FormatError(
        "image", at: 0,
        .misnamed(
          "its name says \(ending), but "
            + (isRaw ? "it does not begin or end like one" : "its content looks like \(found)"),
          hint: isRaw ? hint("raw reads it as it is") : choice(found)))
    case .raw:
      throw FormatError(
        "image", at: 0,
        .ambiguous(
          "a \(isDevice ? "device" : "raw disk by its name") whose content looks like \(found)",
          hint: choice(found)))
    case .nothing:
      if found == RawImage.name { return nil }
      return "taken as \(found), which its content looks like"
        + (option.map { "; \($0) raw takes it as it is" } ?? "")
    }
  }

  /// How the user says what it is.
  private func choice(_ found: String) -> String {
    switch found {
    case Word.archive:
      return hint("raw reads it as it is", "ova the disks of the machine in it")
    case Word.compressed:
      return hint("raw reads it as it is; what is in it is read from standard input")
    default: return hint("\(found)", "raw says which it is")
    }
  }

  private func hint(_ words: String...) -> String {
    guard let option else { return "unpack it, and say which format it is in" }
    return words.map { "\(option) \($0)" }.joined(separator: " or ")
  }
}
