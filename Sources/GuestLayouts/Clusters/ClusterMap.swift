internal import Bytes

/// Which clusters of a volume are taken, a bit each; first by what the allocation table or bitmap
/// says, then less and less while the files are found that own them.
struct ClusterMap: Sendable {
  /// The most clusters of a volume that is looked through: a map of 32 MiB, as FAT32 has no more.
  static let clusterLimit: UInt32 = 1 << 28

  /// Bit 0 of byte 0 stands for cluster 2.
  private(set) var bits: [UInt8]
  let heap: ClusterHeap

  /// All of them free.
  init(_ heap: ClusterHeap) {
    self.heap = heap
    bits = [UInt8](repeating: 0, count: (Int(heap.count) + 7) / 8)
  }

  /// Sets what is taken of the eight clusters of one byte.
  mutating func set(byte index: Int, _ value: UInt8) { bits[index] = value }

  mutating func set(_ cluster: UInt32) {
    let index = Int(cluster - 2)
    bits[index / 8] |= 1 << UInt8(index % 8)
  }

  func holds(_ cluster: UInt32) -> Bool {
    guard heap.contains(cluster) else { return false }
    let index = Int(cluster - 2)
    return bits[index / 8] >> UInt8(index % 8) & 1 == 1
  }

  /// Takes a cluster out for the file that owns it; false when it is free or another file's.
  mutating func claim(_ cluster: UInt32) -> Bool {
    guard holds(cluster) else { return false }
    let index = Int(cluster - 2)
    bits[index / 8] &= ~(1 << UInt8(index % 8))
    return true
  }

  /// Requires that the table calls each cluster bad that no file has claimed.
  func requireDefects(_ reader: inout ClusterTable.Reader) throws {
    for (index, byte) in bits.enumerated() where byte != 0 {
      for bit in 0..<8 where byte >> UInt8(bit) & 1 == 1 {
        let number = index * 8 + bit
        // The last byte of exFAT's bitmap may have bits beyond the clusters.
        guard number < Int(heap.count) else { return }
        let cluster = UInt32(number) + 2
        guard try reader.link(after: cluster) == .bad else {
          throw GuestDoubt("cluster \(cluster) is taken, but no file has it")
        }
      }
    }
  }

  /// What is not taken.
  func freeSpace() -> FreeSpace {
    var free = FreeSpace()
    BitRuns.forEachClear(in: bits.span, count: Int(heap.count)) { run in
      // Inside the heap, so far below an overflow.
      free.add(
        heap.start + UInt64(run.lowerBound) * heap.clusterByteCount..<heap.start
          + UInt64(run.upperBound) * heap.clusterByteCount)
    }
    return free
  }
}
