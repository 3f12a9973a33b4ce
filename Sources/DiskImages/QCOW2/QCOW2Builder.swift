internal import Bytes

/// The tables of a qcow2 image, version 3, while it is written.
///
///     0       header
///     64 KiB  counts of the first 32,768 clusters
///     128 KiB level 1 table
///             clusters of the disk, level 2 tables; every 32,768th cluster holds the counts of the
///             next so many
///     end     table of the counts
///
/// Only one level 2 table and the counts of one group are in memory, as clusters come in order.
/// QEMU, docs/interop/qcow2.txt.
struct QCOW2Builder: Sendable {
  static let clusterBits: UInt64 = 16
  static let cluster: UInt64 = 1 << clusterBits
  /// QEMU takes level 1 tables of 32 MiB.
  static let sizeLimit: UInt64 = (32 << 20) / 8 * tableEntries * cluster
  private static let tableEntries = cluster / 8
  /// Clusters that a cluster of counts of 16 bits is for.
  private static let groupCount = cluster / 2
  private static let isUsedOnce: UInt64 = 1 << 63
  private static let isCompressed: UInt64 = 1 << 62
  private static let usesOtherCompression: UInt64 = 8

  private let size: UInt64
  private let packing: GrainPacking?
  /// Offsets of the level 2 tables, with their flags; 0 for those that are not there.
  private var first: [UInt64]
  private var second = [UInt64](repeating: 0, count: Int(tableEntries))
  /// The number of the level 2 table that is being filled.
  private var current: Int?
  private var counts = [UInt16](repeating: 0, count: Int(groupCount))
  private var group: UInt64 = 0
  /// The next cluster of the file that is free.
  private var next: UInt64
  /// Where the next compressed cluster may start; 0 when it must start a new cluster of the file.
  private var packedEnd: UInt64 = 0

  /// - Parameters:
  ///   - size: The disk's size in bytes, a multiple of 512.
  ///   - packing: How clusters are compressed, if at all.
  /// - Throws: When the disk is too large.
  init(size: UInt64, packing: GrainPacking?) throws(LayoutError) {
    guard size <= QCOW2Builder.sizeLimit else {
      throw LayoutError(
        "a qcow2 holds \(QCOW2Builder.sizeLimit) bytes at most, the disk has \(size)")
    }
    self.size = size
    self.packing = packing
    let covered = QCOW2Builder.tableEntries * QCOW2Builder.cluster
    first = [UInt64](repeating: 0, count: Int((size + covered - 1) / covered))
    next = 2 + (UInt64(first.count) * 8 + QCOW2Builder.cluster - 1) / QCOW2Builder.cluster
    for index in 0..<Int(next) { counts[index] = 1 }
  }

  /// The size of a file that ends where the next cluster would begin.
  var byteCount: UInt64 { next * QCOW2Builder.cluster }

  /// Takes the next free cluster of the file.
  ///
  /// - Returns: Its number; its count is still 0.
  private mutating func take(_ write: StructureWriter) throws -> UInt64 {
    if next / QCOW2Builder.groupCount != group {
      try writeCounts(write)
      group = next / QCOW2Builder.groupCount
      counts = [UInt16](repeating: 0, count: counts.count)
      counts[0] = 1
      next += 1
      packedEnd = 0
    }
    next += 1
    return next - 1
  }

  private mutating func count(_ cluster: UInt64) {
    counts[Int(cluster % QCOW2Builder.groupCount)] += 1
  }

  /// The cluster that holds a group's counts.
  private func countsCluster(_ group: UInt64) -> UInt64 {
    group == 0 ? 1 : group * QCOW2Builder.groupCount
  }

  private func writeCounts(_ write: StructureWriter) throws {
    var builder = ByteBuilder(.big, capacity: counts.count * 2)
    for count in counts { builder.u16(count) }
    try write(builder.bytes, countsCluster(group) * QCOW2Builder.cluster)
  }

  /// What the level 2 table says of a cluster of the disk; 0 when it has no place.
  ///
  /// Only of clusters of the table that is being filled, and of those behind it.
  func place(of cluster: UInt64) -> UInt64 {
    guard Int(cluster / QCOW2Builder.tableEntries) == current else { return 0 }
    return second[Int(cluster % QCOW2Builder.tableEntries)] & ~QCOW2Builder.isUsedOnce
  }

  /// Gives a cluster of the disk one of the file.
  ///
  /// - Returns: Where it starts.
  mutating func allocate(_ cluster: UInt64, _ write: StructureWriter) throws -> UInt64 {
    try beginTable(of: cluster, write)
    let taken = try take(write)
    count(taken)
    let place = taken * QCOW2Builder.cluster
    second[Int(cluster % QCOW2Builder.tableEntries)] = place | QCOW2Builder.isUsedOnce
    return place
  }

  /// Gives a cluster of the disk room for its compressed bytes, behind those of the last one.
  ///
  /// - Parameter length: Fewer than a cluster has.
  /// - Returns: Where they start.
  mutating func allocatePacked(
    _ cluster: UInt64, _ length: Int, _ write: StructureWriter
  ) throws -> UInt64 {
    try beginTable(of: cluster, write)
    let size = QCOW2Builder.cluster
    let length = UInt64(length)
    var place = packedEnd
    if place == 0 || place % size + length > size {
      let taken = try take(write)
      // Bytes may go on in the next cluster, unless that is something else.
      if place == 0 || taken != place / size + 1 { place = taken * size }
    }
    let last = place + length - 1
    for touched in place / size...last / size { count(touched) }
    packedEnd = (last + 1) % size == 0 ? 0 : last + 1
    let sectors = last / 512 - place / 512
    second[Int(cluster % QCOW2Builder.tableEntries)] =
      QCOW2Builder.isCompressed | sectors << (62 - (QCOW2Builder.clusterBits - 8)) | place
    return place
  }

  private mutating func beginTable(of cluster: UInt64, _ write: StructureWriter) throws {
    let number = Int(cluster / QCOW2Builder.tableEntries)
    guard number != current else { return }
    try endTable(write)
    current = number
  }

  /// Writes the level 2 table that is being filled.
  private mutating func endTable(_ write: StructureWriter) throws {
    guard let current else { return }
    let taken = try take(write)
    count(taken)
    try writeTable(second, taken, write)
    first[current] = taken * QCOW2Builder.cluster | QCOW2Builder.isUsedOnce
    second = [UInt64](repeating: 0, count: second.count)
  }

  private func writeTable(
    _ entries: [UInt64], _ cluster: UInt64, _ write: StructureWriter
  ) throws {
    var builder = ByteBuilder(.big, capacity: entries.count * 8)
    for entry in entries { builder.u64(entry) }
    try write(builder.bytes, cluster * QCOW2Builder.cluster)
  }

  /// Writes all tables and the header.
  mutating func finish(_ write: StructureWriter) throws {
    try endTable(write)
    current = nil
    // With the cluster that taking these may open a new group with.
    let groups = next / QCOW2Builder.groupCount + 2
    let length = (groups * 8 + QCOW2Builder.cluster - 1) / QCOW2Builder.cluster
    if QCOW2Builder.groupCount - next % QCOW2Builder.groupCount < length {
      // They must lie side by side.
      next = (next / QCOW2Builder.groupCount + 1) * QCOW2Builder.groupCount
    }
    let start = try take(write)
    count(start)
    for _ in 1..<length { count(try take(write)) }
    try writeCounts(write)
    try writeTable((0...group).map { countsCluster($0) * QCOW2Builder.cluster }, start, write)
    try writeTable(first, 2, write)
    try write(header(counts: start, length), 0)
  }

  private func header(counts: UInt64, _ length: UInt64) -> [UInt8] {
    var builder = ByteBuilder(.big, capacity: 120)
    builder.raw(QCOW2Header.magic)
    builder.u32(3)
    builder.u64(0)
    builder.u32(0)
    builder.u32(UInt32(QCOW2Builder.clusterBits))
    builder.u64(size)
    builder.u32(0)
    builder.u32(UInt32(first.count))
    builder.u64(2 * QCOW2Builder.cluster)
    builder.u64(counts * QCOW2Builder.cluster)
    builder.u32(UInt32(length))
    builder.u32(0)
    builder.u64(0)
    builder.u64(packing == .zstd ? QCOW2Builder.usesOtherCompression : 0)
    builder.u64(0)
    builder.u64(0)
    builder.u32(4)
    builder.u32(112)
    builder.u8(packing == .zstd ? QCOW2Header.Compression.zstd.rawValue : 0)
    // The rest of the header, and an extension that ends them.
    builder.zeros(7 + 8)
    return builder.bytes
  }
}

/// A qcow2 without compression while it is written.
public struct QCOW2Blocks: BlockLayout {
  private var builder: QCOW2Builder

  /// - Parameter size: The disk's size in bytes, a multiple of 512.
  /// - Throws: When the disk is too large.
  public init(size: UInt64) throws(LayoutError) {
    builder = try QCOW2Builder(size: size, packing: nil)
  }

  public var blockByteCount: UInt64 { QCOW2Builder.cluster }
  public var byteCount: UInt64 { builder.byteCount }

  public func dataOffset(_ block: UInt64) -> UInt64? {
    let place = builder.place(of: block)
    return place == 0 ? nil : place
  }

  public mutating func allocate(_ block: UInt64, _ write: StructureWriter) throws -> UInt64 {
    try builder.allocate(block, write)
  }

  public mutating func finish(_ write: StructureWriter) throws { try builder.finish(write) }
}

/// A qcow2 of compressed clusters while it is written; those that do not get shorter stay as they are.
public struct QCOW2Packed: PackedLayout {
  private var builder: QCOW2Builder
  public let packing: GrainPacking

  /// - Parameters:
  ///   - size: The disk's size in bytes, a multiple of 512.
  ///   - packing: deflate or zstd.
  /// - Throws: When the disk is too large.
  public init(size: UInt64, _ packing: GrainPacking) throws(LayoutError) {
    self.packing = packing
    builder = try QCOW2Builder(size: size, packing: packing)
  }

  public var grainByteCount: Int { Int(QCOW2Builder.cluster) }
  public var byteCount: UInt64 { builder.byteCount }

  public func start(_ write: StructureWriter) {}

  public mutating func place(
    _ grain: UInt64, _ count: Int, isPacked: Bool, _ write: StructureWriter
  ) throws -> UInt64 {
    isPacked
      ? try builder.allocatePacked(grain, count, write) : try builder.allocate(grain, write)
  }

  public mutating func finish(_ write: StructureWriter) throws { try builder.finish(write) }
}
