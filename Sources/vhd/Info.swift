internal import ArgumentParser
internal import Blocks
internal import Bytes
internal import DiskImages
internal import Platform
internal import Reading
internal import ToolSupport

/// `vhd info`: what an image says of itself.
struct Info: Tool {
  static let configuration = CommandConfiguration(abstract: "Describe a VHD.")

  @Argument(help: "The image.", completion: .file())
  var file: String

  @Flag(help: "Print one JSON object, and errors as JSON.")
  var json = false

  func run() throws {
    let report = try naming(file) { try ImageReport(file) }
    if json { try Console.result(json: report) } else { try Console.result(report.text) }
  }
}

/// What there is to say about an image.
struct ImageReport: Encodable {
  let file: String
  let format: String
  let type: String
  let size: UInt64
  let fileSize: UInt64
  let creator: String?
  let created: String?
  let identifier: String?
  let geometry: String?
  let geometrySize: UInt64?
  let blockSize: UInt32?
  let blocks: Int?
  let allocatedBlocks: Int?

  init(_ path: String) throws {
    let source = try InputFile(path)
    file = path
    fileSize = source.size
    let image = try DiskFormats.open(source)
    format = Swift.type(of: image).name
    size = image.size
    let vhd = image as? VHDImage
    let footer = vhd?.footer
    type = vhd?.kind.name ?? format
    creator = footer.map { footer in
      let version = footer.creatorVersion
      return "\(VHDFooter.text(footer.creator)) \(version >> 16).\(version & 0xffff)"
    }
    created = footer.map { Clock.text($0.created) }
    identifier = footer.map { ImageReport.identifier($0.identifier) }
    geometry = footer.map { "\($0.geometry)" }
    geometrySize = footer.map { $0.geometry.byteCount }
    blockSize = vhd?.header?.blockByteCount
    blocks = vhd?.header == nil ? nil : vhd?.blockCount
    allocatedBlocks = vhd?.header == nil ? nil : vhd?.allocatedBlockCount
  }

  /// The bytes in the order in which they are kept, grouped as usual.
  private static func identifier(_ bytes: [UInt8]) -> String {
    let text = Array(Hex.text(bytes))
    return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(text[$0]) }
      .joined(separator: "-")
  }

  var text: String {
    var lines = [
      "file: \(file)",
      "type: \(type)",
      "size: \(size) bytes (\(ByteSize.text(size)))",
      "file size: \(fileSize) bytes",
    ]
    if let creator { lines.append("creator: \(creator)") }
    if let created { lines.append("created: \(created)") }
    if let identifier { lines.append("identifier: \(identifier)") }
    if let geometry, let geometrySize {
      lines.append("geometry: \(geometry) (\(geometrySize) bytes)")
    }
    if let blockSize, let blocks, let allocatedBlocks {
      lines.append(
        "blocks: \(allocatedBlocks) of \(blocks), \(ByteSize.text(UInt64(blockSize))) each")
    }
    return lines.joined(separator: "\n")
  }
}
