internal import Blocks
internal import Bytes

/// The content of an attribute that lies in clusters, as it is stored: what is compressed stays so.
struct NTFSMapped: Sendable {
  var runs: NTFSRuns
  let clusterSize: UInt64
  let flags: UInt16
  let unitShift: UInt8
  /// Bytes of content.
  let size: UInt64
  /// Bytes that were ever written; the others read as zero, whatever their clusters hold.
  let initialized: UInt64

  /// Whether the bytes are stored as they are.
  var isPlain: Bool { flags & (NTFSAttribute.methodMask | NTFSAttribute.encrypted) == 0 }

  init(_ runs: NTFSRuns, _ head: NTFSAttribute.Mapping, flags: UInt16, clusterSize: UInt64) {
    self.runs = runs
    self.clusterSize = clusterSize
    self.flags = flags
    unitShift = head.unitShift
    size = head.size
    initialized = head.initialized
  }

  /// Where on the volume a byte is, and where what is in one piece with it ends.
  ///
  /// - Returns: No place where nothing is stored.
  func piece(at offset: UInt64) -> (place: UInt64?, end: UInt64) {
    let virtual = offset / clusterSize
    let index = runs.index(of: virtual)
    guard index < runs.runs.count else { return (nil, .max) }
    let run = runs.runs[index]
    // Runs end below 2^63 bytes: `NTFSRuns` has seen to it.
    guard run.virtual <= virtual else { return (nil, run.virtual * clusterSize) }
    let start = run.virtual * clusterSize
    return (run.cluster * clusterSize + (offset - start), run.end * clusterSize)
  }

  /// Fills `bytes` with what is stored, from `offset` on; zeros where nothing is.
  func readStored(
    into bytes: inout MutableSpan<UInt8>, at offset: UInt64, of volume: any BlockSource
  ) throws {
    var done = 0
    while done < bytes.count {
      let position = offset + UInt64(done)
      let (place, end) = piece(at: position)
      let count = Int(min(UInt64(bytes.count - done), end - position))
      var part = bytes._mutatingExtracting(done..<done + count)
      if let place {
        try volume.read(into: &part, at: place)
      } else {
        part.update(repeating: 0)
      }
      done += count
    }
  }

  /// Fills `bytes` with content, from `offset` on; zeros behind what was ever written.
  func read(
    into bytes: inout MutableSpan<UInt8>, at offset: UInt64, of volume: any BlockSource
  ) throws {
    let count = Int(min(UInt64(bytes.count), initialized - min(initialized, offset)))
    var written = bytes._mutatingExtracting(0..<count)
    try readStored(into: &written, at: offset, of: volume)
    var rest = bytes._mutatingExtracting(count..<bytes.count)
    rest.update(repeating: 0)
  }

  /// The first range at or behind `offset` that may not be zero.
  func nextData(at offset: UInt64) -> Range<UInt64>? {
    let end = min(size, initialized)
    guard offset < end else { return nil }
    let index = runs.index(of: offset / clusterSize)
    guard index < runs.runs.count else { return nil }
    let run = runs.runs[index]
    let start = max(offset, run.virtual * clusterSize)
    return start < end ? start..<min(end, run.end * clusterSize) : nil
  }
}

/// An attribute's content as a source of its own.
final class NTFSStream: BlockSource {
  private let mapped: NTFSMapped
  private let volume: any BlockSource
  var size: UInt64 { mapped.size }
  var sectorSize: UInt32 { volume.sectorSize }

  init(_ mapped: NTFSMapped, of volume: any BlockSource) {
    self.mapped = mapped
    self.volume = volume
  }

  func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    try mapped.read(into: &bytes, at: offset, of: volume)
  }

  func nextData(at offset: UInt64) throws -> Range<UInt64>? { mapped.nextData(at: offset) }
}
