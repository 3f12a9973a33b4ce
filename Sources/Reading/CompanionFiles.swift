internal import Blocks
internal import DiskImages
internal import Platform

/// Opens the files that an image refers to, where the user lets it: beside the image, and in folders
/// that the user names.
struct CompanionFiles: Companions {
  /// Of images that build on one another; Hyper-V and VMware stop at fewer.
  private static let chainLimit = 64
  private static let nameLimit = 4096

  /// Folders in which any file may be had, by their real paths.
  private let allowed: [String]
  private let opened: OpenedFiles
  /// From the image that the user named to the one that refers to others; a disk from a server is
  /// not in it, and has nothing beside it.
  private let chain: [InputFile]

  /// - Parameters:
  ///   - image: What the user named.
  ///   - folders: Where files may lie besides the image's own folder.
  ///   - opened: Gets all that are opened.
  /// - Throws: `ReadingError` for a folder that is none.
  init(of image: any NamedSource, _ folders: [String], _ opened: OpenedFiles) throws {
    allowed = try folders.map { folder in
      guard let real = try Files.realPath(folder), try Files.isFolder(real) else {
        throw ReadingError.request("\(folder): no folder", hint: nil)
      }
      return real
    }
    self.opened = opened
    chain = [image].compactMap { $0 as? InputFile }
  }

  private init(_ other: CompanionFiles, _ file: InputFile) {
    allowed = other.allowed
    opened = other.opened
    chain = other.chain + [file]
  }

  func open(_ names: [String], as role: CompanionRole) throws -> Companion {
    guard chain.count < CompanionFiles.chainLimit else {
      throw CompanionError(
        role, names.first ?? "",
        .impossible("more than \(CompanionFiles.chainLimit) images would build on one another"))
    }
    var trouble: CompanionError?
    for name in names {
      do {
        return try open(name, as: role)
      } catch let error as CompanionError {
        // Of a file that is there and must not be had the user should know most of all.
        if case .notThere = error.reason, trouble != nil { continue }
        if case .impossible = error.reason { throw error }
        if case .notThere? = trouble?.reason { trouble = error }
        trouble = trouble ?? error
      }
    }
    throw trouble ?? CompanionError(role, "", .notThere)
  }

  private func open(_ name: String, as role: CompanionRole) throws -> Companion {
    let file = try file(name, as: role)
    return Companion(file, path: file.path, CompanionFiles(self, file))
  }

  /// Opens the file of that name, where it may be had.
  ///
  /// - Throws: `CompanionError`.
  func file(_ name: String, as role: CompanionRole) throws -> InputFile {
    guard !name.isEmpty, name.utf8.count <= CompanionFiles.nameLimit, !name.utf8.contains(0) else {
      throw CompanionError(role, name, .notAllowed("cannot be the name of a file"))
    }
    let isOnDevice = chain.last?.isDevice ?? false
    let foreign = CompanionError.Reason.notAllowed(
      isOnDevice
        ? "is asked for by an image on a device, which has no files beside it"
        : "lies in another folder than the image")
    guard let path = try place(of: name) else {
      throw CompanionError(role, name, isOnDevice && allowed.isEmpty ? foreign : .notThere)
    }
    guard try mayHave(path) else { throw CompanionError(role, name, foreign) }
    let file: InputFile
    do {
      file = try opened.open(path)
    } catch ReadingError.request {
      throw CompanionError(role, name, .notAllowed("is neither a file nor a block device"))
    }
    guard !chain.contains(where: { $0.isFile(file) }) else {
      throw CompanionError(role, name, .impossible("is the image itself, or builds on it"))
    }
    return file
  }

  /// The real path of what `name` means; nil when nothing is there.
  private func place(of name: String) throws -> String? {
    if name.hasPrefix("/") { return try Files.realPath(name) }
    for folder in try imageFolders() + allowed {
      if let path = try Files.realPath("\(folder)/\(name)") { return path }
    }
    return nil
  }

  /// Whether a file may be opened: links have been followed, so it is where it seems to be.
  private func mayHave(_ path: String) throws -> Bool {
    if allowed.contains(where: { $0 == "/" || path.hasPrefix("\($0)/") }) { return true }
    return try imageFolders().contains(Files.folder(of: path))
  }

  /// The image's folder; a link stands for the image, so there may be two.
  ///
  /// A device has none: beside it lie all disks of this machine, and a guest may have written what
  /// is on it.
  private func imageFolders() throws -> [String] {
    guard let image = chain.last, !image.isDevice else { return [] }
    let path = image.path
    return try [Files.realPath(Files.folder(of: path)), Files.realPath(path).map(Files.folder)]
      .compactMap { $0 }
  }
}

/// The files that were opened for one disk.
final class OpenedFiles: Sendable {
  private let files = Locked<[InputFile]>([])

  var all: [InputFile] { files.with { $0 } }

  /// Opens a file, unless that was done already: extents may share one.
  func open(_ path: String) throws -> InputFile {
    if let file = all.first(where: { $0.path == path }) { return file }
    if all.isEmpty { try Files.allowMany() }
    let file = try InputFile(path)
    files.with { $0.append(file) }
    return file
  }
}
