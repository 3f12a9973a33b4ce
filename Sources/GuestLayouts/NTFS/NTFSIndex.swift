internal import Blocks
internal import Bytes

/// One name in a directory's index.
///
///     offset size  field
///          0    8  file
///          8    2  length of the entry
///         10    2  length of the name attribute
///         12    2  flags              1: a node is below, its number ends the entry; 2: the last
///         16    8  directory
///         80    1  characters         of the name
///         81    1  name space         0 POSIX, 1 Windows, 2 DOS, 3 both
///         82       name               UTF-16
///
/// Linux-NTFS documentation, "Index Entry", "$FILE_NAME".
struct NTFSIndexEntry {
  static let dosSpace: UInt8 = 2

  var reference: NTFSReference
  var name: [UInt16]
  var space: UInt8

  /// Whether it has this name, upper and lower case of ASCII being the same.
  func isNamed(_ text: String) -> Bool {
    name.count == text.utf8.count
      && zip(name, text.utf8).allSatisfy {
        $0 == UInt16($1) || (0x41...0x5A).contains($0) && $0 + 0x20 == UInt16($1)
      }
  }
}

/// The index of a directory's names: a B-tree of nodes, whose root is in the directory's record.
///
///     offset size  field              of the root
///          0    4  indexed attribute  0x30, the file name
///          4    4  collation
///          8    4  bytes of a block
///         16       header
///
///     offset size  field              of a block
///          0    4  signature          "INDX"
///          4    4  fixups
///         16    8  own number
///         24       header
///
///     offset size  field              of a header
///          0    4  offset of the entries, counted from the header
///          4    4  end of the entries
///
/// Blocks are numbered in clusters, or by 512 bytes where a cluster is larger than a block.
/// Linux-NTFS documentation, "$INDEX_ROOT", "$INDEX_ALLOCATION".
struct NTFSIndex {
  /// `$I30`, the name of every directory's index.
  static let name: [UInt16] = [0x24, 0x49, 0x33, 0x30]
  /// The largest block; usual are 4 KiB.
  static let blockSizeLimit: UInt32 = 64 << 10
  /// The deepest tree.
  static let depthLimit = 32
  /// The most blocks of one index, 256 GiB of the usual ones: each takes a bit while it is walked.
  static let blockCountLimit: UInt64 = 1 << 26

  private let volume: NTFSVolume
  private let record: NTFSRecord
  private let root: [UInt8]
  private let blocks: NTFSMapped?
  private let blockSize: UInt64
  private let unit: UInt64

  init(of directory: NTFSNode, in volume: NTFSVolume) throws {
    self.volume = volume
    record = directory.record
    guard case .resident(let root)? = try volume.content(.indexRoot, Self.name, of: directory)
    else { throw Self.error(record, "a directory without an index") }
    self.root = root
    var cursor = ByteCursor(root.span, of: "NTFS index", at: record.place, .little)
    guard try cursor.u32() == NTFSAttributeType.fileName.rawValue else {
      throw cursor.refusal(.unsupported("an index of something else than names"))
    }
    try cursor.skip(4)
    let size = try cursor.u32()
    guard size.nonzeroBitCount == 1, size >= 512, size <= Self.blockSizeLimit else {
      throw cursor.refusal(.impossible("blocks of \(size) bytes"))
    }
    blockSize = UInt64(size)
    unit = volume.boot.clusterSize <= blockSize ? volume.boot.clusterSize : 512
    guard case .mapped(let blocks)? = try volume.content(.indexAllocation, Self.name, of: directory)
    else {
      self.blocks = nil
      return
    }
    guard blocks.isPlain, blocks.size / blockSize <= Self.blockCountLimit else {
      throw Self.error(record, "an index of \(blocks.size) bytes")
    }
    self.blocks = blocks
  }

  /// A node of the tree while it is walked.
  private struct Node {
    let bytes: [UInt8]
    let place: UInt64
    var position: Int
    let end: Int
    /// Whether the node below the entry at `position` has been walked.
    var isBelowDone = false

    /// - Parameter header: Where the header is in `bytes`.
    init(_ bytes: [UInt8], header: Int, at place: UInt64) throws(FormatError) {
      self.bytes = bytes
      self.place = place
      var cursor = ByteCursor(bytes.span, of: "NTFS index", at: place, .little)
      try cursor.skip(header)
      let start = try cursor.u32()
      let end = try cursor.u32()
      guard start >= 16, start % 8 == 0, start <= end, end <= UInt32(bytes.count - header) else {
        throw cursor.refusal(.impossible("entries from \(start) to \(end)"))
      }
      position = header + Int(start)
      self.end = header + Int(end)
    }
  }

  /// Calls `body` for each entry in the order of the index, until it returns false.
  func forEachEntry(_ body: (NTFSIndexEntry) throws -> Bool) throws {
    var visited: [UInt64] = []
    var path = [try Node(root, header: 16, at: record.place)]
    while var node = path.popLast() {
      let bytes = node.bytes
      let span = bytes.span.extracting(node.position..<node.end)
      var cursor = ByteCursor(
        span, of: "NTFS index entry", at: node.place + UInt64(node.position), .little)
      let reference = try cursor.u64()
      let length = Int(try cursor.u16())
      let keyLength = Int(try cursor.u16())
      let flags = try cursor.u16()
      guard length >= 16, length % 8 == 0, length <= span.count,
        flags & 1 == 0 || length >= 24
      else { throw cursor.refusal(.impossible("an entry of \(length) bytes")) }
      if flags & 1 != 0, !node.isBelowDone {
        node.isBelowDone = true
        path.append(node)
        guard path.count < Self.depthLimit else {
          throw cursor.refusal(.impossible("an index deeper than \(Self.depthLimit)"))
        }
        path.append(try block(span.little64(at: length - 8), &visited))
        continue
      }
      guard flags & 2 == 0 else { continue }
      node.position += length
      node.isBelowDone = false
      path.append(node)
      guard keyLength <= length - 16 else {
        throw cursor.refusal(.impossible("a name of \(keyLength) bytes"))
      }
      let entry = try Self.entry(
        NTFSReference(reference), span.extracting(16..<16 + keyLength), at: node.place)
      guard try body(entry) else { return }
    }
  }

  private static func entry(
    _ reference: NTFSReference, _ key: Span<UInt8>, at place: UInt64
  ) throws(FormatError) -> NTFSIndexEntry {
    var cursor = ByteCursor(key, of: "NTFS file name", at: place, .little)
    try cursor.skip(64)
    let count = Int(try cursor.u8())
    let space = try cursor.u8()
    var name: [UInt16] = []
    name.reserveCapacity(count)
    for _ in 0..<count { name.append(try cursor.u16()) }
    return NTFSIndexEntry(reference: reference, name: name, space: space)
  }

  private func block(_ number: UInt64, _ visited: inout [UInt64]) throws -> Node {
    guard let blocks else { throw Self.error(record, "an index without blocks") }
    let count = min(blocks.size, blocks.initialized) / blockSize
    let (start, overflow) = number.multipliedReportingOverflow(by: unit)
    let index = start / blockSize
    guard !overflow, start % blockSize == 0, index < count,
      let place = blocks.piece(at: start).place
    else { throw Self.error(record, "block \(number) is not in the index") }
    if visited.isEmpty { visited = [UInt64](repeating: 0, count: Int(count / 64) + 1) }
    guard visited[Int(index / 64)] >> (index % 64) & 1 == 0 else {
      throw Self.error(record, "block \(number) is in the index twice")
    }
    visited[Int(index / 64)] |= 1 << (index % 64)

    var bytes = [UInt8](repeating: 0, count: Int(blockSize))
    var span = bytes.mutableSpan
    try blocks.readStored(into: &span, at: start, of: volume.source)
    guard bytes.starts(with: Array("INDX".utf8)) else {
      throw FormatError("NTFS index", at: place, .badMagic)
    }
    try NTFSFixups.undo(&bytes, of: "NTFS index", at: place)
    let own = bytes.span.little64(at: 16)
    guard own == number else {
      throw FormatError("NTFS index", at: place, .impossible("block \(own) in place of \(number)"))
    }
    return try Node(bytes, header: 24, at: place)
  }

  private static func error(_ record: NTFSRecord, _ problem: String) -> FormatError {
    FormatError("NTFS record \(record.number)", at: record.place, .impossible(problem))
  }
}
