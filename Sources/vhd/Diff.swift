internal import ArgumentParser
internal import Blocks
internal import DiskImages
internal import Platform
internal import Reading
internal import ToolSupport
internal import Writing

/// `vhd diff`: what differs between a VHD and another disk becomes a child of that VHD.
struct Diff: Tool {
  static let configuration = CommandConfiguration(
    abstract: "Make a differencing VHD of what changed since another VHD.")

  @Argument(
    help: "The VHD that becomes the parent; it must not change any more.", completion: .file())
  var base: String

  @Argument(
    help: "The disk or image, of the same size, that the child is to read as.", completion: .file())
  var new: String

  @Option(name: .shortAndLong, help: "The file to make.", completion: .file())
  var output: String

  @Flag(help: "Replace the output when it is there already.")
  var force = false

  @Flag(help: "Print what was made, and errors, as JSON.")
  var json = false

  @OptionGroup
  var reading: ReadingArgumentsOfMaker

  @OptionGroup
  var options: OutputOptions

  private struct Report: Encodable {
    let file: String
    let format = VHDImage.name
    let type = VHDFooter.Kind.differencing.name
    let parent: String
    let size: UInt64
    let fileSize: UInt64
  }

  func validate() throws {
    if output == "-" {
      throw ValidationError("-o -: a child must know its place, to tell where its parent is")
    }
  }

  /// What the new state is called in messages.
  private var newName: String { SourceName(new).shown }

  func run() throws {
    _ = try FileEnding.format(of: output, asked: .vhd)
    let destination = try ImageOutput(output, force: force, ImagePlan(.vhd))
    var options = try reading.options(for: [base, new])
    guard !options.salvage, !options.leavesOut else {
      throw Failure(
        .usage,
        "--skip, --exclude and --salvage: what is left out would be taken as changed to zeros")
    }
    let disk = try OnlyDisk(new, options)
    options.format = VHDImage.name
    options.snapshot = nil
    let parent = try OnlyDisk(base, options)
    let status = try destination.status()
    for volume in [parent.volume, disk.volume] where status.map({ volume.isFile($0) }) == true {
      throw Failure(.usage, "\(volume.path): is the output as well")
    }
    guard let image = parent.disk as? VHDImage else {
      throw Failure(.impossible, "\(base): not a VHD")
    }
    guard image.size == disk.disk.size else {
      throw Failure(
        .impossible,
        "\(newName): a disk of \(disk.disk.size) bytes, but \(base) has \(image.size)",
        hint: "a child has the size of its parent: store it whole with vhd convert")
    }
    try write(image, disk.disk, try blocks(image), to: destination) {
      for source in [parent, disk] { try source.finish() }
    }
    if json { try report(image) }
  }

  private func report(_ parent: VHDImage) throws {
    let count = try naming(output) { try Files.status(output)?.size ?? 0 }
    try Console.result(
      json: Report(file: output, parent: base, size: parent.size, fileSize: count))
  }

  private func blocks(_ image: VHDImage) throws(Failure) -> VHDDifferencingBlocks {
    try naming(output) {
      let status = try Files.status(base)
      let footer = VHDFooter(
        .differencing, size: image.size, created: Clock.now(), identifier: try Random.bytes(16))
      let parent = VHDParentReference(
        image.footer, changed: status?.modified ?? Clock.now(),
        path: try RelativePath.from(Files.folder(of: output), to: base))
      return try VHDDifferencingBlocks(
        footer, blockByteCount: image.header?.blockByteCount ?? 2 << 20, parent: parent)
    }
  }

  private func write(
    _ image: VHDImage, _ disk: any BlockSource, _ layout: VHDDifferencingBlocks,
    to destination: ImageOutput, finish: () throws -> Void
  ) throws {
    let progress = Progress("compared", total: disk.size, options)
    defer { progress.finish() }
    let pool = SegmentPool()
    let target = try destination.target(layout) { pool.give($0) }
    let difference = DiskDifference(
      from: NamedSource(image, base), to: NamedSource(disk, newName), pool)
    defer { difference.close() }
    do {
      try destination.writing {
        try difference.write(to: target) { progress.advance($0) }
        try target.finish()
      }
      try finish()
      target.close()
      try destination.commit()
    } catch {
      target.close()
      destination.discard()
      throw error
    }
  }
}

/// The way from one place to another.
enum RelativePath {
  /// - Parameters:
  ///   - folder: Where the way begins; it must be there.
  ///   - path: Where it leads; it must be there.
  static func from(_ folder: String, to path: String) throws -> String {
    guard let start = try Files.realPath(folder) else {
      throw Failure(.failed, "\(folder): no such folder")
    }
    guard let end = try Files.realPath(Files.folder(of: path)) else {
      throw Failure(.failed, "\(path): is not there")
    }
    let first = start.split(separator: "/")
    let second = end.split(separator: "/")
    var common = 0
    while common < min(first.count, second.count), first[common] == second[common] { common += 1 }
    let up = [Substring](repeating: "..", count: first.count - common)
    return (up + second[common...] + [Substring(Files.name(of: path))]).joined(separator: "/")
  }
}

/// A disk whose errors tell its name.
private final class NamedSource: BlockSource {
  private let disk: any BlockSource
  private let name: String

  var size: UInt64 { disk.size }
  var sectorSize: UInt32 { disk.sectorSize }

  init(_ disk: any BlockSource, _ name: String) {
    self.disk = disk
    self.name = name
  }

  func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    do {
      try disk.read(into: &bytes, at: offset)
    } catch {
      throw Failure(name, error)
    }
  }

  func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    do {
      return try disk.nextData(at: offset)
    } catch {
      throw Failure(name, error)
    }
  }
}
