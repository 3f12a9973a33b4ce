internal import Blocks
internal import Bytes

/// An NTFS volume as the rest of vpipe sees it.
struct NTFSFileSystem: GuestFileSystem {
  let volume: NTFSVolume

  /// The boot sector's copy lies behind the last sector, where the area goes that far.
  var byteCount: UInt64 {
    min((volume.boot.sectorCount + 1) * volume.boot.sectorSize, volume.area.size)
  }

  /// NTFS counts its free clusters in nothing but the bitmap.
  var usedByteCount: UInt64? {
    do {
      var free: UInt64 = 0
      try NTFSBitmap(of: volume).forEachClear { free += UInt64($0.count) }
      return byteCount - free * volume.boot.clusterSize
    } catch {
      return nil
    }
  }

  var fileDoubt: String? {
    do {
      return try NTFSState.doubt(of: volume)
    } catch {
      return "\(error)"
    }
  }

  var isSuspended: Bool {
    do {
      return try NTFSState.isHibernated(volume)
    } catch {
      // What cannot be read is read whole, and tells why.
      return false
    }
  }

  func freeSpace() throws -> FreeSpace {
    if let doubt = try NTFSState.doubt(of: volume) { throw GuestDoubt(doubt) }
    let known = try NTFSSystemFiles(of: volume)
    let bitmap = try NTFSBitmap(of: volume)
    var free = FreeSpace()
    let size = volume.boot.clusterSize
    try bitmap.forEachClear { clusters in
      let range = clusters.lowerBound * size..<clusters.upperBound * size
      guard known.extents.intersection(range).isEmpty else {
        throw GuestDoubt("its bitmap calls clusters free that hold its own structures")
      }
      free.add(range)
    }
    var proof = try NTFSProof(volume)
    try proof.run(bitmap)
    return free
  }

  func files() throws -> (any FileTree)? { try NTFSFiles(volume) }
}

/// Where the file system's own files lie: the master file table, its mirror, the log, the bitmap,
/// the boot sector and what else is in the first records.
struct NTFSSystemFiles: Sendable {
  /// The most runs that all of them may have.
  static let runLimit = 1 << 20

  /// In bytes of the area.
  let extents: ExtentSet

  init(of volume: NTFSVolume) throws {
    let size = volume.boot.clusterSize
    var ranges = [0..<size]
    func take(_ runs: NTFSRuns) throws {
      guard runs.runs.count <= NTFSSystemFiles.runLimit - ranges.count else {
        throw GuestDoubt("its own files are in more than \(NTFSSystemFiles.runLimit) pieces")
      }
      ranges += runs.runs.map { $0.cluster * size..<($0.cluster + $0.count) * size }
    }
    try take(volume.table.runs)
    for number in 0..<NTFSVolume.systemRecordCount {
      let first = try volume.record(NTFSReference(number))
      // The last ones are not there on volumes of Windows NT 4.
      guard first.isInUse || number <= NTFSVolume.Known.bad.rawValue else { continue }
      for record in try volume.records(of: try volume.node(NTFSReference(number))) {
        for attribute in record.attributes {
          if let runs = try volume.runs(of: attribute, in: record) { try take(runs) }
        }
      }
    }
    ranges.sort { $0.lowerBound < $1.lowerBound }
    var extents = ExtentSet()
    for range in ranges { extents.insert(range) }
    self.extents = extents
  }
}

/// $Bitmap: a bit for each cluster, set when it is in use.
///
/// Bits behind the last cluster are set and mean nothing. Linux-NTFS documentation, "$Bitmap".
struct NTFSBitmap: Sendable {
  /// How much of it is read at once; more than what the cache of small reads takes.
  private static let pieceByteCount: UInt64 = 1 << 20

  private let volume: NTFSVolume
  private let content: any BlockSource

  init(of volume: NTFSVolume) throws {
    self.volume = volume
    let node = try volume.node(.bitmap)
    let needed = (volume.boot.clusterCount + 7) / 8
    switch try volume.content(.data, of: node) {
    case .resident(let bytes):
      guard needed <= UInt64(bytes.count) else { throw Self.error(node, UInt64(bytes.count)) }
      content = NTFSValue(bytes, sectorSize: volume.source.sectorSize)
    case .mapped(let mapped):
      guard needed <= mapped.initialized else { throw Self.error(node, mapped.initialized) }
      let clusters = (needed + volume.boot.clusterSize - 1) / volume.boot.clusterSize
      guard mapped.isPlain, mapped.runs.unbrokenCount(from: 0, upTo: clusters) == clusters else {
        throw FormatError(
          "NTFS bitmap", at: node.record.place, .impossible("a part of it is not on the volume"))
      }
      content = NTFSStream(mapped, of: volume.source)
    case nil: throw Self.error(node, 0)
    }
  }

  private static func error(_ node: NTFSNode, _ byteCount: UInt64) -> FormatError {
    FormatError(
      "NTFS bitmap", at: node.record.place, .impossible("\(byteCount) bytes: too few"))
  }

  /// The bits of some clusters.
  ///
  /// - Parameter clusters: Of the volume; the first one is a multiple of eight.
  func bits(of clusters: Range<UInt64>) throws -> [UInt8] {
    let start = clusters.lowerBound / 8
    guard let bytes = try content.bytes(Int((clusters.upperBound + 7) / 8 - start), at: start)
    else { throw FormatError("NTFS bitmap", at: start, .truncated) }
    return bytes
  }

  /// Calls `body` for runs of clusters that are free, in order; one may touch the next.
  func forEachClear(_ body: (Range<UInt64>) throws -> Void) throws {
    let end = (volume.boot.clusterCount + 7) / 8
    var position: UInt64 = 0
    while position < end {
      let count = min(NTFSBitmap.pieceByteCount, end - position)
      let bytes = try bits(of: position * 8..<(position + count) * 8)
      let base = position * 8
      let last = Int(min(count * 8, volume.boot.clusterCount - base))
      try BitRuns.forEachClear(in: bytes.span, count: last) {
        try body(base + UInt64($0.lowerBound)..<base + UInt64($0.upperBound))
      }
      position += count
    }
  }
}

/// The value of an attribute that is in its record.
final class NTFSValue: BlockSource {
  private let bytes: [UInt8]
  let sectorSize: UInt32
  var size: UInt64 { UInt64(bytes.count) }

  init(_ bytes: [UInt8], sectorSize: UInt32) {
    self.bytes = bytes
    self.sectorSize = sectorSize
  }

  func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    let all = self.bytes
    bytes.copy(all.span.extracting(Int(offset)..<Int(offset) + bytes.count), to: 0)
  }

  func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    offset < size ? offset..<size : nil
  }
}
