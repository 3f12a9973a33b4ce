internal import ArgumentParser
internal import Blocks
internal import Bytes
internal import DiskImages
internal import Platform
internal import Reading
internal import ToolSupport

/// `vhd info`: what an image says of itself.
struct Info: Tool {
  static let configuration = CommandConfiguration(
    abstract: "Describe an image of any format.",
    discussion: "Only the image itself is looked at, not what it refers to.")

  @Argument(help: "The image.", completion: .file())
  var file: String

  @Option(
    help: ArgumentHelp(
      "The format that the image is in, instead of looking for it.", valueName: "format"),
    completion: .list(ReadOptions.formats))
  var format: String?

  @Flag(help: "Print one JSON object, and errors as JSON.")
  var json = false

  func validate() throws {
    if let format, DiskFormats.named(format) == nil {
      throw ValidationError("--format: '\(format)' is not known")
    }
  }

  func run() throws {
    let report = try naming(file) { try ImageReport(file, format: format) }
    if json { try Console.result(json: report) } else { try Console.result(report.text) }
  }
}

/// What there is to say about an image.
struct ImageReport: Encodable {
  /// An earlier state of the disk that the image keeps.
  struct Snapshot: Encodable {
    let id: String
    let name: String
    let size: UInt64
  }

  let file: String
  let format: String
  let version: String?
  let type: String
  let size: UInt64
  let fileSize: UInt64
  let sectorSize: UInt32
  let physicalSectorSize: UInt32?
  let creator: String?
  let created: String?
  let identifier: String?
  let state: String?
  let geometry: String?
  let geometrySize: UInt64?
  let blockSize: UInt64?
  let blocks: UInt64?
  let allocatedBlocks: UInt64?
  let compression: String?
  let log: String?
  let snapshots: [Snapshot]?
  let parents: [String]?
  let parentFormat: String?
  let parentIdentifier: String?
  let files: [String]?

  /// - Parameter name: The format to take the file for; nil looks for magics.
  init(_ path: String, format name: String? = nil) throws {
    let source = try InputFile(path)
    file = path
    fileSize = source.size
    let known = try name.flatMap { DiskFormats.named($0) } ?? ImageReport.recognized(source)
    let image = try known.describe(source)
    format = known.name
    type = image.type
    size = image.size
    sectorSize = image.sectorSize
    physicalSectorSize = image.physicalSectorSize
    creator = image.creator
    created = image.created.map { Clock.text($0) }
    identifier = image.identifier
    state = image.state
    geometry = image.geometry?.text
    geometrySize = image.geometry?.byteCount
    blockSize = image.blockByteCount
    blocks = image.blockCount
    allocatedBlocks = image.allocatedBlockCount
    log = image.log
    version = image.version
    compression = image.compression
    let kept = image.snapshots.map { Snapshot(id: $0.identifier, name: $0.name, size: $0.size) }
    snapshots = kept.isEmpty ? nil : kept
    parentFormat = image.parentFormat
    parents = image.parents.isEmpty ? nil : image.parents
    parentIdentifier = image.parentIdentifier
    files = image.files.isEmpty ? nil : image.files
  }

  /// The format by the file's content, which its name must not deny.
  private static func recognized(_ source: InputFile) throws -> any DiskFormat.Type {
    let (format, doubt) = try Recognition.image(source, option: "--format")
    if let doubt { Console.warn("\(source.path): \(doubt)") }
    return format
  }

  var text: String {
    var lines = [
      "file: \(file)", "format: \(format)\(version.map { ", version \($0)" } ?? "")",
      "type: \(type)",
      "size: \(size) bytes (\(ByteSize.text(size)))", "file size: \(fileSize) bytes",
    ]
    func add(_ name: String, _ value: Any?) {
      if let value { lines.append("\(name): \(value)") }
    }
    if let physicalSectorSize {
      lines.append("sectors: \(sectorSize) bytes, physical \(physicalSectorSize) bytes")
    }
    add("creator", creator)
    add("created", created)
    add("identifier", identifier)
    add("state", state)
    if let geometry, let geometrySize {
      lines.append("geometry: \(geometry) (\(geometrySize) bytes)")
    }
    if let blockSize, let blocks, let allocatedBlocks {
      lines.append("blocks: \(allocatedBlocks) of \(blocks), \(ByteSize.text(blockSize)) each")
    }
    add("log", log)
    add("compression", compression)
    for snapshot in snapshots ?? [] {
      lines.append(
        "snapshot: \(snapshot.id) \(snapshot.name) (\(ByteSize.text(snapshot.size)))")
    }
    for parent in parents ?? [] { lines.append("parent: \(parent)") }
    add("parent format", parentFormat)
    add("parent identifier", parentIdentifier)
    for file in files ?? [] { lines.append("data in: \(file)") }
    return lines.joined(separator: "\n")
  }
}
