internal import ArgumentParser
internal import Blocks
internal import Bytes
internal import GuestLayouts
internal import Repositories
internal import ToolSupport

/// Shows one point.
struct Show: Tool {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show what is known of one recovery point.")

  @Argument(help: "NAME (its newest), NAME~2 (two before), an id or the start of one.")
  var point: String

  @OptionGroup
  var repository: RepositoryArguments

  @Flag(help: "Show every range that holds no data, its kind, and the guest's file it is from.")
  var holes = false

  @Option(
    help: ArgumentHelp(
      "Draw the disks into this file (SVG), coloured by what their bytes are.", valueName: "file"),
    completion: .file(extensions: ["svg"]))
  var picture: String?

  @Flag(help: "The point as a JSON object; with --holes one object in each line.")
  var json = false

  private struct Report: Encodable {
    let messageType = "point"
    let id: String
    let point: RecoveryPoint
  }

  func run() throws {
    let repository = try repository.open()
    let stored = try naming(repository.location) { try repository.resolve(point) }
    if let picture { try draw(PictureFile(picture), repository, stored) }
    if holes { return try showHoles(repository, stored) }
    if json {
      try Console.result(json: Report(id: "\(stored.name.id)", point: stored.point))
      return
    }
    try Console.result(text(stored))
  }

  private struct Hole: Encodable {
    let messageType = "hole"
    let volume: String
    let offset: UInt64
    let length: UInt64
    let kind: String
    let file: String?
  }

  private func draw(
    _ picture: PictureFile, _ repository: Repository, _ stored: Repository.StoredPoint
  ) throws {
    try naming(repository.location) {
      let volumes = try repository.openVolumes(of: stored)
      let machine = MachineLayout(of: volumes)
      if let trouble = volumes.lazy.compactMap(\.trouble).first { throw trouble }
      let holes = try PointHoles(repository, stored)
      for (number, volume) in stored.point.volumes.enumerated() {
        picture.begin(volume.name, size: volume.size, machine.disks[number], machine.volumes)
        try holes.forEachRange(ofVolume: number) { range, kind in
          picture.add(range, kind, ofVolume: number)
        }
      }
    }
    try picture.write()
  }

  private func showHoles(
    _ repository: Repository, _ stored: Repository.StoredPoint
  ) throws {
    try naming(repository.location) {
      let holes = try PointHoles(repository, stored)
      for (number, volume) in stored.point.volumes.enumerated() {
        let files = try holes.skippedFiles(ofVolume: number)
        try holes.forEachRange(ofVolume: number) { range, kind in
          guard let kind else { return }
          let isOfFiles = kind == .excluded || kind == .swap
          for (part, file) in isOfFiles ? files.parts(of: range) : [(range, nil)] {
            try tell(part, kind, volume.name, file)
          }
        }
      }
    }
  }

  private func tell(
    _ range: Range<UInt64>, _ kind: HoleKind, _ volume: String, _ file: String?
  ) throws(Failure) {
    let length = range.upperBound - range.lowerBound
    if json {
      try Console.result(
        json: Hole(
          volume: volume, offset: range.lowerBound, length: length, kind: kind.name, file: file))
    } else {
      // As attachments of streams have it, with the volume's name before.
      let path = file.map { " " + $0 } ?? ""
      try Console.result("\(volume) \(kind.name) \(range.lowerBound) \(length)\(path)")
    }
  }

  private func text(_ stored: Repository.StoredPoint) -> String {
    let point = stored.point
    var lines = [
      "id:       \(stored.name.id)", "name:     \(point.name)", "time:     \(point.time)",
      "host:     \(point.host)", "tool:     \(point.tool)",
      "complete: \(point.complete ? "yes" : "no")",
      "added:    \(ByteSize.text(point.addedBytes)) in \(point.addedChunks) chunks",
    ]
    for volume in point.volumes {
      lines.append("volume:   \(volume.name), \(volume.size) bytes (\(ByteSize.text(volume.size)))")
      for (kind, bytes) in volume.bytes.sorted(by: { $0.key < $1.key }) {
        lines.append("          \(kind): \(ByteSize.text(bytes))")
      }
    }
    for attachment in point.attachments {
      lines.append("attached: \(attachment.name), \(attachment.size) bytes")
    }
    for text in point.warnings { lines.append("warning:  \(text)") }
    for text in point.missing { lines.append("missing:  \(text)") }
    return lines.joined(separator: "\n")
  }
}
