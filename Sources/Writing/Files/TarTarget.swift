internal import Archives
internal import GuestLayouts
public import Platform

/// A tar archive of guests' files.
public final class TarTarget: FileTarget {
  private let writer: TarWriter
  private var names: ArchiveNames

  /// What the library that writes tars opens: locales, conversions of characters.
  public static var libraryFolders: [String] { ArchiveReader.libraryFolders }

  /// Loads the library, before files cannot be opened any more.
  public static func load() throws { try TarWriter.load() }

  /// - Parameter places: Where in the archive all that is restored goes, in its order.
  public init(_ output: FileDescriptor, places: [[[UInt8]]]) throws {
    output.widenPipe()
    names = ArchiveNames(places: places.map { Array($0.joined(separator: [UInt8(ascii: "/")])) })
    writer = try TarWriter(output.number)
  }

  /// Writes the end of the archive.
  public func finish() throws {
    do { try writer.finish() } catch { throw TarTarget.reason(error) }
  }

  func enterFolder(_ folder: RestoredFile) throws {
    guard !folder.name.isEmpty else { return }
    try names.enter(folder)
    try add(member(folder, .folder))
  }

  func leaveFolder(_ folder: RestoredFile) throws {
    if !folder.name.isEmpty { names.leave() }
  }

  func begin(in folder: [[UInt8]], firstMayExist: Bool) throws { try names.begin(in: folder) }

  func addFile(_ file: RestoredFile, _ content: FileContent) throws {
    try names.claim(file)
    let isWhole = content.data.count == 1 && content.data[0] == 0..<content.size
    let data = isWhole || content.size == 0 ? nil : content.data
    try losing { try writer.begin(member(file, .file(size: content.size, data: data))) }
    var position: UInt64 = 0
    do {
      try content.forEachPiece { offset, bytes in
        try losing {
          try writer.writeZeros(offset - position)
          try writer.write(bytes)
        }
        position = offset + UInt64(bytes.count)
      }
    } catch let trouble as ReadTrouble {
      // Its size is written already: without all its bytes the archive could not be read on.
      try losing { try writer.end() }
      throw ReadTrouble(
        reason: FileContent.Problem(
          description: "\(trouble.reason); in the archive it is zeros from byte \(position) on"))
    }
    try losing { try writer.end() }
  }

  func addLink(_ link: RestoredFile, to target: [UInt8]) throws {
    try names.claim(link)
    try add(member(link, .symbolicLink(target: target)))
  }

  func addHardLink(_ file: RestoredFile, to path: [UInt8]) throws -> Bool {
    try names.claim(file)
    try add(member(file, .hardLink(target: path)))
    return true
  }

  func addSpecial(_ file: RestoredFile) throws -> Bool {
    let kind: TarMember.Kind
    switch file.file.kind {
    case .characterDevice(let major, let minor):
      kind = .characterDevice(major: major, minor: minor)
    case .blockDevice(let major, let minor): kind = .blockDevice(major: major, minor: minor)
    case .fifo: kind = .fifo
    default: return false
    }
    try names.claim(file)
    try add(member(file, kind))
    return true
  }

  private func add(_ member: TarMember) throws {
    try losing {
      try writer.begin(member)
      try writer.end()
    }
  }

  private func losing(_ body: () throws -> Void) throws {
    do { try body() } catch { throw TargetLoss(reason: TarTarget.reason(error)) }
  }

  /// The system's error, where it is one.
  private static func reason(_ error: any Error) -> any Error {
    (error as? TarError)?.code.map { SystemError("write", code: $0) } ?? error
  }

  private func member(_ restored: RestoredFile, _ kind: TarMember.Kind) -> TarMember {
    let file = restored.file
    let usual: UInt16 = file.kind == .directory ? 0o755 : 0o644
    var member = TarMember(restored.path, kind, mode: file.mode ?? usual)
    member.owner = file.owner ?? 0
    member.group = file.group ?? 0
    member.modified = file.modified.map {
      .init(seconds: $0.seconds, nanoseconds: $0.nanoseconds)
    }
    member.accessed = file.accessed.map {
      .init(seconds: $0.seconds, nanoseconds: $0.nanoseconds)
    }
    member.attributes = restored.attributes.map { ($0.name, $0.value) }
    return member
  }
}
