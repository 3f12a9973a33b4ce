import Blocks
import Bytes
import Platform

@testable import GuestLayouts

/// File systems of other programs with a few bytes changed.
///
///     1 byte    which image
///     11 bytes, again and again: which of its sectors of any interest, 2; the place in it, 1, in
///               pieces of two bytes; how many bytes, 1, from 1 to 8; they, 7 (the last one twice)
///
/// Seeds are no changes and some; images are the files in the folder VPIPE_FUZZ_IMAGES whose names
/// end in the file system's.
struct GuestTarget: FuzzTarget {
  let layout: any GuestLayout.Type
  /// Makes checksums and copies fit after a change.
  var mend: @Sendable (inout [UInt8]) -> Void = { _ in }

  private static let sector = 512
  private static let imageLimit = 16 << 20
  private static let images = Images()

  /// An image, and the sectors of it that are not all of one byte.
  struct Image {
    let bytes: [UInt8]
    let sectors: [Int]
  }

  /// Read once for all runs: the fuzzer has one thread, and one target.
  private final class Images: @unchecked Sendable {
    private var loaded: [Image]?

    func all(_ ending: String) throws -> [Image] {
      if let loaded { return loaded }
      guard let folder = Environment.value("VPIPE_FUZZ_IMAGES") else { return [] }
      let names = try Files.names(in: folder).sorted().filter { $0.hasSuffix("." + ending) }
      let images = try names.compactMap { name -> Image? in
        let content = try Files.contents("\(folder)/\(name)", limit: GuestTarget.imageLimit)
        guard let bytes = content else { return nil }
        let sectors = (0..<bytes.count / GuestTarget.sector).filter { number in
          let start = number * GuestTarget.sector
          return bytes[start..<start + GuestTarget.sector].contains { $0 != bytes[start] }
        }
        return sectors.isEmpty ? nil : Image(bytes: bytes, sectors: sectors)
      }
      loaded = images
      return images
    }
  }

  func mended(_ input: [UInt8]) -> [UInt8] { [0xFF] + input }

  func run(_ input: [UInt8]) throws {
    // `mended` has left a mark instead: it does not know the image.
    let isMended = input.first == 0xFF
    let input = isMended ? Array(input.dropFirst()) : input
    let images = try Self.images.all(layout.name.lowercased())
    guard !images.isEmpty, let first = input.first else { return }
    let image = images[Int(first) % images.count]
    var bytes = image.bytes
    for start in stride(from: 1, to: input.count - 10, by: 11) {
      let sector = image.sectors[Int(input.little(start, 2)) % image.sectors.count]
      let place = sector * Self.sector + Int(input[start + 2]) * 2
      let count = min(Int(input[start + 3] & 7) + 1, bytes.count - place)
      for index in 0..<count { bytes[place + index] = input[start + 4 + min(index, 6)] }
    }
    if isMended { mend(&bytes) }
    try walk(MemorySource(bytes))
  }

  /// Everything that a backup asks for.
  private func walk(_ source: MemorySource) throws {
    guard let system = try layout.find(in: GuestArea(source)).first?.fileSystem else { return }
    try Fuzz.require(system.byteCount <= source.size, "\(system.byteCount) of \(source.size)")
    _ = system.fileDoubt
    _ = system.usedByteCount
    do {
      var end: UInt64 = 0
      for range in try system.freeSpace().extents.ranges {
        try Fuzz.require(
          range.lowerBound >= end && range.upperBound <= system.byteCount,
          "free: \(range) behind \(end) of \(system.byteCount)")
        end = range.upperBound
      }
    } catch is GuestDoubt {} catch is FormatError {}
    do {
      guard let tree = try system.files() else { return }
      var left = 300
      try walk(tree, tree.root, depth: 0, &left, source.size)
    } catch is GuestDoubt {} catch is FormatError {}
  }

  private func walk(
    _ tree: any FileTree, _ id: UInt64, depth: Int, _ left: inout Int, _ size: UInt64
  ) throws {
    guard depth < 6, left > 0 else { return }
    left -= 1
    var ids: [UInt64] = []
    do {
      let file = try tree.file(id)
      if file.kind == .directory {
        try tree.forEachEntry(of: file) {
          ids.append($0.id)
          return ids.count < 100
        }
      }
      for part in 0..<4 { try look(part, at: file, in: tree, size) }
    } catch is GuestDoubt {} catch is FormatError {}
    for id in ids { try walk(tree, id, depth: depth + 1, &left, size) }
  }

  private func look(_ part: Int, at file: GuestFile, in tree: any FileTree, _ size: UInt64) throws {
    do {
      switch part {
      case 0:
        for extent in try tree.extents(of: file) {
          try Fuzz.require(extent.range.upperBound <= size, "\(extent) of \(size)")
        }
      case 1: _ = try tree.target(of: file)
      case 2: _ = try tree.attributes(of: file)
      default:
        let content = try tree.content(of: file)
        let count = min(content.size, 70_000)
        _ = try content.bytes(Int(count), at: 0)
        _ = try content.bytes(Int(count), at: content.size - count)
        _ = try content.nextData(at: content.size / 2)
      }
    } catch is GuestDoubt {} catch is FormatError {}
  }

  func samples() throws -> [[UInt8]] {
    let count = try Self.images.all(layout.name.lowercased()).count
    return (0..<count).flatMap { image in
      let number = UInt8(image)
      return [[number], [number] + (0..<44).map { UInt8($0 * 5) }]
    }
  }

  /// NTFS: the copies of the first four records.
  static let ntfs = GuestTarget(layout: NTFS.self) { bytes in
    let cluster = Int(bytes.little(11, 2)) * Int(bytes.little(13, 1))
    let table = Int(truncatingIfNeeded: bytes.little(48, 8)).multipliedReportingOverflow(
      by: cluster)
    let mirror = Int(truncatingIfNeeded: bytes.little(56, 8)).multipliedReportingOverflow(
      by: cluster)
    guard !table.overflow, !mirror.overflow, table.partialValue >= 0, mirror.partialValue >= 0,
      table.partialValue < bytes.count - 4096, mirror.partialValue < bytes.count - 4096
    else { return }
    let records = Array(bytes[table.partialValue..<table.partialValue + 4096])
    bytes.replaceSubrange(mirror.partialValue..<mirror.partialValue + 4096, with: records)
  }
}
