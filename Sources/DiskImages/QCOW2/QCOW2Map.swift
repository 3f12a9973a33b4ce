internal import Blocks
internal import Bytes
internal import Codecs
internal import Platform

/// The two levels of tables of a qcow2 image; its blocks are clusters, or subclusters.
struct QCOW2Map: BlockMap {
  /// Bits 9 to 55 of an entry: a place in the file.
  private static let placeMask: UInt64 = 0x00FF_FFFF_FFFF_FE00
  private static let isCompressed: UInt64 = 1 << 62
  private static let isZero: UInt64 = 1
  /// Bit 63: nothing else refers to the cluster.
  private static let isOwned: UInt64 = 1 << 63

  private let file: any BlockSource
  /// How many bytes there are of the file in which clusters lie.
  private let dataByteCount: UInt64
  private let header: QCOW2Header
  private let tables: TwoLevelTable
  private let inflaters = Pool { Inflater() }
  private let decompressors = Pool { ZstdDecompressor() }

  let blockByteCount: UInt64
  let size: UInt64
  /// Blocks of a cluster.
  private let share: UInt64

  /// - Parameters:
  ///   - file: The image.
  ///   - data: The file in which clusters lie.
  ///   - state: The state of the disk that is wanted.
  init(
    of file: any BlockSource, data: any BlockSource, _ header: QCOW2Header, _ state: QCOW2State
  ) throws {
    self.file = file
    self.header = header
    dataByteCount = data.size
    size = state.size
    share = header.hasSubclusters ? 32 : 1
    blockByteCount = header.clusterByteCount / share
    let shape = TwoLevelTable.Shape(
      firstEntry: 8, secondEntry: header.entryByteCount, secondCount: header.entries)
    let cluster = header.clusterByteCount
    tables = try TwoLevelTable(
      of: file, shape, at: state.tableOffset,
      for: state.size / cluster + (state.size % cluster == 0 ? 0 : 1), header: cluster,
      ("qcow2 level 1 table", "qcow2 level 2 table"), .big
    ) { (entry: UInt64) throws(TwoLevelTable.Misplaced) in
      let place = entry & QCOW2Map.placeMask
      guard place != 0 else { return nil }
      guard place % cluster == 0 else { throw .init(text: "a table at byte \(place)") }
      return place
    }
  }

  func place(of block: UInt64) throws -> BlockPlace {
    let cluster = block / share
    guard let position = try tables.position(of: cluster) else { return .parent }
    let entry = try tables.second.u64(at: position)
    if entry & QCOW2Map.isCompressed != 0 {
      guard !header.hasDataFile else {
        throw tables.refusal(position, "a compressed cluster beside a data file")
      }
      return .packed(try packed(entry, cluster, position), at: Int(block % share * blockByteCount))
    }
    let place = entry & QCOW2Map.placeMask
    // In a data file the disk's first cluster lies at byte 0.
    let isThere = place != 0 || header.hasDataFile && entry & QCOW2Map.isOwned != 0
    if header.hasSubclusters {
      let bitmap = try tables.second.u64(at: position + 8)
      let bit = block % share
      if bitmap >> (32 + bit) & 1 == 1 {
        guard bitmap >> bit & 1 == 0 else {
          throw tables.refusal(position, "a subcluster that is there and of zeros at once")
        }
        return .zero
      }
      if bitmap >> bit & 1 == 0 { return .parent }
      guard isThere else {
        throw tables.refusal(position, "a subcluster without its cluster")
      }
    } else {
      if entry & QCOW2Map.isZero != 0 {
        guard header.version >= 3 else {
          throw tables.refusal(position, "a cluster of zeros in an image of version 2")
        }
        return .zero
      }
      if !isThere { return .parent }
    }
    return .stored(try checked(place, block, position))
  }

  /// Where a block lies whose cluster lies at `place`.
  private func checked(
    _ place: UInt64, _ block: UInt64, _ position: UInt64
  ) throws(FormatError) -> UInt64 {
    let cluster = block / share
    guard !header.hasDataFile || place == cluster * header.clusterByteCount else {
      throw tables.refusal(
        position, "cluster \(cluster) at byte \(place) of the data file, not at its own place")
    }
    // Of a cluster with subclusters, those at its end need not be in the file.
    let start = place + block % share * blockByteCount
    guard place % header.clusterByteCount == 0 else {
      throw tables.refusal(position, "cluster \(cluster) at byte \(place)")
    }
    try tables.check(
      cluster, at: start, byteCount(of: block), position,
      in: header.hasDataFile ? dataByteCount : nil)
    return start
  }

  /// The bytes of a compressed cluster, of which the last sector may hold others' as well.
  private func packed(_ entry: UInt64, _ cluster: UInt64, _ position: UInt64) throws(FormatError)
    -> Range<UInt64>
  {
    let bits = UInt64(62 - (header.clusterBits - 8))
    let place = entry & ((1 << bits) - 1)
    let sectors = (entry & (QCOW2Map.isCompressed - 1)) >> bits
    let end = min(place + (sectors + 1) * 512 - place % 512, file.size)
    guard place < end else {
      throw tables.refusal(position, "a compressed cluster at byte \(place), outside the file")
    }
    try tables.check(cluster, at: place, end - place, position)
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
    try tables.endOfMissingTable(at: block / share).map { $0 * share }
  }
}
