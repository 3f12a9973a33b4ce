internal import Blocks
internal import Bytes

/// The files of an NTFS volume.
///
/// An id is a reference to a record with the number of its use, so that a stale one is noticed.
/// The file system's own files are not among them, nor are names of the DOS name space.
struct NTFSFiles: FileTree {
  /// The most bytes of a stream beside a file's content that is told as an attribute.
  static let streamByteLimit: UInt64 = 64 << 10
  /// The most such streams of one file, and the most bytes of all of them.
  static let streamLimit = 1024
  static let streamsByteLimit: UInt64 = 4 << 20

  let nameRule = NameRule.ignoringCase
  let root: UInt64
  private let volume: NTFSVolume
  /// What no other file may lie in, or why that cannot be told.
  private let systemFiles: Result<NTFSSystemFiles, any Error>

  init(_ volume: NTFSVolume) throws {
    self.volume = volume
    let node = try volume.node(.root)
    root = NTFSVolume.Known.root.rawValue | UInt64(node.record.sequence) << 48
    systemFiles = Result { try NTFSSystemFiles(of: volume) }
  }

  /// A file and what makes it what it is.
  private struct Opened {
    var node: NTFSNode
    var information: NTFSStandardInformation
    var reparse: NTFSReparse?
  }

  private func open(_ id: UInt64) throws -> Opened {
    let node = try volume.node(NTFSReference(id))
    guard let value = node.record.value(.standardInformation) else {
      throw FormatError(
        "NTFS record \(node.record.number)", at: node.record.place,
        .impossible("a file without times"))
    }
    let information = try NTFSStandardInformation(parsing: value, at: node.record.place)
    var reparse: NTFSReparse?
    if let content = try volume.content(.reparsePoint, of: node) {
      let bytes = try bytes(of: content, limit: UInt64(NTFSReparse.byteLimit), node)
      reparse = try NTFSReparse(parsing: bytes, at: node.record.place)
    }
    return Opened(node: node, information: information, reparse: reparse)
  }

  func file(_ id: UInt64) throws -> GuestFile {
    let opened = try open(id)
    let linux = try linuxAttributes(of: opened.node)
    let content = try volume.content(.data, of: opened.node)
    var file = GuestFile(id: id, kind: try kind(of: opened, content, linux))
    if file.kind == .regular { file.size = content?.size ?? 0 }
    file.mode = linux.mode.map { UInt16($0 & 0o7777) }
    file.owner = linux.owner
    file.group = linux.group
    file.created = opened.information.created
    file.modified = opened.information.modified
    file.changed = opened.information.changed
    file.accessed = opened.information.accessed
    var names: UInt32 = 0
    try volume.forEachPiece(.fileName, [], of: opened.node) { attribute, record in
      guard case .resident(let range) = attribute.form, range.count >= 66 else { return }
      if record.bytes[range.lowerBound + 65] != NTFSIndexEntry.dosSpace { names += 1 }
    }
    file.linkCount = names
    return file
  }

  private func linuxAttributes(of node: NTFSNode) throws -> NTFSLinuxAttributes {
    guard let content = try volume.content(.extendedAttributes, of: node) else {
      return NTFSLinuxAttributes()
    }
    let bytes = try bytes(of: content, limit: NTFSLinuxAttributes.byteLimit, node)
    return try NTFSLinuxAttributes(parsing: bytes, at: node.record.place)
  }

  private func kind(
    of opened: Opened, _ content: NTFSContent?, _ linux: NTFSLinuxAttributes
  ) throws -> GuestFile.Kind {
    let ordinary = opened.node.record.isDirectory ? GuestFile.Kind.directory : .regular
    guard let reparse = opened.reparse else {
      if ordinary == .regular, try interixTarget(opened, content) != nil { return .symbolicLink }
      return ordinary
    }
    let device = linux.device ?? (0, 0)
    switch reparse.known {
    case .mountPoint, .symbolicLink, .linuxLink: return .symbolicLink
    case .linuxSocket: return .socket
    case .linuxFIFO: return .fifo
    case .linuxCharacterDevice:
      return .characterDevice(major: device.major, minor: device.minor)
    case .linuxBlockDevice: return .blockDevice(major: device.major, minor: device.minor)
    case .overlay, .deduplicated: return ordinary
    case nil: return reparse.isSurrogate ? .other : ordinary
    }
  }

  func forEachEntry(
    of directory: GuestFile, _ body: (DirectoryEntry) throws -> Bool
  ) throws {
    let node = try volume.node(NTFSReference(directory.id))
    guard node.record.isDirectory else {
      throw FormatError(
        "NTFS record \(node.record.number)", at: node.record.place,
        .impossible("it is no directory"))
    }
    try NTFSIndex(of: node, in: volume).forEachEntry { entry in
      // The root directory is among its own entries.
      guard entry.reference.number >= NTFSVolume.firstUserRecord,
        entry.space != NTFSIndexEntry.dosSpace
      else { return true }
      let name = NTFSNames.bytes(entry.name)
      guard !name.isEmpty, name != Array(".".utf8), name != Array("..".utf8),
        !name.contains(0), !name.contains(0x2F)
      else {
        throw FormatError(
          "NTFS record \(node.record.number)", at: node.record.place,
          .impossible("a name that no file can have"))
      }
      return try body(DirectoryEntry(name: name, id: entry.reference.raw))
    }
  }

  func extents(of file: GuestFile) throws -> [FileExtent] {
    let system = try systemFiles.get()
    let node = try volume.node(NTFSReference(file.id))
    guard node.record.number >= NTFSVolume.firstUserRecord, file.kind == .regular else {
      throw GuestDoubt("it is no ordinary file")
    }
    guard case .mapped(let mapped)? = try volume.content(.data, of: node) else { return [] }
    let size = mapped.clusterSize
    return try mapped.runs.runs.map { run in
      let range = run.cluster * size..<(run.cluster + run.count) * size
      guard system.extents.intersection(range).isEmpty else {
        throw GuestDoubt("it claims clusters of the file system itself")
      }
      return FileExtent(offset: run.virtual * size, range: range)
    }
  }

  /// Streams, the index of a folder and whatever else is in clusters, too.
  func ranges(of file: GuestFile) throws -> [Range<UInt64>] {
    let size = volume.boot.clusterSize
    var result: [Range<UInt64>] = []
    for record in try volume.records(of: try volume.node(NTFSReference(file.id))) {
      for attribute in record.attributes {
        guard let runs = try volume.runs(of: attribute, in: record) else { continue }
        result += runs.runs.map { $0.cluster * size..<($0.cluster + $0.count) * size }
      }
    }
    return result
  }

  // MARK: Content

  func content(of file: GuestFile) throws -> any BlockSource {
    let opened = try open(file.id)
    if let doubt = opened.reparse?.contentDoubt(attributes: opened.information.attributes) {
      throw GuestDoubt(doubt)
    }
    guard let content = try volume.content(.data, of: opened.node) else {
      return NTFSValue([], sectorSize: volume.source.sectorSize)
    }
    return try NTFSFiles.source(of: content, in: volume)
  }

  /// An attribute's content as it is meant.
  ///
  /// - Throws: `GuestDoubt` when it is encrypted, or compressed in a way that is not known.
  static func source(of content: NTFSContent, in volume: NTFSVolume) throws -> any BlockSource {
    switch content {
    case .resident(let bytes): return NTFSValue(bytes, sectorSize: volume.source.sectorSize)
    case .mapped(let mapped):
      if mapped.isPlain { return NTFSStream(mapped, of: volume.source) }
      guard mapped.flags & NTFSAttribute.encrypted == 0 else { throw GuestDoubt("it is encrypted") }
      return try NTFSCompressed(mapped, of: volume.source)
    }
  }

  /// All bytes of a small attribute.
  private func bytes(
    of content: NTFSContent, limit: UInt64, _ node: NTFSNode
  ) throws -> [UInt8] {
    let source = try NTFSFiles.source(of: content, in: volume)
    guard source.size <= limit, let bytes = try source.bytes(Int(source.size), at: 0) else {
      throw FormatError(
        "NTFS record \(node.record.number)", at: node.record.place,
        .impossible("an attribute of \(source.size) bytes"))
    }
    return bytes
  }

  private func interixTarget(_ opened: Opened, _ content: NTFSContent?) throws -> [UInt8]? {
    guard opened.information.attributes & NTFSStandardInformation.system != 0, let content,
      content.size <= NTFSInterixLink.byteLimit
    else { return nil }
    if case .mapped(let mapped) = content, !mapped.isPlain { return nil }
    return NTFSInterixLink.target(
      in: try bytes(of: content, limit: NTFSInterixLink.byteLimit, opened.node))
  }

  func target(of link: GuestFile) throws -> [UInt8] {
    let opened = try open(link.id)
    let place = opened.node.record.place
    if let target = try opened.reparse?.target(at: place) { return target }
    let content = try volume.content(.data, of: opened.node)
    if let target = try interixTarget(opened, content) { return target }
    throw FormatError(
      "NTFS record \(opened.node.record.number)", at: place, .impossible("a link to nowhere"))
  }

  func attributes(of file: GuestFile) throws -> [ExtendedAttribute] {
    let node = try volume.node(NTFSReference(file.id))
    var names: [[UInt16]] = []
    try volume.forEachPiece(.data, nil, of: node) { attribute, _ in
      if !attribute.name.isEmpty, attribute.first == 0, names.count < NTFSFiles.streamLimit {
        names.append(attribute.name)
      }
    }
    var left = NTFSFiles.streamsByteLimit
    return try names.compactMap { name in
      guard let content = try volume.content(.data, name, of: node),
        content.size <= min(left, NTFSFiles.streamByteLimit), !name.contains(0)
      else { return nil }
      if case .mapped(let mapped) = content, mapped.flags & NTFSAttribute.encrypted != 0 {
        return nil
      }
      left -= content.size
      return ExtendedAttribute(
        name: Array("user.".utf8) + NTFSNames.bytes(name),
        value: try bytes(of: content, limit: NTFSFiles.streamByteLimit, node))
    }
  }
}
