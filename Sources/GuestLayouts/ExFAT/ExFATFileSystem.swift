internal import Blocks
internal import Bytes

/// An exFAT volume.
///
/// A cluster is free when its bit in the allocation bitmap is clear. That is believed only when the
/// boot sectors' checksum holds, the volume was closed properly, and a walk through all
/// directories finds each file's clusters taken, by no other file, and no cluster is left that
/// nothing but a defect explains.
struct ExFATFileSystem: GuestFileSystem {
  let volume: ExFATVolume
  /// What the boot sectors have against it.
  let bootDoubt: String?

  /// The most bytes of an up-case table: 65,536 units.
  private static let upcaseByteLimit: UInt64 = 128 << 10
  /// Bytes of the bitmap that are read at once.
  private static let pieceByteCount: UInt64 = 1 << 20

  private var heap: ClusterHeap { volume.heap }

  var byteCount: UInt64 { volume.boot.byteCount }

  /// There is a percentage only, which Linux does not keep.
  var usedByteCount: UInt64? { nil }

  var fileDoubt: String? { bootDoubt }

  func freeSpace() throws -> FreeSpace { try proven().freeSpace() }

  func files() throws -> (any FileTree)? { ExFATTree(volume: volume) }

  /// What is taken, after all checks.
  private func proven() throws -> ClusterMap {
    if let bootDoubt { throw GuestDoubt(bootDoubt) }
    guard heap.count <= ClusterMap.clusterLimit else {
      throw GuestDoubt("it has more than \(ClusterMap.clusterLimit) clusters")
    }
    // A set of a file has three entries at least, but a root directory may hold nothing else.
    let root = try ExFATRoot(of: volume, entryLimit: Int(ExFATVolume.directoryByteLimit / 32))
    if let unknown = root.unknown {
      throw GuestDoubt("its root directory has an entry of the unknown type \(unknown)")
    }
    guard root.bitmaps.count == 1, let bitmap = root.bitmaps.first,
      root.upcases.count == 1, let upcase = root.upcases.first
    else { throw GuestDoubt("it has not one allocation bitmap and one up-case table") }
    guard bitmap.byteCount == (UInt64(heap.count) + 7) / 8 else {
      throw GuestDoubt("its allocation bitmap does not fit its clusters")
    }
    let bitmapRuns = try runs(of: bitmap)
    let upcaseRuns = try runs(of: upcase)
    try verify(upcase, upcaseRuns)
    let map = try map(from: bitmapRuns)
    var proof = ExFATProof(volume, map)
    try proof.run(besides: bitmapRuns + upcaseRuns)
    return map
  }

  private func runs(of stream: ExFATRoot.Stream) throws -> [ClusterRun] {
    guard stream.byteCount > 0, let count = heap.clusterCount(of: stream.byteCount) else {
      throw GuestDoubt("its allocation bitmap or up-case table does not fit into it")
    }
    var reader = volume.table.reader()
    let (runs, endsThere) = try reader.runs(from: stream.first, count: count)
    guard endsThere else { throw GuestDoubt("the FAT does not fit its allocation bitmap") }
    return runs
  }

  /// Checks the up-case table's sum.
  private func verify(_ stream: ExFATRoot.Stream, _ runs: [ClusterRun]) throws {
    guard stream.byteCount <= ExFATFileSystem.upcaseByteLimit else {
      throw GuestDoubt("its up-case table is too large")
    }
    let content = ClusterContent(
      volume.source, heap.extents(of: runs), size: stream.byteCount, written: stream.byteCount)
    let bytes = try content.bytes(Int(stream.byteCount), at: 0) ?? []
    let sum = bytes.reduce(UInt32(0)) { ($0 << 31 | $0 >> 1) &+ UInt32($1) }
    guard sum == stream.checksum else {
      throw GuestDoubt("the checksum of its up-case table does not hold")
    }
  }

  /// Reads the bitmap.
  private func map(from runs: [ClusterRun]) throws -> ClusterMap {
    var map = ClusterMap(heap)
    let total = (UInt64(heap.count) + 7) / 8
    let content = ClusterContent(
      volume.source, heap.extents(of: runs), size: total, written: total)
    var start: UInt64 = 0
    while start < total {
      let count = min(ExFATFileSystem.pieceByteCount, total - start)
      let piece = try content.bytes(Int(count), at: start) ?? []
      for index in piece.indices { map.set(byte: Int(start) + index, piece[index]) }
      start += count
    }
    return map
  }
}
