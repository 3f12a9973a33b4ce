internal import Archives
internal import GuestLayouts
public import Platform

/// A tar archive of guests' files.
public final class TarTarget: FileTarget {
  private let writer: TarWriter

  /// What the library that writes tars opens: locales, conversions of characters.
  public static var libraryFolders: [String] { ArchiveReader.libraryFolders }

  /// Loads the library, before files cannot be opened any more.
  public static func load() throws { try TarWriter.load() }

  public init(_ output: FileDescriptor) throws {
    output.widenPipe()
    writer = try TarWriter(output.number)
  }

  /// Writes the end of the archive.
  public func finish() throws {
    do { try writer.finish() } catch { throw TarTarget.reason(error) }
  }

  func enterFolder(_ folder: RestoredFile) throws {
    guard !folder.name.isEmpty else { return }
    try add(member(folder, .folder))
  }

  func leaveFolder(_ folder: RestoredFile) throws {}

  func begin(in folder: [[UInt8]], firstMayExist: Bool) {}

  func addFile(_ file: RestoredFile, _ content: FileContent) throws {
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
    try add(member(link, .symbolicLink(target: target)))
  }

  func addHardLink(_ file: RestoredFile, to path: [UInt8]) throws -> Bool {
    try add(member(file, .hardLink(target: path)))
    return true
  }

  func addSpecial(_ file: RestoredFile) throws -> Bool {
    switch file.file.kind {
    case .characterDevice(let major, let minor):
      try add(member(file, .characterDevice(major: major, minor: minor)))
    case .blockDevice(let major, let minor):
      try add(member(file, .blockDevice(major: major, minor: minor)))
    case .fifo: try add(member(file, .fifo))
    default: return false
    }
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
