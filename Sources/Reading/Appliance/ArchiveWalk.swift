internal import Appliances
internal import Archives
internal import Blocks
internal import Bytes
internal import Codecs
internal import DiskImages

/// An OVA that is read once, from its start to its end.
///
/// Every file's digest is computed as it passes: by what the manifest wants, or by all kinds as long
/// as the manifest has not come.
final class ArchiveWalk {
  /// A small file that is kept.
  private struct Kept {
    let name: String
    let bytes: [UInt8]
  }

  private let path: String
  private let options: ReadOptions
  private let names: StreamNames
  private let stream: EndingStream
  private var reader: ArchiveReader?
  private var memberCount = 0
  private var seen: [String: UInt64] = [:]
  private var appliance: Appliance?
  /// The disks that are wanted, by their files' names, with their volumes' names.
  private var wanted: [String: (disk: Appliance.Disk, name: String)] = [:]
  private var manifest: OVFManifest?
  /// Digests of files that came before the manifest.
  private var early: [String: [MessageDigest.Kind: [UInt8]]] = [:]
  /// The file whose bytes are being used.
  private var current: (name: String, stream: DigestedStream)?
  /// Where the last file ended.
  private var end: UInt64 = 0
  private var isEnded = false

  /// - Parameters:
  ///   - stream: A tar or zip, at its first byte.
  ///   - path: What it is called in messages.
  ///   - options: How it is read.
  ///   - names: Names the volumes.
  init(_ stream: any ByteStream, _ path: String, _ options: ReadOptions, _ names: StreamNames) {
    self.stream = EndingStream(stream)
    self.path = path
    self.options = options
    self.names = names
  }

  /// What the next file gives; nil when the archive has ended and everything was as it must be.
  func next() throws -> [StreamSource.Arrival]? {
    if isEnded { return nil }
    let reader = try self.reader ?? ArchiveReader(stream, .package)
    self.reader = reader
    try finishFile()
    guard let member = try reader.next() else {
      isEnded = true
      return try finishArchive(reader)
    }
    memberCount += 1
    guard memberCount <= Appliance.memberLimit else {
      throw FormatError("archive", at: member.start, .impossible("too many files"))
    }
    let name = try Member.name(
      member.name, isPlain: member.isPlain, isFolder: member.isFolder, at: member.start)
    guard let name else {
      end = max(end, member.start)
      return []
    }
    guard seen.updateValue(member.size ?? 0, forKey: name) == nil else {
      throw FormatError("archive", at: member.start, .impossible("two files called \(name)"))
    }
    let kinds = manifest.map { $0.kinds(of: name) } ?? MessageDigest.Kind.allCases
    let digested = DigestedStream(reader, kinds)
    current = (name, digested)
    if [".ovf", ".mf", ".cert"].contains(where: { MemberName.ends(name, $0) }) {
      return try keep(name, digested)
    }
    return try disk(name, digested)
  }

  /// Takes a small file.
  private func keep(_ name: String, _ stream: DigestedStream) throws -> [StreamSource.Arrival] {
    let limit = MemberName.ends(name, ".ovf") ? OVFDescriptor.byteLimit : OVFManifest.byteLimit
    let bytes = try stream.bytes(limit + 1)
    guard bytes.count <= limit else {
      throw FormatError(name, at: 0, .impossible("more than \(limit) bytes are over the limit"))
    }
    var arrivals: [StreamSource.Arrival] = [
      .attachment(Attachment(name: names.attachment(name, path), bytes: bytes))
    ]
    if MemberName.ends(name, ".ovf") {
      guard self.appliance == nil else {
        throw FormatError("archive", at: 0, .impossible("more than one .ovf"))
      }
      let appliance = try Appliance(bytes, name)
      self.appliance = appliance
      let disks = try appliance.picked(options.disk)
      for disk in disks { try Appliance.requireWhole(disk.file) }
      let volumes = try names.all(disks.map(\.name), path)
      for (disk, volume) in zip(disks, volumes) { wanted[disk.file.name] = (disk, volume) }
      arrivals += appliance.warnings.map { .warning("\(path): \($0)") }
    } else if MemberName.ends(name, ".mf") {
      guard self.manifest == nil else {
        throw FormatError("archive", at: 0, .impossible("more than one .mf"))
      }
      let manifest = try OVFManifest(parsing: bytes, name)
      self.manifest = manifest
      for (file, digests) in early { try manifest.check(file, digests) }
      early = [:]
    }
    return arrivals
  }

  /// Opens a disk that is wanted; anything else is only compared with the manifest.
  private func disk(_ name: String, _ stream: DigestedStream) throws -> [StreamSource.Arrival] {
    guard appliance != nil else {
      throw ReadingError.unsupported(
        source: path, "\(name) comes before the OVF, so that nothing is known of it yet",
        hint: "save the OVA to a file, uncompressed, and read that")
    }
    guard let (disk, volume) = wanted[name] else { return [] }
    let place = "\(path): \(name)"
    var content: any ByteStream = stream
    var inner = name
    if disk.file.compression != nil {
      let reader = try ArchiveReader(stream, .compressedFile)
      guard try reader.next() != nil else { throw FormatError("archive", at: 0, .truncated) }
      content = reader
      inner = NameClaim.inside(name)
    }
    let peeked = try PeekedStream(content, ArchiveMagic.byteCount)
    var arrivals = try DiskStream(place, volume, named: inner, options).open(
      peeked, peeked.head)
    if let size = arrivals.last?.size, let doubt = Appliance.doubt(disk, size: size) {
      arrivals.insert(.warning("\(path): \(doubt)"), at: 0)
    }
    return arrivals
  }

  /// Reads the rest of the file, and compares it with the manifest.
  private func finishFile() throws {
    guard let (name, stream) = current else { return }
    current = nil
    try stream.drain()
    seen[name] = stream.digesters.byteCount
    end = reader?.position ?? 0
    let digests = stream.digesters.finish()
    if let manifest { try manifest.check(name, digests) } else { early[name] = digests }
  }

  private func finishArchive(_ reader: ArchiveReader) throws -> [StreamSource.Arrival] {
    guard let appliance else {
      throw FormatError("archive", at: 0, .impossible("no OVA: there is no .ovf in it"))
    }
    // What fills a tar up is taken as well, so that whoever writes it need not stop half-way.
    let position = reader.position
    try stream.drain()
    if reader.isTar {
      try stream.requireTarEnd(at: (end + 511) / 512 * 512, read: position)
    } else {
      try stream.requireZipEnd(memberCount)
    }
    var roll = ApplianceRoll(appliance.descriptor, manifest)
    for (name, size) in seen { roll.meet(name, size: size) }
    return try roll.finish().map { .warning("\(path): \($0)") }
  }
}

extension StreamSource.Arrival {
  /// The size of the disk, if it is one.
  fileprivate var size: UInt64? {
    switch self {
    case .disk(let opened, _): opened.disk.size
    case .streamed(let streamed): streamed.vmdk.size
    case .attachment, .warning: nil
    }
  }
}
