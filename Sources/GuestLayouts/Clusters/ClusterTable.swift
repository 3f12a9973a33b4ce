internal import Blocks
internal import Bytes

/// A file allocation table: for each cluster the one that follows it in its file.
///
/// Entries 0 and 1 belong to no cluster. Microsoft FAT Specification, "FAT"; exFAT File System
/// Specification, "File Allocation Table".
struct ClusterTable: Sendable {
  /// How an entry is stored.
  enum Width: Sendable {
    /// Two entries in three bytes.
    case bits12
    case bits16
    /// 32 bits, of which the upper four are kept by others.
    case bits28
    case bits32
  }

  /// What an entry says of its cluster.
  enum Link: Equatable, Sendable {
    case free
    /// The file goes on there; the number has not been checked.
    case cluster(UInt32)
    /// The file's last cluster.
    case end
    case bad
  }

  /// The most runs of one file that are followed: 8 MiB of them.
  static let runLimit = 1 << 20

  let source: any BlockSource
  /// Where the table lies, in bytes of the area; all of it does.
  let offset: UInt64
  let width: Width
  let heap: ClusterHeap

  /// Bytes of the table up to and with the last cluster's entry.
  var byteCount: UInt64 {
    switch width {
    case .bits12: (heap.end * 3 + 1) / 2
    case .bits16: heap.end * 2
    case .bits28, .bits32: heap.end * 4
    }
  }

  /// The raw entry of a cluster or 0 or 1, in a piece of the table that begins at byte `start`;
  /// nil when the piece does not hold all of it.
  func entry(_ number: UInt32, in piece: Span<UInt8>, from start: UInt64) -> UInt32? {
    let place =
      switch width {
      case .bits12: UInt64(number) * 3 / 2
      case .bits16: UInt64(number) * 2
      case .bits28, .bits32: UInt64(number) * 4
      }
    let size: UInt64 = width == .bits12 || width == .bits16 ? 2 : 4
    guard place >= start, place - start + size <= UInt64(piece.count) else { return nil }
    let index = Int(place - start)
    if size == 4 {
      let value = piece.little32(at: index)
      return width == .bits28 ? value & 0x0FFF_FFFF : value
    }
    let value = UInt32(piece[index]) | UInt32(piece[index + 1]) << 8
    guard width == .bits12 else { return value }
    return number % 2 == 0 ? value & 0xFFF : value >> 4
  }

  func link(_ value: UInt32) -> Link {
    let top: UInt32 =
      switch width {
      case .bits12: 0xFFF
      case .bits16: 0xFFFF
      case .bits28: 0x0FFF_FFFF
      case .bits32: 0xFFFF_FFFF
      }
    if value == 0 { return .free }
    if value == top - 8 { return .bad }
    // exFAT has one mark of the end, the others have eight.
    if value == top || width != .bits32 && value > top - 8 { return .end }
    return .cluster(value)
  }

  func reader() -> Reader { Reader(table: self) }

  /// Looks up entries one by one, with what lies around the last one at hand.
  struct Reader {
    let table: ClusterTable
    private var window: [UInt8] = []
    private var start: UInt64 = 0

    private static let windowByteCount: UInt64 = 16 << 10

    init(table: ClusterTable) { self.table = table }

    /// The raw entry of a cluster of the heap, or of 0 or 1.
    mutating func entry(_ number: UInt32) throws -> UInt32 {
      if let value = table.entry(number, in: window.span, from: start) { return value }
      let perCluster: UInt64 = table.width == .bits16 ? 2 : 4
      // The whole table of 12 bits fits into the window.
      start =
        table.width == .bits12
        ? 0 : UInt64(number) * perCluster / Reader.windowByteCount * Reader.windowByteCount
      guard start < table.byteCount else {
        throw FormatError("FAT", at: table.offset, .impossible("cluster \(number)"))
      }
      let count = Int(min(Reader.windowByteCount, table.byteCount - start))
      window = try table.source.bytes(count, at: table.offset + start) ?? []
      guard let value = table.entry(number, in: window.span, from: start) else {
        throw FormatError("FAT", at: table.offset, .truncated)
      }
      return value
    }

    /// What follows a cluster of the heap in its file.
    mutating func link(after cluster: UInt32) throws -> Link {
      table.link(try entry(cluster))
    }

    /// The cluster that follows; nil at the file's end.
    ///
    /// - Throws: `FormatError` when the chain leads to where no file's content can be.
    mutating func next(after cluster: UInt32) throws -> UInt32? {
      let link = try link(after: cluster)
      if link == .end { return nil }
      if case .cluster(let next) = link, table.heap.contains(next) { return next }
      throw FormatError(
        "FAT", at: table.offset,
        .impossible("the chain is broken behind cluster \(cluster)"))
    }

    /// The first `count` clusters of a chain, as runs, and whether it ends with them.
    ///
    /// A chain that ends cannot have come by a cluster twice.
    mutating func runs(
      from first: UInt32, count: UInt32
    ) throws -> (runs: [ClusterRun], endsThere: Bool) {
      guard count > 0 else { return ([], true) }
      guard table.heap.contains(first) else {
        throw FormatError("FAT", at: table.offset, .impossible("a file begins at \(first)"))
      }
      var runs = [ClusterRun(first: first, count: 1)]
      var cluster = first
      for done in 1..<UInt64(count) + 1 {
        guard let next = try next(after: cluster) else {
          guard done == UInt64(count) else {
            throw FormatError("FAT", at: table.offset, .impossible("a chain is too short"))
          }
          return (runs, true)
        }
        if done == UInt64(count) { break }
        let last = runs.count - 1
        if next == cluster + 1 {
          runs[last].count += 1
        } else {
          guard runs.count < ClusterTable.runLimit else {
            throw FormatError("FAT", at: table.offset, .unsupported("a file of so many pieces"))
          }
          runs.append(ClusterRun(first: next, count: 1))
        }
        cluster = next
      }
      return (runs, false)
    }
  }
}
