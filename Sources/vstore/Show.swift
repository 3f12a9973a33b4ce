internal import ArgumentParser
internal import Bytes
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

  @Flag(help: "The point as a JSON object.")
  var json = false

  private struct Report: Encodable {
    let messageType = "point"
    let id: String
    let point: RecoveryPoint
  }

  func run() throws {
    let repository = try repository.open()
    let stored = try naming(repository.location) { try repository.resolve(point) }
    if json {
      try Console.result(json: Report(id: "\(stored.name.id)", point: stored.point))
      return
    }
    try Console.result(text(stored))
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
