internal import Appliances
internal import Archives
internal import Blocks
internal import Bytes
internal import DiskImages
internal import Platform

/// An appliance of which each disk can be read at any place: an OVA in a file, a tar without
/// compression of which each disk is a window, or an OVF with its files beside it.
struct ApplianceFile {
  /// A file of the appliance.
  private struct Entry {
    let name: String
    let content: any BlockSource
    /// What it is a part of, or what it is.
    let file: InputFile
    /// Where it lies in that file.
    let offset: UInt64
  }

  let appliance: Appliance
  /// The OVF, the manifest and its certificate.
  let attachments: [Attachment]
  let warnings: [String]
  private let path: String
  private let entries: [Entry]
  private let manifest: OVFManifest?
  /// The files that it is read from: one, or the OVF and what it and its manifest name.
  var files: [InputFile] {
    var found: [InputFile] = []
    for entry in entries where found.last !== entry.file { found.append(entry.file) }
    return found
  }

  /// Reads an OVA's headers, its OVF and its manifest.
  ///
  /// - Returns: Nil when the archive has to be read from its start to its end.
  init?(archive file: InputFile) throws {
    guard let entries = try ApplianceFile.entries(file) else { return nil }
    guard let descriptor = try ApplianceFile.only(".ovf", entries) else {
      throw FormatError("archive", at: 0, .impossible("no OVA: there is no .ovf in it"))
    }
    let bytes = try ApplianceFile.bytes(descriptor, limit: OVFDescriptor.byteLimit)
    try self.init(
      file.path, try Appliance(bytes, descriptor.name),
      Attachment(name: descriptor.name, bytes: bytes), entries)
  }

  /// Reads an OVF, and opens the files that it and its manifest name.
  ///
  /// - Parameters:
  ///   - file: The OVF.
  ///   - options: Where the files may lie besides beside it.
  init(descriptor file: InputFile, _ options: ReadOptions) throws {
    let companions = try CompanionFiles(of: file, options.references, OpenedFiles())
    let name = Files.name(of: file.path)
    let descriptor = Entry(name: name, content: file, file: file, offset: 0)
    let bytes = try ApplianceFile.bytes(descriptor, limit: OVFDescriptor.byteLimit)
    let appliance = try Appliance(bytes, name)
    func entry(_ name: String) throws -> Entry {
      let found = try companions.file(name, as: .file)
      return Entry(name: name, content: found, file: found, offset: 0)
    }
    var entries = [descriptor]
    for ending in [".mf", ".cert"] {
      do {
        entries.append(try entry(MemberName.base(name) + ending))
      } catch let error as CompanionError {
        guard case .notThere = error.reason else { throw error }
      }
    }
    var names = appliance.descriptor.files.map(\.name)
    if let manifest = try ApplianceFile.only(".mf", entries) {
      let bytes = try ApplianceFile.bytes(manifest, limit: OVFManifest.byteLimit)
      names += try OVFManifest(parsing: bytes, manifest.name).entries.map(\.name)
    }
    guard names.count <= Appliance.memberLimit else {
      throw FormatError(name, at: 0, .impossible("too many files"))
    }
    for name in names where !entries.contains(where: { $0.name == name }) {
      entries.append(try entry(name))
    }
    try self.init(
      file.path, appliance, Attachment(name: name, bytes: bytes), entries)
  }

  private init(
    _ path: String, _ appliance: Appliance, _ descriptor: Attachment, _ entries: [Entry]
  ) throws {
    self.path = path
    self.appliance = appliance
    self.entries = entries
    var attachments = [descriptor]
    var manifest: OVFManifest?
    if let entry = try ApplianceFile.only(".mf", entries) {
      let bytes = try ApplianceFile.bytes(entry, limit: OVFManifest.byteLimit)
      manifest = try OVFManifest(parsing: bytes, entry.name)
      attachments.append(Attachment(name: entry.name, bytes: bytes))
    }
    if let entry = try ApplianceFile.only(".cert", entries) {
      let bytes = try ApplianceFile.bytes(entry, limit: OVFManifest.byteLimit)
      attachments.append(Attachment(name: entry.name, bytes: bytes))
    }
    self.attachments = attachments
    self.manifest = manifest
    var roll = ApplianceRoll(appliance.descriptor, manifest)
    for entry in entries { roll.meet(entry.name, size: entry.content.size) }
    warnings = appliance.warnings + (try roll.finish())
  }

  /// All files of the archive; nil when it is no plain tar.
  private static func entries(_ file: InputFile) throws -> [Entry]? {
    let reader = try ArchiveReader(SourceStream(file), .package)
    var entries: [Entry] = []
    var names: Set<String> = []
    var end: UInt64 = 0
    var count = 0
    while let member = try reader.next() {
      if reader.isCompressed || !reader.isTar { return nil }
      count += 1
      let name = try Member.name(
        member.name, isPlain: member.isPlain, isFolder: member.isFolder, at: member.start)
      guard let name, let size = member.size else {
        end = max(end, member.start)
        continue
      }
      guard count <= Appliance.memberLimit, names.insert(name).inserted else {
        throw FormatError(
          "archive", at: member.start,
          .impossible(count > Appliance.memberLimit ? "too many files" : "two files called \(name)")
        )
      }
      guard member.start <= file.size, size <= file.size - member.start else {
        throw FormatError("archive", at: file.size, .truncated)
      }
      end = member.start + size
      entries.append(
        Entry(
          name: name, content: WindowSource(file, member.start..<end), file: file,
          offset: member.start))
    }
    // Two sectors of zeros end an archive: without them, it is cut off between two files.
    let place = (end + 511) / 512 * 512
    guard let last = try file.bytes(512, at: place), Zeros.isZero(last.span) else {
      throw FormatError("archive", at: place, .truncated)
    }
    try requireZeros(file, from: place)
    return entries
  }

  /// Refuses a file that goes on behind the mark at its end: a header that was wiped out looks like
  /// that mark, and everything behind it would be gone, the manifest perhaps.
  private static func requireZeros(_ file: InputFile, from start: UInt64) throws {
    let buffer = Buffer(count: 1 << 20)
    var position = start
    while position < file.size, let data = try file.nextData(at: position) {
      position = max(position, data.lowerBound)
      let end = min(data.upperBound, position + UInt64(buffer.count))
      let count = Int(end - position)
      var target = buffer.mutableSpan(0..<count)
      try file.read(into: &target, at: position)
      let piece = buffer.span(0..<count)
      if !Zeros.isZero(piece) {
        var first = 0
        while piece[first] == 0 { first += 1 }
        throw ArchiveEnd.isNone(at: position + UInt64(first))
      }
      position = end
    }
  }

  /// The file with that ending; nil without any.
  private static func only(_ ending: String, _ entries: [Entry]) throws(FormatError) -> Entry? {
    let found = entries.filter { MemberName.ends($0.name, ending) }
    guard found.count <= 1 else {
      throw FormatError(
        "archive", at: found[1].offset,
        .impossible("more than one \(ending): \(found[0].name), \(found[1].name)"))
    }
    return found.first
  }

  private static func bytes(_ entry: Entry, limit: Int) throws -> [UInt8] {
    let count = entry.content.size
    guard count <= UInt64(limit), let bytes = try entry.content.bytes(Int(count), at: 0) else {
      throw FormatError(
        entry.name, at: entry.offset, .impossible("\(count) bytes are over the limit"))
    }
    return bytes
  }

  /// Starts to compare everything with the manifest; nil without one.
  func check() -> ManifestCheck? {
    guard let manifest else { return nil }
    let listed = entries.filter { !manifest.kinds(of: $0.name).isEmpty }
    return ManifestCheck(listed.map { ($0.name, $0.content) }, manifest, path)
  }

  /// Whether a disk can be read at any place.
  func isPlain(_ disk: Appliance.Disk) -> Bool { disk.file.compression == nil }

  /// Opens a disk that can be read at any place.
  func open(_ disk: Appliance.Disk, _ options: ReadOptions) throws -> OpenedDisk {
    let path = "\(path): \(disk.file.name)"
    return try naming(source: path) {
      try Appliance.requireWhole(disk.file)
      guard isPlain(disk) else {
        throw FormatError("OVF", at: 0, .unsupported("a compressed disk outside of an OVA"))
      }
      guard let entry = entries.first(where: { $0.name == disk.file.name }) else {
        throw FormatError("archive", at: 0, .impossible("\(disk.file.name) is not in it"))
      }
      return try DiskInside.open(
        entry.content, of: entry.file, path, named: entry.name, options)
    }
  }
}

extension Range<UInt64> {
  /// How many there are.
  var count64: UInt64 { upperBound - lowerBound }
}

/// Compares the files that an archive holds with those that the OVF and the manifest name.
struct ApplianceRoll {
  private let descriptor: OVFDescriptor
  private let manifest: OVFManifest?
  private var sizes: [String: UInt64] = [:]

  init(_ descriptor: OVFDescriptor, _ manifest: OVFManifest?) {
    self.descriptor = descriptor
    self.manifest = manifest
  }

  /// A file is there.
  mutating func meet(_ name: String, size: UInt64) { sizes[name] = size }

  /// Compares, when all files have been met.
  ///
  /// - Returns: Warnings.
  /// - Throws: `FormatError` for a file that is missing or has another size than the OVF tells.
  func finish() throws(FormatError) -> [String] {
    for file in descriptor.files {
      if file.chunkSize != nil { continue }
      guard let size = sizes[file.name] else {
        throw FormatError(
          "archive", at: 0, .impossible("\(file.name), which the OVF names, is not in it"))
      }
      // Other programs go by the size, too, and refuse a file with another one.
      if let told = file.size, told != size {
        throw FormatError(
          "archive", at: 0,
          .impossible("\(file.name) has \(size) bytes, but the OVF tells of \(told)"))
      }
    }
    guard let manifest else { return [] }
    for entry in manifest.entries where sizes[entry.name] == nil {
      throw FormatError(
        "archive", at: 0, .impossible("\(entry.name), which the manifest names, is not in it"))
    }
    return sizes.keys.sorted().filter { name in
      manifest.kinds(of: name).isEmpty && !MemberName.ends(name, ".mf")
        && !MemberName.ends(name, ".cert")
    }.map { "\($0) is not in the manifest, so nothing proves that it is whole" }
  }
}
