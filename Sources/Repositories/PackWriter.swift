internal import Bytes
internal import Codecs
internal import ObjectStores
internal import Platform

/// A pack that has its directory and waits to be flushed and published.
final class ClosedPack: @unchecked Sendable {
  let object: StagedObject
  let id: Digest
  let size: UInt64
  let entries: [ChunkEntry]

  init(object: StagedObject, id: Digest, size: UInt64, entries: [ChunkEntry]) {
    self.object = object
    self.id = id
    self.size = size
    self.entries = entries
  }
}

/// Writes chunks one after the other into packs.
///
/// The file's SHA-256 runs along with the writing. Flushing and publishing happen on a thread of
/// their own, as the medium's time should not be the processor's.
final class PackWriter {
  private let session: any WritingSession
  private let publisher: Workers<ClosedPack>
  private let hash = SHA256()
  private var open: StagedObject?
  private var content: BulkAppender?
  private var position: UInt64 = 0
  private var entries: [ChunkEntry] = []

  /// Packs that are published, though perhaps not yet durable.
  private(set) var published: [ClosedPack] = []
  /// Bytes of all packs that were closed.
  private(set) var byteCount: UInt64 = 0

  init(_ session: any WritingSession) {
    self.session = session
    // The session is used by the publisher's thread only between here and `finish`, but for
    // `stage`, which touches nothing that `publish` does.
    let shared = SessionBox(session)
    publisher = Workers(count: 1, window: 3) { pack in
      try shared.session.publish(pack.object, as: Layout.pack(pack.id))
    }
  }

  private final class SessionBox: @unchecked Sendable {
    let session: any WritingSession
    init(_ session: any WritingSession) { self.session = session }
  }

  /// Appends chunks that lie one after the other in `bytes`; their entries count from its start.
  func append(_ chunks: [ChunkEntry], _ bytes: Span<UInt8>) throws {
    guard !chunks.isEmpty else { return }
    if position > 0, position + UInt64(bytes.count) > UInt64(PackFile.closingSize) { try close() }
    if open == nil { try begin() }
    for var chunk in chunks {
      chunk.offset += UInt32(position)
      entries.append(chunk)
    }
    try write(bytes)
  }

  private func begin() throws {
    let object = try session.stage()
    open = object
    content = BulkAppender(object.file)
    position = 0
    entries = []
    let header = PackFile.header(salt: try Random.bytes(32))
    try write(header.span)
  }

  private func write(_ bytes: Span<UInt8>) throws {
    do {
      try content?.append(bytes)
    } catch let error as SystemError {
      throw StoreError("packs", .system(error))
    }
    hash.update(bytes)
    position += UInt64(bytes.count)
  }

  private func close() throws {
    guard let object = open else { return }
    let directory = PackFile.directory(entries)
    let trailer = PackFile.trailer(directoryOffset: position, directory: directory)
    try write(directory.span)
    try write(trailer.span)
    do {
      try content?.finish()
    } catch let error as SystemError {
      throw StoreError("packs", .system(error))
    }
    open = nil
    content = nil
    byteCount += position
    while !publisher.hasRoom { try takePublished() }
    publisher.give(
      ClosedPack(object: object, id: hash.finish(), size: position, entries: entries))
    position = 0
    entries = []
  }

  private func takePublished() throws {
    if let pack = try publisher.take() { published.append(pack) }
  }

  /// Closes the last pack and returns when all are published.
  func finish() throws {
    try close()
    while !publisher.isEmpty { try takePublished() }
  }

  /// Gives up the packs that were published so far, to be indexed.
  func takeAll() -> [ClosedPack] {
    defer { published = [] }
    return published
  }

  /// Ends the publishing thread, whatever happened.
  func stop() { publisher.close() }
}
