internal import Bytes

/// A file or device of which much is written and little read again soon; several threads may write
/// at once, to different places.
///
/// Large writes go past the page cache where the file system is a local one. That spares the copy
/// into the cache, leaves the cache to those who read, and the flush at the end finds nothing left
/// to do: 5 GB into a file took 3 s of processor time instead of 9. Elsewhere, on network file
/// systems above all, the cache takes everything, and write-out is started along the way.
public final class BulkFile: Sendable {
  /// Smaller pieces are left to the cache, which joins them.
  private static let leastDirect = 64 << 10
  /// What places, counts and memory of direct writes must be multiples of.
  static let unit = 4096
  /// Smaller steps of write-out cost more calls and more seeks; larger ones leave more for the end.
  private static let step: UInt64 = 32 << 20

  private struct State {
    /// The same file, for direct writes; nil when they cannot be.
    var direct: FileDescriptor?
    /// What was written to the cache and is not on its way out.
    var pending: Range<UInt64> = 0..<0
  }

  public let file: FileDescriptor
  private let state: Locked<State>

  /// - Parameters:
  ///   - file: An open file.
  ///   - isCached: Whether it is read again soon.
  public init(_ file: FileDescriptor, isCached: Bool = false) {
    self.file = file
    state = Locked(State(direct: isCached ? nil : file.openDirect()))
  }

  /// Writes all of `bytes` at `offset`.
  public func write(_ bytes: Span<UInt8>, at offset: UInt64) throws(SystemError) {
    let unit = BulkFile.unit
    let head = min((unit - Int(offset % UInt64(unit))) % unit, bytes.count)
    let end = head + (bytes.count - head) / unit * unit
    // Small tables come from anywhere in memory, which says nothing of what the medium takes.
    guard end - head >= BulkFile.leastDirect, BulkFile.isAligned(bytes, head),
      let direct = state.with({ $0.direct })
    else { return try writeCached(bytes, at: offset) }
    do throws(SystemError) {
      try direct.write(bytes.extracting(head..<end), at: offset + UInt64(head))
    } catch {
      guard error.isInvalid else { throw error }
      // The medium asks for more than is known here: the cache takes everything.
      state.with { $0.direct = nil }
      return try writeCached(bytes, at: offset)
    }
    if head > 0 { try writeCached(bytes.extracting(0..<head), at: offset) }
    if end < bytes.count {
      try writeCached(bytes.extracting(end..<bytes.count), at: offset + UInt64(end))
    }
  }

  /// Whether the memory from byte `start` on is what a direct write can take.
  private static func isAligned(_ bytes: Span<UInt8>, _ start: Int) -> Bool {
    unsafe bytes.withUnsafeBufferPointer { (Int(bitPattern: $0.baseAddress) + start) % unit == 0 }
  }

  /// Whether no page holds bytes of a range and others as well.
  public static func isAligned(_ range: Range<UInt64>) -> Bool {
    range.lowerBound % UInt64(unit) == 0 && range.upperBound % UInt64(unit) == 0
  }

  private static let zeros = [UInt8](repeating: 0, count: 1 << 20)

  /// Makes `range` read as zero, if possible without writing all of it.
  public func zero(_ range: Range<UInt64>) throws(SystemError) {
    if range.isEmpty || file.zero(range) { return }
    var position = range.lowerBound
    while position < range.upperBound {
      let count = min(range.upperBound - position, UInt64(BulkFile.zeros.count))
      try writeCached(BulkFile.zeros.span.extracting(0..<Int(count)), at: position)
      position += count
    }
  }

  private func writeCached(_ bytes: Span<UInt8>, at offset: UInt64) throws(SystemError) {
    try file.write(bytes, at: offset)
    let range = offset..<offset + UInt64(bytes.count)
    let due = state.with { state -> Range<UInt64>? in
      let pending = state.pending
      state.pending =
        pending.isEmpty
        ? range
        : min(pending.lowerBound, range.lowerBound)..<max(pending.upperBound, range.upperBound)
      guard state.pending.upperBound - state.pending.lowerBound >= BulkFile.step else { return nil }
      defer { state.pending = 0..<0 }
      return state.pending
    }
    if let due { file.startWriteback(due) }
  }
}

/// Bytes one after the other into a new file, in large pieces, past the page cache as `BulkFile`
/// does it; one thread's.
///
/// A thread of its own writes one piece while the next ones come: past the cache a write lasts as
/// long as the medium takes. The file itself is switched, as nobody else writes to it, and as a
/// file that is made without the permission to write cannot be opened again.
public final class BulkAppender {
  /// A piece of the file on its way.
  private final class Piece: Sendable {
    let buffer: Buffer
    let count: Int
    let place: UInt64

    init(_ buffer: Buffer, count: Int, place: UInt64) {
      self.buffer = buffer
      self.count = count
      self.place = place
    }
  }

  /// The file as the writing thread has it.
  private final class Target: Sendable {
    let file: FileDescriptor
    let isDirect: Locked<Bool>

    init(_ file: FileDescriptor) {
      self.file = file
      isDirect = Locked(file.gainsFromDirectWrites && file.setDirect(true))
    }

    func write(_ piece: Piece) throws(SystemError) {
      let buffer = piece.buffer
      let bytes = buffer.span(0..<piece.count)
      do throws(SystemError) {
        try file.write(bytes, at: piece.place)
      } catch {
        guard isDirect.with({ $0 }), error.isInvalid else { throw error }
        try endDirect()
        try file.write(bytes, at: piece.place)
      }
      if !isDirect.with({ $0 }) {
        file.startWriteback(piece.place..<piece.place + UInt64(piece.count))
      }
    }

    func endDirect() throws(SystemError) {
      guard isDirect.with({ $0 }) else { return }
      guard file.setDirect(false) else { throw SystemError("end direct writes") }
      isDirect.with { $0 = false }
    }
  }

  private static let pieceCount = 4 << 20
  private let target: Target
  private let writer: Workers<Piece>
  private var idle: [Buffer] = []
  private var buffer = Buffer(count: BulkAppender.pieceCount)
  private var held = 0
  private var given: UInt64 = 0

  /// - Parameter file: An empty file; its description is this process's own.
  public init(_ file: FileDescriptor) {
    let target = Target(file)
    self.target = target
    writer = Workers(count: 1, window: 2) { try target.write($0) }
  }

  deinit { writer.close() }

  /// Appends all of `bytes`.
  ///
  /// - Throws: What went wrong with these bytes or with earlier ones.
  public func append(_ bytes: Span<UInt8>) throws {
    var done = 0
    while done < bytes.count {
      let count = min(bytes.count - done, buffer.count - held)
      buffer.copy(bytes.extracting(done..<done + count), to: held)
      held += count
      done += count
      if held == buffer.count { try giveAway() }
    }
  }

  /// Leaves the full buffer to the writing thread.
  private func giveAway() throws {
    while !writer.hasRoom { try takeBack() }
    writer.give(Piece(buffer, count: held, place: given))
    given += UInt64(held)
    held = 0
    buffer = idle.popLast() ?? Buffer(count: BulkAppender.pieceCount)
  }

  private func takeBack() throws {
    if let piece = try writer.take() { idle.append(piece.buffer) }
  }

  /// Writes what is still held, and leaves the file as an ordinary one.
  public func finish() throws {
    while !writer.isEmpty { try takeBack() }
    // What is left is no whole number of the medium's blocks.
    try target.endDirect()
    let buffer = buffer
    try target.file.write(buffer.span(0..<held), at: given)
    given += UInt64(held)
    held = 0
  }
}
