public import Blocks
internal import Bytes
internal import Codecs
internal import Platform

/// A qcow2 image, read as the disk inside it: deflate and zstd clusters, zero clusters, subclusters.
///
/// QEMU, docs/interop/qcow2.txt. What an image of its own cannot tell (backing files, data files) and
/// encryption are refused by name.
public final class QCOW2Image: DiskFormat {
  public static let name = "qcow2"

  private let header: QCOW2Header
  private let disk: MappedDisk

  public var size: UInt64 { header.size }
  public var sectorSize: UInt32 { 512 }

  public static func recognizes(_ source: any BlockSource) throws -> Bool {
    try source.bytes(4, at: 0) == QCOW2Header.magic
  }

  public init(opening source: any BlockSource) throws {
    header = try QCOW2Header(of: source)
    disk = MappedDisk(source, QCOW2Map(of: source, header))
  }

  public func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    try disk.read(into: &bytes, at: offset)
  }

  public func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    try disk.nextData(at: offset)
  }
}

/// The two levels of tables of a qcow2 image; its blocks are clusters, or subclusters.
struct QCOW2Map: BlockMap {
  /// Bits 9 to 55 of an entry: a place in the file.
  private static let placeMask: UInt64 = 0x00FF_FFFF_FFFF_FE00
  private static let isCompressed: UInt64 = 1 << 62
  private static let isZero: UInt64 = 1

  private let file: any BlockSource
  private let header: QCOW2Header
  private let first: PagedTable
  private let second: PagedTable
  private let inflaters = Pool { Inflater() }
  private let decompressors = Pool { ZstdDecompressor() }

  let blockByteCount: UInt64
  var size: UInt64 { header.size }
  /// Blocks of a cluster.
  private let share: UInt64

  init(of file: any BlockSource, _ header: QCOW2Header) {
    self.file = file
    self.header = header
    share = header.hasSubclusters ? 32 : 1
    blockByteCount = header.clusterByteCount / share
    first = PagedTable(file, of: "qcow2 level 1 table", .big)
    second = PagedTable(file, of: "qcow2 level 2 table", .big)
  }

  /// Where the level 2 table lies that is for a cluster; nil without any.
  private func table(of cluster: UInt64) throws -> UInt64? {
    let position = header.tableOffset + cluster / header.entries * 8
    let place = try first.u64(at: position) & QCOW2Map.placeMask
    guard place != 0 else { return nil }
    guard place % header.clusterByteCount == 0 else {
      throw FormatError(
        "qcow2 level 1 table", at: position, .impossible("a table at byte \(place)"))
    }
    guard place < file.size, header.clusterByteCount <= file.size - place else {
      throw FormatError(
        "qcow2 level 1 table", at: position,
        .impossible("a table at byte \(place) that is not all in the file"))
    }
    return place
  }

  func place(of block: UInt64) throws -> BlockPlace {
    let cluster = block / share
    guard let table = try table(of: cluster) else { return .zero }
    let position = table + cluster % header.entries * header.entryByteCount
    let entry = try second.u64(at: position)
    if entry & QCOW2Map.isCompressed != 0 {
      return .packed(try packed(entry, position), at: Int(block % share * blockByteCount))
    }
    let place = entry & QCOW2Map.placeMask
    if header.hasSubclusters {
      let bitmap = try second.u64(at: position + 8)
      let bit = block % share
      if bitmap >> (32 + bit) & 1 == 1 || bitmap >> bit & 1 == 0 { return .zero }
      guard place != 0 else {
        throw FormatError(
          "qcow2 level 2 table", at: position, .impossible("a subcluster without its cluster"))
      }
    } else {
      if entry & QCOW2Map.isZero != 0 {
        guard header.version >= 3 else {
          throw FormatError(
            "qcow2 level 2 table", at: position,
            .impossible("a cluster of zeros in an image of version 2"))
        }
        return .zero
      }
      if place == 0 { return .zero }
    }
    return .stored(try checked(place, cluster, position) + block % share * blockByteCount)
  }

  private func checked(
    _ place: UInt64, _ cluster: UInt64, _ position: UInt64
  ) throws(FormatError) -> UInt64 {
    let needed = min(header.clusterByteCount, size - cluster * header.clusterByteCount)
    guard place % header.clusterByteCount == 0, place <= file.size, needed <= file.size - place
    else {
      throw FormatError(
        "qcow2 level 2 table", at: position,
        .impossible("cluster \(cluster) at byte \(place) is not all in the file"))
    }
    return place
  }

  /// The bytes of a compressed cluster, of which the last sector may hold others' as well.
  private func packed(_ entry: UInt64, _ position: UInt64) throws(FormatError) -> Range<UInt64> {
    let bits = UInt64(62 - (header.clusterBits - 8))
    let place = entry & ((1 << bits) - 1)
    let sectors = (entry & (QCOW2Map.isCompressed - 1)) >> bits
    let end = min(place + (sectors + 1) * 512 - place % 512, file.size)
    guard place < end else {
      throw FormatError(
        "qcow2 level 2 table", at: position,
        .impossible("a compressed cluster at byte \(place), outside the file"))
    }
    return place..<end
  }

  func unpack(_ block: UInt64, _ range: Range<UInt64>) throws -> [UInt8] {
    let length = Int(range.upperBound - range.lowerBound)
    let packed = try file.bytes(length, at: range.lowerBound) ?? []
    do {
      switch header.compression {
      case .deflate: return try inflaters.with { try inflate(packed, $0) }
      case .zstd: return try decompressors.with { try decompress(packed, $0) }
      }
    } catch let error as CodecError {
      throw FormatError("qcow2 cluster", at: range.lowerBound, .impossible("\(error)"))
    }
  }

  private func inflate(_ packed: [UInt8], _ inflater: Inflater) throws(CodecError) -> [UInt8] {
    var plain = [UInt8](repeating: 0, count: Int(header.clusterByteCount))
    var target = plain.mutableSpan
    let count = try inflater.decompress(packed.span, .none, into: &target)
    guard count == plain.count else {
      throw CodecError(description: "deflate: only \(count) bytes come out")
    }
    return plain
  }

  private func decompress(
    _ packed: [UInt8], _ decompressor: ZstdDecompressor
  ) throws(CodecError) -> [UInt8] {
    var plain = [UInt8](repeating: 0, count: Int(header.clusterByteCount))
    var target = plain.mutableSpan
    try decompressor.decompressBeginning(of: packed.span, into: &target)
    return plain
  }

  func endOfMissingTable(at block: UInt64) throws -> UInt64? {
    let covered = header.entries * share
    let place = try table(of: block / share)
    return place == nil ? (block / covered + 1) * covered : nil
  }
}
