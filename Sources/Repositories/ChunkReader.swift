internal import Bytes
internal import Codecs
internal import ObjectStores
internal import Platform

/// Open packs, shared by all readers of a repository.
final class PackFiles: Sendable {
  private let store: any ObjectStore
  private let open = Locked<[Digest: FileDescriptor]>([:])
  /// How many packs are kept open.
  private static let limit = 256

  init(_ store: any ObjectStore) { self.store = store }

  func file(_ pack: Digest) throws -> FileDescriptor {
    if let file = open.with({ $0[pack] }) { return file }
    let file = try store.open(Layout.pack(pack))
    open.with { table in
      // Descriptors in use stay open by their references.
      if table.count >= PackFiles.limit { table.removeAll() }
      table[pack] = file
    }
    return file
  }
}

/// Reads chunks back and proves that they are what their ids say; one object a thread.
final class ChunkReader {
  private let index: ChunkIndex
  private let files: PackFiles
  private let hash = SHA256()
  private let decompressor = ZstdDecompressor()
  private let stored = Buffer(count: Int(ChunkEntry.plainLimit))
  /// What `stored` holds now: a range of a pack, read in one go.
  private var window: (pack: Digest, range: Range<UInt64>)?
  /// The frame of several chunks that was decoded last.
  private let frame = Buffer(count: Int(ChunkEntry.plainLimit))
  private var held: (pack: Digest, offset: UInt32)?

  init(_ index: ChunkIndex, _ files: PackFiles) {
    self.index = index
    self.files = files
  }

  /// Where `id` lies.
  func locate(_ id: Digest) throws(RepositoryError) -> ChunkLocation {
    guard let location = index.find(id) else {
      throw .damaged("chunk \(id): in no pack of the repository")
    }
    return location
  }

  /// Reads a chunk's plain bytes into `target`, which has their size, and checks its id.
  ///
  /// - Parameter ahead: Up to where in the pack the caller will read next, so that neighbours come
  ///   in one call.
  func read(
    _ location: ChunkLocation, into target: inout MutableSpan<UInt8>, ahead: UInt64 = 0
  ) throws {
    try readUnproven(location, into: &target, ahead: ahead)
    try prove(location, target.span)
  }

  /// Reads a chunk's plain bytes; the caller has them proven before anybody sees them.
  func readUnproven(
    _ location: ChunkLocation, into target: inout MutableSpan<UInt8>, ahead: UInt64
  ) throws {
    let entry = location.entry
    guard target.count == Int(entry.plainCount) else {
      throw RepositoryError.damaged(
        "chunk \(entry.id): \(entry.plainCount) bytes, expected \(target.count)")
    }
    if entry.isAlone {
      try decode(location, into: &target, ahead: ahead)
    } else {
      let buffer = frame
      try decodeFrame(location, ahead: ahead)
      let first = Int(entry.offsetInFrame)
      target.copy(buffer.span(first..<first + Int(entry.plainCount)), to: 0)
    }
  }

  /// Throws unless `bytes` are the chunk's.
  func prove(_ location: ChunkLocation, _ bytes: Span<UInt8>) throws(RepositoryError) {
    let entry = location.entry
    guard hash.digest(of: bytes) == entry.id else {
      throw RepositoryError.damaged(
        "\(Layout.pack(location.pack.id)): chunk \(entry.id) at byte \(entry.offset): "
          + "its content does not fit its id")
    }
  }

  /// Brings a frame of several chunks into `frame`, unless it is there.
  private func decodeFrame(_ location: ChunkLocation, ahead: UInt64) throws {
    if let held, held.pack == location.pack.id, held.offset == location.entry.offset { return }
    held = nil
    let buffer = frame
    var target = buffer.mutableSpan(0..<Int(location.entry.framePlainCount))
    try decode(location, into: &target, ahead: ahead)
    held = (location.pack.id, location.entry.offset)
  }

  /// Decodes a frame into `target`, which has its plain size.
  func decode(
    _ location: ChunkLocation, into target: inout MutableSpan<UInt8>, ahead: UInt64
  ) throws {
    let place = try fetch(location, ahead: ahead)
    let buffer = stored
    let bytes = buffer.span(place)
    switch location.entry.codec {
    case .plain: target.copy(bytes, to: 0)
    case .zstd:
      do {
        try decompressor.decompress(bytes, into: &target)
      } catch {
        throw RepositoryError.damaged(
          "\(Layout.pack(location.pack.id)): chunk \(location.entry.id) at byte "
            + "\(location.entry.offset): \(error)")
      }
    }
  }

  /// Reads a chunk's plain bytes.
  func bytes(_ id: Digest, limit: Int = Int(ChunkEntry.plainLimit)) throws -> [UInt8] {
    let location = try locate(id)
    guard Int(location.entry.plainCount) <= limit else {
      throw RepositoryError.damaged("chunk \(id): larger than the limit of \(limit) bytes")
    }
    var result = [UInt8](repeating: 0, count: Int(location.entry.plainCount))
    var span = result.mutableSpan
    try read(location, into: &span)
    return result
  }

  /// Brings a chunk's stored bytes into `stored`.
  ///
  /// - Returns: Where in `stored` they are.
  private func fetch(_ location: ChunkLocation, ahead: UInt64) throws -> Range<Int> {
    let start = UInt64(location.entry.offset)
    let end = start + UInt64(location.entry.storedCount)
    if let window, window.pack == location.pack.id, window.range.lowerBound <= start,
      end <= window.range.upperBound
    {
      let first = Int(start - window.range.lowerBound)
      return first..<first + Int(location.entry.storedCount)
    }
    let name = Layout.pack(location.pack.id)
    guard end <= location.pack.size else {
      throw RepositoryError.damaged("\(name): chunk \(location.entry.id) lies beyond its end")
    }
    let limit = min(max(end, ahead), location.pack.size, start + UInt64(stored.count))
    window = nil
    let buffer = stored
    var target = buffer.mutableSpan(0..<Int(limit - start))
    let got: Int
    do {
      got = try files.file(location.pack.id).read(into: &target, at: start)
    } catch let error as SystemError where !isFaultOfMachine(error) {
      throw RepositoryError.damaged("\(name): \(error)")
    }
    guard got >= Int(location.entry.storedCount) else {
      throw RepositoryError.damaged("\(name): truncated at byte \(start + UInt64(got))")
    }
    window = (location.pack.id, start..<start + UInt64(got))
    return 0..<Int(location.entry.storedCount)
  }
}
