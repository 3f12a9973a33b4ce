public import Blocks
public import GuestLayouts
internal import Platform

/// The file of `--picture`: one picture below the other for each disk.
public final class PictureFile {
  private let path: String
  private let file: FileDescriptor
  private var pictures: [DiskPicture] = []

  /// Makes the file, empty, so that it can be written when nothing can be made any more.
  public init(_ path: String) throws(Failure) {
    guard path != "-" else {
      throw Failure(.usage, "--picture -: a picture goes into a file", hint: "name one, x.svg")
    }
    self.path = path
    do {
      file = try FileDescriptor(path, .create)
    } catch {
      if error.exists { throw Failure(.usage, "\(path): exists", hint: "remove it first") }
      throw Failure(path, error)
    }
  }

  /// Begins the picture of a disk; they come in their order.
  ///
  /// - Parameters:
  ///   - name: What the disk is called.
  ///   - size: Its bytes.
  ///   - layout: What a guest put on it, if anybody looked.
  ///   - volumes: Those of all disks of its machine; the logical ones that it has a part of are drawn.
  public func begin(
    _ name: String, size: UInt64, _ layout: DiskLayout?, _ volumes: [GuestVolume]
  ) {
    let partitions = layout?.table?.partitions ?? []
    let parts = partitions.filter { !$0.isContainer }.map { partition in
      let contents = partition.contents.map { finding in
        finding.kind + (finding.label.map { " \($0)" } ?? "")
      }
      let title = contents.isEmpty ? partition.type : contents.joined(separator: " or ")
      return DiskPicture.Part(partition.range, "\(partition.number): \(title)")
    }
    let whole = (layout?.contents ?? []).map {
      DiskPicture.Part(0..<size, $0.kind + ($0.label.map { " \($0)" } ?? ""))
    }
    let number = pictures.count
    let logical = volumes.flatMap { volume -> [DiskPicture.Part] in
      guard let name = volume.logicalName else { return [] }
      let contents = volume.contents.map(\.kind).joined(separator: " or ")
      let title = "\(name.group)/\(name.volume)" + (contents.isEmpty ? "" : ": \(contents)")
      return volume.placement.ranges(onDisk: number).map { DiskPicture.Part($0, title) }
    }
    pictures.append(
      DiskPicture(name, size: size, parts: parts + whole.prefix(1), logicalVolumes: logical))
  }

  /// Counts a range of a disk as a kind of hole, or as data.
  public func add(_ range: Range<UInt64>, _ kind: HoleKind?, ofVolume number: Int) {
    pictures[number].add(range, kind)
  }

  /// Counts a loaded segment.
  public func add(_ segment: Segment) { pictures[Int(segment.volume)].add(segment) }

  /// Draws what was counted.
  public func write() throws(Failure) {
    try naming(path) {
      try file.write(Array(DiskPicture.svg(pictures).utf8).span)
      try file.sync()
    }
  }
}
