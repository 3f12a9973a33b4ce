public import Blocks

/// A file of which the content is left out.
public struct SkippedFile: Sendable {
  /// Its path in the guest, with the folder in which its file system is mounted.
  public let path: String
  /// The index of its volume in the machine's layout, and its id there.
  public let volume: Int
  public let id: UInt64
  /// `swap` or `excluded`.
  public let kind: HoleKind
  /// What of the disks it takes.
  public let places: [(disk: Int, range: Range<UInt64>)]
}

/// The files of which the content is left out, volume by volume: each is put together when it is
/// asked for, as there may be very many.
public struct SkippedFiles: Sequence, Sendable {
  /// Those of one volume.
  private struct Part {
    let volume: Int
    let placement: Placement
    /// The path of the folder that it is mounted in.
    let folder: [UInt8]
    let files: ClaimedFiles
  }

  private var parts: [Part] = []

  init() {}

  public var count: Int { parts.reduce(0) { $0 + $1.files.count } }

  mutating func add(
    _ files: ClaimedFiles, of volume: GuestVolume, number: Int, in folder: [[UInt8]]
  ) {
    let path = folder.flatMap { [UInt8(ascii: "/")] + $0 }
    parts.append(Part(volume: number, placement: volume.placement, folder: path, files: files))
  }

  public func makeIterator() -> some IteratorProtocol<SkippedFile> {
    parts.lazy.flatMap { part in
      (0..<part.files.count).lazy.map { SkippedFiles.file($0, of: part) }
    }.makeIterator()
  }

  private static func file(_ index: Int, of part: Part) -> SkippedFile {
    var places: [(disk: Int, range: Range<UInt64>)] = []
    for range in part.files.ranges(index) {
      part.placement.forEachPlace(of: range) { places.append(($0, $1)) }
    }
    return SkippedFile(
      path: GuestText.path(part.folder + part.files.path(index)), volume: part.volume,
      id: part.files.id(index), kind: part.files.kind(index), places: places)
  }
}
