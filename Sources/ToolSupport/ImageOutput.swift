public import Blocks
public import Codecs
public import DiskImages
public import Platform
public import Writing

/// Where the image of one disk goes.
public protocol DiskOutput: AnyObject {
  /// The name for messages.
  var name: String { get }
  /// Whether the image goes to stdout.
  var isStandardOutput: Bool { get }
  /// Makes the target for a disk.
  ///
  /// - Parameters:
  ///   - size: The size that the disk gets, in bytes.
  ///   - sectorSize: Bytes of the source's sectors.
  ///   - recycle: Takes back segments that were written.
  func target(
    _ size: UInt64, sectorSize: UInt32, recycle: @escaping Recycling
  ) throws(Failure) -> any DiskTarget
  /// Runs `body`, which writes the image; an error names the file that could not be written.
  func writing(_ body: () throws -> Void) throws(Failure)
  /// Makes the finished image one that counts.
  func commit() throws(Failure)
  /// Removes what was written so far, as far as it can be.
  func discard()
}

/// Where an image goes: a file that gets its name when it is whole, or stdout.
public final class ImageOutput: DiskOutput {
  /// The name for messages.
  public let name: String
  private let path: String?
  private let force: Bool
  private let plan: ImagePlan
  private var atomic: AtomicFile?
  /// Whether stdout is an empty file, in which any place can be written.
  private var inPlace = false
  /// The folder of the spool file, when there is one.
  private var spoolFolder: String?

  /// - Parameters:
  ///   - path: A file's path, or `-` for stdout.
  ///   - force: Whether a file that is there already may be replaced.
  ///   - plan: How the image is to be.
  /// - Throws: When the output cannot or must not be written.
  public init(_ path: String, force: Bool, _ plan: ImagePlan) throws(Failure) {
    self.force = force
    self.plan = plan
    guard path != "-" else {
      self.path = nil
      name = "stdout"
      try Console.requireBinaryOutput(hint: "name a file with -o, or send it into a pipe")
      return
    }
    self.path = path
    name = path
    guard let status = try naming(path, { try Files.status(path) }) else { return }
    guard status.kind != .directory else {
      throw Failure(.usage, "\(path): is a folder", hint: "name the file to make in it")
    }
    guard status.kind == .regular else {
      throw Failure(
        .usage, "\(path): not a file", hint: "write to stdout, wherever that goes")
    }
    guard force else {
      throw Failure(.usage, "\(path): exists", hint: "--force replaces it")
    }
  }

  public var isStandardOutput: Bool { path == nil }

  /// What is there now under the output's name.
  public func status() throws(Failure) -> FileStatus? {
    try naming(name) {
      guard let path else { return try FileDescriptor.standardOutput.status() }
      return try Files.status(path)
    }
  }

  public func target(
    _ size: UInt64, sectorSize: UInt32, recycle: @escaping Recycling
  ) throws(Failure) -> any DiskTarget {
    try naming(name) {
      let file = path.map { Files.name(of: $0) } ?? "disk.\(plan.format.rawValue)"
      let layout = try plan.layout(size, sectorSize: sectorSize, name: file)
      guard let file = try openFile() else { return try pipeTarget(layout, recycle) }
      return try fileTarget(layout, file, recycle)
    }
  }

  /// Makes the target for a disk whose blocks lie as `layout` says.
  public func target(
    _ layout: any BlockLayout, recycle: @escaping Recycling
  ) throws(Failure) -> any DiskTarget {
    try naming(name) {
      guard let file = try openFile() else { return try pipeTarget(.blocks(layout), recycle) }
      return BlockFile(file, layout, recycle: recycle)
    }
  }

  private func fileTarget(
    _ layout: ImageLayout, _ file: BulkFile, _ recycle: @escaping Recycling
  ) throws -> any DiskTarget {
    switch layout {
    case .straight(let layout): try StraightFile(file, layout, recycle: recycle)
    case .blocks(let layout): BlockFile(file, layout, recycle: recycle)
    case .packed(let layout, _): PackedTarget(RandomOutput(file), layout, recycle: recycle)
    }
  }

  private func pipeTarget(
    _ layout: ImageLayout, _ recycle: @escaping Recycling
  ) throws -> any DiskTarget {
    let output = FileDescriptor.standardOutput
    switch layout {
    case .straight(let layout): return try StraightPipe(output, layout, recycle: recycle)
    case .packed(let layout, isOrdered: true):
      return PackedTarget(OrderedOutput(output), layout, recycle: recycle)
    case .blocks, .packed:
      let spool = try openSpool()
      let image = try fileTarget(layout, BulkFile(spool, isCached: true), recycle)
      return SpooledTarget(output, spool: spool, image)
    }
  }

  private func openSpool() throws(Failure) -> FileDescriptor {
    let folder = SpoolFile.folder(plan.spool)
    spoolFolder = folder
    return try naming("spool file in \(folder)") { try SpoolFile.open(in: folder) }
  }

  /// Makes an OVA of several disks.
  ///
  /// - Parameters:
  ///   - name: The machine's name.
  ///   - disks: What is known of the disks.
  ///   - kind: Of the manifest's digests.
  public func archive(
    _ name: String, _ disks: [VolumeHeader], _ kind: MessageDigest.Kind
  ) throws(Failure) -> OVAOutput {
    try naming(self.name) {
      let sizes = disks.map { plan.size(for: $0) }
      for size in sizes { try plan.requirePossible(size) }
      let file = try openFile()
      let spool = file == nil ? try openSpool() : nil
      let target = RandomOutput(file ?? BulkFile(spool ?? .standardOutput, isCached: true))
      let archive = try OVAFile(target, name: name, sizes: sizes, kind, changed: Clock.now())
      return OVAOutput(archive, to: self, spool: spool)
    }
  }

  /// The file in which any place can be written; nil for a pipe.
  private func openFile() throws -> BulkFile? {
    guard let path else {
      inPlace = try canWriteInPlace(.standardOutput)
      if inPlace { try FileDescriptor.standardOutput.emptyOnDeath() }
      // The open file is the shell's as well, which may go on writing to it in its own way.
      return inPlace ? BulkFile(.standardOutput, isCached: true) : nil
    }
    let atomic = try OutputFile.open(path, isForced: force)
    self.atomic = atomic
    return BulkFile(atomic.file)
  }

  /// Whether `file` is an empty file that takes bytes where they are meant to go.
  ///
  /// A shell's `>>` opens it so that all bytes go to the end, whatever place is given.
  private func canWriteInPlace(_ file: FileDescriptor) throws -> Bool {
    let status = try file.status()
    guard status.kind == .regular, status.size == 0 else { return false }
    try file.write([0].span, at: 4096)
    let obeyed = try file.status().size == 4097
    try file.truncate(to: 0)
    return obeyed
  }

  public func writing(_ body: () throws -> Void) throws(Failure) {
    do {
      try body()
    } catch {
      guard let spoolFolder, let error = error as? SystemError,
        try naming(name, { try isOfSpool(error) })
      else { throw Failure(name, error) }
      throw Failure(
        .failed, "spool file in \(spoolFolder): \(error)",
        hint: "--spool names another folder, with room for the image")
    }
  }

  /// A pipe can only be closed; all other trouble is the spool file's.
  private func isOfSpool(_ error: SystemError) throws -> Bool {
    try FileDescriptor.standardOutput.status().kind == .pipe && !error.isClosedPipe
  }

  /// Gives the finished image its name.
  public func commit() throws(Failure) {
    guard let atomic else {
      if inPlace { FileDescriptor.keepOnDeath() }
      return
    }
    try naming(name) { try atomic.commit(replacing: force) }
    self.atomic = nil
  }

  public func discard() {
    atomic?.discard()
    atomic = nil
    // A file of stdout's has its name already; at least it must not look like an image.
    if inPlace { do { try FileDescriptor.standardOutput.truncate(to: 0) } catch {} }
  }
}
