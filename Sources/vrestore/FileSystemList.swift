internal import Bytes
internal import GuestLayouts
internal import Repositories
internal import ToolSupport

/// The disks, partitions, logical volumes and file systems of a point.
struct FileSystemList {
  private struct Row: Encodable {
    let messageType = "file_system"
    let volume: String?
    let partition: Int?
    let logicalVolume: String?
    let size: UInt64
    let used: UInt64?
    let kind: String?
    let label: String?
    let uuid: String?
    let note: String?
    let mountPoint: String?
    /// Whether its files can be listed and restored.
    let readable: Bool
    let doubt: String?
  }

  private let rows: [(title: String, row: Row)]
  private let json: Bool

  init(_ point: PointFiles, json: Bool) {
    self.json = json
    rows = point.layout.volumes.enumerated().compactMap { index, volume in
      guard point.isChosen(volume) else { return nil }
      let files = point.files.fileSystem(ofVolume: index)
      let kind = volume.contents.map(\.kind).joined(separator: " or ")
      return (
        point.title(volume),
        Row(
          volume: volume.logicalName == nil ? volume.disk.map { point.volumes[$0].name } : nil,
          partition: volume.partition?.number,
          logicalVolume: volume.logicalName.map { "\($0.group)/\($0.volume)" },
          size: volume.placement.byteCount,
          used: volume.finding?.fileSystem?.usedByteCount, kind: kind.isEmpty ? nil : kind,
          label: volume.finding?.label, uuid: volume.finding?.uuid, note: volume.finding?.note,
          mountPoint: point.files.mountPoint(ofVolume: index).map { names in
            "/" + names.map { GuestText.path($0) }.joined(separator: "/")
          },
          readable: files != nil, doubt: files?.doubt)
      )
    }
  }

  func show() throws {
    if json {
      for (_, row) in rows { try Console.result(json: row) }
      return
    }
    var table = [["", "size", "used", "mounted at", "files", "content"]]
    for (title, row) in rows {
      var content = row.kind ?? ""
      if let label = row.label { content += " \"\(label)\"" }
      if let uuid = row.uuid { content += " \(uuid)" }
      if let note = row.note ?? row.doubt { content += " (\(note))" }
      table.append([
        title, ByteSize.text(row.size), row.used.map { ByteSize.text($0) } ?? "",
        row.mountPoint ?? "", row.readable ? "yes" : "no", content,
      ])
    }
    try Console.result(Table.text(table))
  }
}
