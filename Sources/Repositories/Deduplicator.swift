public import Blocks
internal import Bytes
internal import Chunking
internal import Codecs
internal import Platform

/// Turns chunks that the receiver has into references, in three steps: `identify` and `compress`
/// run on workers, `decide` between them in the order of the stream, so that a chunk always comes
/// before what refers to it.
public final class Deduplicator: Sendable {
  /// What the receiver has.
  public enum Known: Sendable {
    case repository(Repository)
    case list(KnownIDs)
    case nothing
  }

  /// What was found, in chunks and bytes.
  public struct Counts: Sendable {
    public var chunks: UInt64 = 0
    public var bytes: UInt64 = 0
    public var newChunks: UInt64 = 0
    public var newBytes: UInt64 = 0
    public var sentBytes: UInt64 = 0
  }

  private let index: ChunkIndex?
  private let list: KnownIDs?
  private let chunker: Chunker
  private let fingerprintKey: FingerprintKey?
  private let level: Int?
  private let seen = Locked<Set<Digest>>([])
  private let tools = Locked<[Tools]>([])
  private let tally = Locked(Counts())
  /// What was odd about the repository.
  public let warnings: [String]
  /// How the repository cuts, where that is known.
  public let cut: String?

  /// What one thread needs.
  private final class Tools: @unchecked Sendable {
    let hash = SHA256()
    let fingerprinter: Fingerprinter?
    let compressor: ZstdCompressor?
    let decompressor = ZstdDecompressor()
    let scratch = Buffer(count: ZstdCompressor.bound(Segment.byteCount))

    init(_ key: FingerprintKey?, _ level: Int?) {
      fingerprinter = key.map { Fingerprinter($0) }
      compressor = level.map { ZstdCompressor(level: $0) }
    }
  }

  /// - Parameters:
  ///   - known: What need not be sent.
  ///   - level: zstd's level for what is sent, nil for plain.
  public init(_ known: Known, level: Int?) throws {
    self.level = level
    switch known {
    case .repository(let repository):
      let index = try repository.openIndexForWriting()
      self.index = index
      list = nil
      warnings = index.troubles
      let parameters = repository.config.chunkingParameters ?? .standard
      chunker = Chunker(parameters)
      cut = parameters.field
      fingerprintKey = repository.config.fingerprinting
    case .list(let ids):
      index = nil
      list = ids
      warnings = []
      guard let parameters = ChunkingParameters(field: ids.cut) else {
        throw RepositoryError.unsupported(
          "the list's repository cuts with a key of its own: cut with vchunk -r first")
      }
      chunker = Chunker(parameters)
      cut = ids.cut
      fingerprintKey = FingerprintKey(ids.fingerprintKey)
    case .nothing:
      index = nil
      list = nil
      warnings = []
      chunker = Chunker(.standard)
      cut = nil
      fingerprintKey = nil
    }
  }

  public var counts: Counts { tally.with { $0 } }

  private func withTools<Result>(_ body: (Tools) throws -> Result) rethrows -> Result {
    let own = tools.with { $0.popLast() } ?? Tools(fingerprintKey, level)
    defer { tools.with { $0.append(own) } }
    return try body(own)
  }

  /// Cuts what is not cut yet, and computes each chunk's id and the segment's fingerprint.
  public func identify(_ segment: Segment) throws {
    chunker.cut(segment)
    try withTools { tools in
      if let key = fingerprintKey, let value = tools.fingerprinter?.fingerprint(of: segment) {
        segment.fingerprint = Fingerprint(value: value, keyTag: key.tag)
      }
      for index in segment.runs.indices {
        guard case .chunk(let claimed, let codec, let stored) = segment.runs[index].content,
          stored > 0
        else { continue }
        let range = segment.runs[index].range
        let id = try id(of: segment, range, codec, stored, tools)
        if let claimed, claimed != id {
          throw RepositoryError.badInput(
            "chunk at byte \(segment.offset + UInt64(range.lowerBound)): its content does not "
              + "fit the id it came with")
        }
        segment.runs[index].content = .chunk(id: id, codec: codec, storedCount: stored)
      }
    }
  }

  private func id(
    of segment: Segment, _ range: Range<Int>, _ codec: Codec, _ stored: Int, _ tools: Tools
  ) throws -> Digest {
    let buffer = segment.buffer
    let bytes = buffer.span(range.lowerBound..<range.lowerBound + stored)
    if codec == .plain { return tools.hash.digest(of: bytes) }
    let scratch = tools.scratch
    var plain = scratch.mutableSpan(0..<range.count)
    do {
      try tools.decompressor.decompress(bytes, into: &plain)
    } catch {
      throw RepositoryError.badInput(
        "chunk at byte \(segment.offset + UInt64(range.lowerBound)): \(error)")
    }
    return tools.hash.digest(of: plain.span)
  }

  /// Drops what the receiver has, or has been sent before.
  public func decide(_ segment: Segment) {
    var counts = counts
    for index in segment.runs.indices {
      let run = segment.runs[index]
      guard case .chunk(let id?, let codec, let stored) = run.content, stored > 0 else { continue }
      counts.chunks += 1
      counts.bytes += UInt64(run.range.count)
      if isKnown(id, run.range.count) || wasSent(id) {
        segment.runs[index].content = .chunk(id: id, codec: codec, storedCount: 0)
      } else {
        counts.newChunks += 1
        counts.newBytes += UInt64(run.range.count)
      }
    }
    tally.with { tally in
      let sent = tally.sentBytes
      tally = counts
      tally.sentBytes = sent
    }
  }

  /// The most ids of sent chunks that are remembered: 128 GiB of new data.
  ///
  /// What is forgotten is sent again and found by the receiver.
  private static let seenLimit = 2 << 20

  private func wasSent(_ id: Digest) -> Bool {
    seen.with { seen in
      if seen.count < Deduplicator.seenLimit { return !seen.insert(id).inserted }
      return seen.contains(id)
    }
  }

  private func isKnown(_ id: Digest, _ count: Int) -> Bool {
    if let found = index?.find(id) { return Int(found.entry.plainCount) == count }
    return list?.contains(id) ?? false
  }

  /// Compresses what is left to send.
  public func compress(_ segment: Segment) throws {
    try withTools { tools in
      var sent: UInt64 = 0
      for index in segment.runs.indices {
        guard case .chunk(let id, let codec, let stored) = segment.runs[index].content, stored > 0
        else { continue }
        let range = segment.runs[index].range
        var count = stored
        if codec == .plain, let compressor = tools.compressor {
          let buffer = segment.buffer
          let scratch = tools.scratch
          var target = scratch.mutableSpan(0..<ZstdCompressor.bound(stored))
          if let packed = try compressor.compress(buffer.span(range), into: &target) {
            buffer.copy(scratch.span(0..<packed), to: range.lowerBound)
            segment.runs[index].content = .chunk(id: id, codec: .zstd, storedCount: packed)
            count = packed
          }
        }
        sent += UInt64(count)
      }
      tally.with { $0.sentBytes += sent }
    }
  }
}
