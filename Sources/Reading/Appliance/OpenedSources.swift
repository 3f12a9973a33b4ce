internal import Archives
internal import Blocks
internal import Bytes
internal import DiskImages
internal import Platform

/// Everything that the sources of a command line turn out to be.
struct OpenedSources {
  /// Disks that can be read at any place, with their volumes' names.
  private(set) var disks: [(opened: OpenedDisk, name: String)] = []
  /// What is read in order, after them.
  private(set) var streams: [StreamSource] = []
  private(set) var attachments: [Attachment] = []
  private(set) var warnings: [String] = []
  /// What goes on meanwhile, and has to be waited for at the end.
  private(set) var checks: [ManifestCheck] = []
  /// The files of appliances, to be watched while they are read.
  private(set) var watched: [InputFile] = []

  /// The word for standard input.
  static let standardInput = "-"

  /// A disk that is there and not opened yet.
  private struct Candidate {
    let name: String
    /// The path of the appliance that it is in.
    let appliance: String?
    /// Whether the user means it by that word.
    let isCalled: (String) -> Bool
    let open: () throws -> OpenedDisk
    /// What to say of its size.
    var doubt: (UInt64) -> String? = { _ in nil }
  }

  /// What a source is.
  private enum Kind {
    case disk
    case appliance(ApplianceFile)
    case stream(any ByteStream, StreamOrigin)
  }

  /// - Throws: `ReadingError`.
  init(_ sources: [String], _ options: ReadOptions, _ served: ServedSources) throws {
    guard !sources.isEmpty else { throw ReadingError.request("no source", hint: nil) }
    guard sources.count <= SourceFeed.sourceLimit else {
      throw ReadingError.request("more than \(SourceFeed.sourceLimit) sources", hint: nil)
    }
    var candidates: [Candidate] = []
    var later: [(stream: any ByteStream, origin: StreamOrigin)] = []
    for (index, path) in sources.enumerated() {
      let disk = served.disk(index)
      var doubt: String?
      switch try naming(
        source: SourceName(path).shown,
        { disk == nil ? try OpenedSources.kind(path, options, &doubt) : .disk })
      {
      case .disk: candidates.append(OpenedSources.candidate(path, options, disk))
      case .appliance(let file):
        candidates += OpenedSources.candidates(path, file, options)
        take(file, path)
      case .stream(let stream, let origin): later.append((stream, origin))
      }
      if let doubt { warnings.append("\(path): \(doubt)") }
    }
    try refuseUnclear(sources, options, later.count)
    try open(candidates, options, hasStreams: !later.isEmpty)
    let names = StreamNames(
      given: candidates.isEmpty ? options.names : [], taken: Set(disks.map(\.name)))
    streams = later.map { StreamSource($0.stream, $0.origin, options, names) }
  }

  /// Refuses what cannot be known before the streams are read.
  private func refuseUnclear(
    _ sources: [String], _ options: ReadOptions, _ streamCount: Int
  ) throws(ReadingError) {
    guard streamCount > 0, sources.count > 1 else { return }
    if options.disk != nil || !options.names.isEmpty {
      throw .request(
        "names and --disk cannot be told apart with several sources, as one of them is read in order",
        hint: "read that one alone, or save it to a file that is not compressed")
    }
  }

  /// Opens the disks that are wanted.
  private mutating func open(
    _ candidates: [Candidate], _ options: ReadOptions, hasStreams: Bool
  ) throws {
    if candidates.isEmpty { return }
    let names = try VolumeNames.of(
      candidates.map { ($0.name, $0.appliance) }, given: options.names)
    var wanted = Array(zip(candidates, names))
    if let pick = options.disk {
      wanted = zip(candidates, names).enumerated().filter { number, candidate in
        candidate.1 == pick || "\(number)" == pick || candidate.0.isCalled(pick)
      }.map(\.1)
      guard wanted.count == 1 else {
        throw ReadingError.request(
          wanted.isEmpty ? "no disk is called \(pick)" : "several disks are called \(pick)",
          hint: "there are: \(names.joined(separator: ", "))")
      }
    }
    for (candidate, name) in wanted {
      let opened = try candidate.open()
      if let doubt = candidate.doubt(opened.disk.size) { warnings.append(doubt) }
      disks.append((opened, name))
    }
  }

  /// - Parameter doubt: Becomes what the user should know of how it was found.
  private static func kind(
    _ path: String, _ options: ReadOptions, _ doubt: inout String?
  ) throws -> Kind {
    if path == standardInput {
      let input = FileDescriptor.standardInput
      try ArchiveReader.load()
      return .stream(DescriptorStream(input), try StreamOrigin(standardInput: input))
    }
    guard options.format == nil || options.format == ReadOptions.appliance else { return .disk }
    let file = try InputFile(path)
    let head: [UInt8]
    do {
      head = try file.bytes(Int(min(file.size, UInt64(ArchiveMagic.byteCount))), at: 0) ?? []
    } catch is SourceError where options.salvage {
      return .disk
    }
    let kind = ArchiveMagic.kind(head)
    if let kind, options.format == nil {
      // A machine may have written that to a device, or to a file that is its disk.
      let claim = NameClaim(path, isDevice: file.isDevice, option: options.formatOption)
      doubt = try claim.check(kind.word)
    }
    if kind != nil { try ArchiveReader.load() }
    switch kind {
    case .compressed: return .stream(SourceStream(file), StreamOrigin(file))
    case .package:
      guard let appliance = try ApplianceFile(archive: file) else {
        return .stream(SourceStream(file), StreamOrigin(file))
      }
      let disks = try appliance.appliance.picked(nil)
      return disks.allSatisfy(appliance.isPlain)
        ? .appliance(appliance) : .stream(SourceStream(file), StreamOrigin(file))
    case nil where ArchiveMagic.isDescriptor(head, path):
      try ArchiveReader.load()
      return .appliance(try ApplianceFile(descriptor: file, options))
    case nil:
      if options.format == ReadOptions.appliance { throw FormatError("OVA", at: 0, .badMagic) }
      return .disk
    }
  }

  private static func candidate(
    _ path: String, _ options: ReadOptions, _ served: ServedDisk?
  ) -> Candidate {
    let name = SourceName(path)
    return Candidate(
      name: name.volumeName, appliance: nil, isCalled: { _ in false },
      open: {
        try naming(source: name.shown) { try OpenedDisk(path, options, served: served) }
      })
  }

  private static func candidates(
    _ path: String, _ file: ApplianceFile, _ options: ReadOptions
  ) -> [Candidate] {
    file.appliance.disks.map { disk in
      Candidate(
        name: disk.name, appliance: path,
        // Its number is one among all disks of the command line.
        isCalled: { $0 != "\(disk.number)" && disk.isCalled($0) },
        open: { try file.open(disk, options) },
        doubt: { size in Appliance.doubt(disk, size: size).map { "\(path): \($0)" } })
    }
  }

  private mutating func take(_ file: ApplianceFile, _ path: String) {
    for attachment in file.attachments {
      let isTaken = attachments.contains { $0.name == attachment.name }
      let name = isTaken ? VolumeNames.prefixed(attachment.name, path) : attachment.name
      attachments.append(Attachment(name: name, bytes: attachment.bytes))
    }
    warnings += file.warnings.map { "\(path): \($0)" }
    if let check = file.check() { checks.append(check) }
    watched += file.files
  }
}
