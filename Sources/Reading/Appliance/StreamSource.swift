internal import Appliances
internal import Archives
internal import Blocks
internal import Bytes
internal import Codecs
internal import DiskImages
internal import Platform
internal import Streams

/// What a stream is read from.
struct StreamOrigin {
  /// What it is called in messages.
  let path: String
  /// The file's name; nil for standard input, which has none.
  let name: String?
  /// What it was at first.
  let status: FileStatus
  /// What it is now.
  private let current: () throws -> FileStatus

  init(_ file: InputFile) {
    path = file.path
    name = file.path
    status = file.status
    current = { try file.currentStatus() }
  }

  init(standardInput input: FileDescriptor) throws {
    path = "stdin"
    name = nil
    status = try input.status()
    current = { try input.status() }
  }

  /// Whether a file was written to since it was opened, as far as its times tell.
  func hasChanged() throws -> Bool { try current().hasChanged(since: status) }
}

/// What arrives once, in order: an OVA or an image by a pipe, or out of a compressed file.
final class StreamSource {
  /// What comes next of it.
  enum Arrival {
    case attachment(Attachment)
    case warning(String)
    /// A disk that can be read at any place, as it was saved.
    case disk(OpenedDisk, name: String)
    /// A disk that flows.
    case streamed(StreamedDisk)
  }

  private enum State {
    case start(any ByteStream)
    case archive(ArchiveWalk)
    case ended
  }

  /// What it is called in messages.
  var path: String { origin.path }
  let origin: StreamOrigin
  private let options: ReadOptions
  private let names: StreamNames
  private var state: State
  private var queue: [Arrival] = []

  /// - Parameters:
  ///   - stream: At its first byte.
  ///   - origin: What it is read from.
  ///   - options: How it is read.
  ///   - names: Names its volumes.
  init(
    _ stream: any ByteStream, _ origin: StreamOrigin, _ options: ReadOptions, _ names: StreamNames
  ) {
    self.origin = origin
    self.options = options
    self.names = names
    state = .start(stream)
  }

  /// The next thing; nil when all has come and is as its manifest tells.
  ///
  /// What was given before must be used up: its bytes are gone then.
  func next() throws -> Arrival? {
    while queue.isEmpty {
      switch state {
      case .ended: return nil
      case .start(let stream):
        state = .ended
        try begin(stream)
      case .archive(let walk):
        if let arrivals = try walk.next() { queue = arrivals } else { state = .ended }
      }
    }
    return queue.removeFirst()
  }

  private func begin(_ stream: any ByteStream) throws {
    let looksForArchive = options.format == nil || options.format == ReadOptions.appliance
    var input = try PeekedStream(stream, ArchiveMagic.byteCount)
    if SavedStream.begins(input.head) {
      throw ReadingError.request(
        "\(path): a sealed stream already, not a disk", hint: "send it to the next tool directly")
    }
    var kind = looksForArchive ? ArchiveMagic.kind(input.head) : nil
    var fileName = origin.name
    if kind == .compressed {
      let reader = try ArchiveReader(input, .compressedFile)
      guard try reader.next() != nil else { throw FormatError("archive", at: 0, .truncated) }
      input = try PeekedStream(reader, ArchiveMagic.byteCount)
      kind = ArchiveMagic.kind(input.head)
      fileName = fileName.map { NameClaim.inside($0) }
      guard kind != .compressed else {
        throw FormatError("archive", at: 0, .unsupported("a file compressed more than once"))
      }
    }
    if kind == .package {
      try requireName(fileName, kind)
      state = .archive(ArchiveWalk(input, path, options, names))
      return
    }
    if options.format == ReadOptions.appliance { throw FormatError("OVA", at: 0, .badMagic) }
    try requireKnown(input.head)
    let name = try names.single(path)
    queue = try DiskStream(path, name, named: fileName, options).open(input, input.head)
  }

  /// Refuses an archive in a compressed file whose name says that it holds a disk.
  ///
  /// Of a name that says nothing there is nothing to be told again.
  private func requireName(_ name: String?, _ kind: ArchiveMagic.Kind?) throws(FormatError) {
    guard let name, let kind, options.format == nil else { return }
    _ = try NameClaim(name, option: options.formatOption).check(kind.word)
  }

  /// Refuses bytes of which nobody said that they are a raw disk.
  private func requireKnown(_ head: [UInt8]) throws {
    guard options.format == nil else { return }
    if let other = ForeignMagic.format(of: head) {
      throw ReadingError.unsupported(
        source: path, "looks like \(other), which cannot be read from a pipe", hint: nil)
    }
    guard try DiskFormats.recognize(MemorySource(head)).name == RawImage.name else { return }
    throw ReadingError.request(
      "\(path): not an OVA or an image of a format that is known",
      hint: "--format raw takes the bytes as a raw disk, which is saved first; better name the file"
    )
  }
}

/// Opens the disk in a stream: as it flows where that is possible, else from a spool file.
struct DiskStream {
  private let path: String
  private let name: String
  private let fileName: String?
  private let options: ReadOptions

  /// - Parameters:
  ///   - path: What it is called in messages.
  ///   - name: The volume's name.
  ///   - fileName: What the bytes are called where they come from; nil without a name.
  ///   - options: How it is read.
  init(_ path: String, _ name: String, named fileName: String?, _ options: ReadOptions) {
    self.path = path
    self.name = name
    self.fileName = fileName
    self.options = options
  }

  private var format: String? {
    options.format == ReadOptions.appliance ? nil : options.format
  }

  /// - Parameters:
  ///   - stream: At its first byte.
  ///   - head: How it begins.
  func open(_ stream: any ByteStream, _ head: [UInt8]) throws -> [StreamSource.Arrival] {
    try naming(source: path) {
      var taken: [UInt8] = []
      if format ?? VMDKImage.name == VMDKImage.name, head.starts(with: Array("KDMV".utf8)) {
        let doubt = try doubt()
        if let vmdk = try VMDKStream(stream, head: &taken) {
          if try vmdk.prime() { return flowing(vmdk, doubt) }
          let spool = try options.spool.begin(path)
          let rest = try vmdk.save { try spool.write($0, at: $1) }
          return try saved(spool, stream, from: rest)
        }
      }
      let spool = try options.spool.begin(path)
      try spool.write(taken.span, at: 0)
      return try saved(spool, stream, from: UInt64(taken.count))
    }
  }

  /// What is to be told of a VMDK of that name, when nobody said that it is one.
  private func doubt() throws(FormatError) -> String? {
    guard let fileName, format == nil else { return nil }
    return try NameClaim(fileName, option: nil).check(VMDKImage.name)
  }

  private func flowing(_ vmdk: VMDKStream, _ doubt: String?) -> [StreamSource.Arrival] {
    var arrivals: [StreamSource.Arrival] = doubt.map { [.warning("\(name): \($0)")] } ?? []
    if options.leavesOut {
      arrivals.append(
        .warning(
          "\(name): all of it is read: what a guest put on a disk is not looked at as it arrives"))
    }
    arrivals.append(.streamed(StreamedDisk(vmdk, name: name, path: path)))
    return arrivals
  }

  private func saved(
    _ spool: SpooledDisk, _ stream: any ByteStream, from offset: UInt64
  ) throws -> [StreamSource.Arrival] {
    try spool.append(stream, at: offset)
    let (file, range) = try options.spool.finish(spool)
    let source = WindowSource(file, range)
    let opened = try DiskInside.open(source, of: file, path, named: fileName, options)
    return [.disk(opened, name: name)]
  }
}

/// A disk whose pieces come in order, and only once.
struct StreamedDisk {
  let vmdk: VMDKStream
  let name: String
  let path: String

  init(_ vmdk: VMDKStream, name: String, path: String) {
    self.vmdk = vmdk
    self.name = name
    self.path = path
  }
}

/// Gives names to the volumes of a stream.
final class StreamNames {
  private let given: [String]
  private var taken: Set<String>
  private var attachments: Set<String> = []

  /// - Parameters:
  ///   - given: The user's names, one for each volume, or none.
  ///   - taken: Names of other volumes.
  init(given: [String], taken: Set<String>) {
    self.given = given
    self.taken = taken
  }

  /// The name of the only disk of `path`.
  func single(_ path: String) throws(ReadingError) -> String {
    try all([SourceName.stem(path)], path)[0]
  }

  /// The name of an attachment, which no other one has.
  func attachment(_ name: String, _ path: String) -> String {
    var result = name
    if !attachments.insert(result).inserted {
      result = VolumeNames.prefixed(name, path)
      attachments.insert(result)
    }
    return result
  }

  /// The names of all volumes, which would like to be called `wished`.
  func all(_ wished: [String], _ path: String) throws(ReadingError) -> [String] {
    guard given.isEmpty || given.count == wished.count else {
      throw .request(
        "\(given.count) names for \(wished.count) disks",
        hint: "give one name for each disk, in their order, or none")
    }
    var names = given.isEmpty ? wished : given
    if given.isEmpty, !taken.isDisjoint(with: names) {
      names = names.map { VolumeNames.prefixed($0, path) }
    }
    try VolumeNames.check(names, besides: taken)
    taken.formUnion(names)
    return names
  }
}
