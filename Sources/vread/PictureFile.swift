internal import Blocks
internal import GuestLayouts
internal import Platform
internal import Reading
internal import ToolSupport

/// The file of `--picture`: one picture below the other for each disk.
final class PictureFile {
  private let path: String
  private let file: FileDescriptor
  private var pictures: [DiskPicture] = []

  /// Makes the file, empty, so that it can be written when nothing can be made any more.
  init(_ path: String) throws(Failure) {
    self.path = path
    do {
      file = try FileDescriptor(path, .create)
    } catch {
      if error.exists { throw Failure(.usage, "\(path): exists", hint: "remove it first") }
      throw Failure(path, error)
    }
  }

  /// Begins the picture of a volume; they come in their order.
  func begin(_ header: VolumeHeader, _ guest: GuestDisk?) {
    let partitions = guest?.layout.table?.partitions ?? []
    let parts = partitions.filter { !$0.isContainer }.map { partition in
      let contents = partition.contents.map { finding in
        finding.kind + (finding.label.map { " \($0)" } ?? "")
      }
      let title = contents.isEmpty ? partition.type : contents.joined(separator: " or ")
      return DiskPicture.Part(partition.range, "\(partition.number): \(title)")
    }
    let whole = (guest?.layout.contents ?? []).map {
      DiskPicture.Part(0..<header.size, $0.kind + ($0.label.map { " \($0)" } ?? ""))
    }
    pictures.append(DiskPicture(header.name, size: header.size, parts: parts + whole.prefix(1)))
  }

  func add(_ range: Range<UInt64>, _ kind: HoleKind?, ofVolume number: Int) {
    pictures[number].add(range, kind)
  }

  func add(_ segment: Segment) { pictures[Int(segment.volume)].add(segment) }

  func write() throws(Failure) {
    try naming(path) {
      try file.write(Array(DiskPicture.svg(pictures).utf8).span)
      try file.sync()
    }
  }
}
