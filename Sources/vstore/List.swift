internal import ArgumentParser
internal import Bytes
internal import Repositories
internal import ToolSupport

/// Lists points.
struct List: Tool {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List recovery points, oldest first.")

  @Argument(help: "Only points of this machine.")
  var name: String?

  @OptionGroup
  var repository: RepositoryArguments

  @Flag(help: "One JSON object a point.")
  var json = false

  private struct Report: Encodable {
    let messageType = "point"
    let id: String
    let sequence: UInt64
    let name: String
    let time: String
    let host: String
    let complete: Bool
    let bytes: UInt64
    let addedBytes: UInt64
    let volumes: [String]
  }

  func run() throws {
    let repository = try repository.open()
    let (points, unreadable) = try naming(repository.location) { try repository.points() }
    for point in unreadable { Console.warn(point.trouble) }
    let wanted = points.filter { name == nil || $0.point.name == name }
    if wanted.isEmpty, unreadable.isEmpty, let name {
      throw Failure(
        .notFound, "\(repository.location): no point is called \(name)",
        hint: "vstore list shows the points")
    }
    if json {
      for stored in wanted { try Console.result(json: report(stored)) }
    } else if !wanted.isEmpty {
      try Console.result(table(wanted))
    }
    if !unreadable.isEmpty { leave(.damaged) }
  }

  private func report(_ stored: Repository.StoredPoint) -> Report {
    let point = stored.point
    return Report(
      id: "\(stored.name.id)", sequence: stored.name.sequence, name: point.name, time: point.time,
      host: point.host, complete: point.complete,
      bytes: point.volumes.reduce(0) { $0 + $1.size }, addedBytes: point.addedBytes,
      volumes: point.volumes.map(\.name))
  }

  private func table(_ points: [Repository.StoredPoint]) -> String {
    var rows = [["ID", "TIME", "NAME", "SIZE", "ADDED", "VOLUMES"]]
    for stored in points {
      let point = stored.point
      rows.append([
        String("\(stored.name.id)".prefix(12)), point.time, point.name,
        ByteSize.text(point.volumes.reduce(0) { $0 + $1.size }), ByteSize.text(point.addedBytes),
        point.volumes.map(\.name).joined(separator: " ") + (point.complete ? "" : " (incomplete)"),
      ])
    }
    return Table.text(rows)
  }
}
