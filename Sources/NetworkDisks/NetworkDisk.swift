public import Blocks
internal import Bytes
internal import Platform

/// A disk that an NBD server exports: https://github.com/NetworkBlockDevice/nbd, doc/proto.md.
///
/// It is only read. Any thread may read it; where the server promises that its connections show
/// the same disk there are several, else one that several threads share, and on each several
/// requests are under way at once. A connection that is lost is not made again: behind the same name
/// could be another disk by then.
public final class NetworkDisk: BlockSource {
  /// The most connections, or threads that share one; more gain nothing on what was measured.
  private static let connectionLimit = 4
  /// Bytes of one request.
  static let pieceByteCount: UInt64 = 256 << 10
  /// What requests are aligned to where the server names nothing, as the protocol advises.
  private static let usualAlignment: UInt64 = 512
  /// The largest alignment that a server may ask for, as the protocol says.
  private static let alignmentLimit: UInt64 = 65536

  public let size: UInt64
  public let sectorSize: UInt32
  private let alignment: UInt64
  private let piece: Int
  private let tellsHoles: Bool
  private let server: ServerProcess?
  private let connections: LimitedPool<NBDConnection>
  /// Why there is no connection any more.
  private let loss: Locked<String?>
  private let map: AllocationMap

  /// All disks that may have connections, for `closeAll`.
  private static let open = Locked<[Weak]>([])

  private struct Weak: Sendable {
    weak let disk: NetworkDisk?
  }

  /// Connects to a server by an NBD URI.
  ///
  /// - Throws: `NetworkDiskError`; `FormatError` for a size over the limit.
  public convenience init(uri: String) throws {
    try NBDConnection.load()
    try self.init(.uri(uri), nil)
  }

  /// Starts a server and connects to it; on the main thread.
  ///
  /// - Parameter command: The program and its arguments.
  /// - Throws: `NetworkDiskError`; `FormatError` for a size over the limit.
  public convenience init(command: [String]) throws {
    try NBDConnection.load()
    let server: ServerProcess
    do {
      server = try ServerProcess(command)
    } catch {
      throw NetworkDiskError("\(error)")
    }
    do {
      try self.init(.socket(server.socketPath), server)
    } catch let error as NetworkDiskError {
      // It may have said itself what the matter is; its end may be seen a little later than that
      // of its socket.
      let code = server.exitCode(patience: 500)
      server.stop()
      if let code {
        throw NetworkDiskError("the command ended with status \(code) and served no disk")
      }
      throw error
    } catch {
      server.stop()
      throw error
    }
  }

  private init(_ place: NBDConnection.Place, _ server: ServerProcess?) throws {
    let first = try NBDConnection(place)
    let facts = try first.facts()
    let alignment = facts.minimumBlock == 0 ? NetworkDisk.usualAlignment : facts.minimumBlock
    let maximum = facts.maximumBlock == 0 ? NetworkDisk.pieceByteCount : facts.maximumBlock
    guard alignment & (alignment - 1) == 0, alignment <= NetworkDisk.alignmentLimit,
      maximum >= alignment
    else {
      throw NetworkDiskError(
        "the server takes requests of \(facts.minimumBlock) to \(maximum) bytes, which makes no sense"
      )
    }
    guard facts.size <= VolumeHeader.sizeLimit else {
      throw FormatError("disk", at: 0, .impossible("size of \(facts.size) bytes is over the limit"))
    }
    size = facts.size
    // Not told by the protocol, but what takes no less than 4 KiB has such sectors.
    sectorSize = UInt32(min(max(alignment, 512), 4096))
    self.alignment = alignment
    piece = Int(min(NetworkDisk.pieceByteCount, maximum) / alignment * alignment)
    tellsHoles = facts.tellsHoles
    self.server = server
    let size = facts.size
    let connections = LimitedPool(
      first, limit: facts.allowsSeveralConnections ? NetworkDisk.connectionLimit : 1,
      shares: facts.allowsSeveralConnections ? 1 : NetworkDisk.connectionLimit
    ) {
      let further = try NBDConnection(place)
      guard try further.facts().size == size else { throw NetworkDiskError("another disk") }
      return further
    }
    let loss = Locked<String?>(nil)
    self.connections = connections
    self.loss = loss
    map = AllocationMap(size: size, alignment: alignment) { range in
      try NetworkDisk.extents(range, connections, loss)
    }
    NetworkDisk.open.with { $0.append(Weak(disk: self)) }
  }

  /// Makes all connections at once that the server allows and reading may profit from.
  ///
  /// Without this they are made when they are needed, which takes libraries, names and keys.
  public func connectFully() { connections.fill() }

  public func read(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    let range = offset..<offset + UInt64(bytes.count)
    guard range.upperBound <= size else { throw SourceError(range, .ended) }
    let start = offset / alignment * alignment
    let end = min((range.upperBound + alignment - 1) / alignment * alignment, size)
    if start == offset, end == range.upperBound { return try fetch(into: &bytes, at: offset) }
    var cover = [UInt8](repeating: 0, count: Int(end - start))
    var span = cover.mutableSpan
    try fetch(into: &span, at: start)
    for index in 0..<bytes.count { bytes[index] = cover[Int(offset - start) + index] }
  }

  private func fetch(into bytes: inout MutableSpan<UInt8>, at offset: UInt64) throws {
    let range = offset..<offset + UInt64(bytes.count)
    if let loss = loss.with({ $0 }) { throw SourceError(range, .lost(loss)) }
    let connection = connections.take()
    defer { connections.give(connection) }
    do {
      try connection.read(into: &bytes, at: offset, piece: piece)
    } catch {
      throw NetworkDisk.sourceError(error, range, loss)
    }
  }

  public func nextData(at offset: UInt64) throws -> Range<UInt64>? {
    guard tellsHoles else { return offset < size ? offset..<size : nil }
    return try map.nextData(at: offset)
  }

  /// What the server says of a range; nil when it cannot tell.
  private static func extents(
    _ range: Range<UInt64>, _ connections: LimitedPool<NBDConnection>, _ loss: Locked<String?>
  ) throws(SourceError) -> [NBDConnection.Extent]? {
    if let loss = loss.with({ $0 }) { throw SourceError(range, .lost(loss)) }
    let connection = connections.take()
    defer { connections.give(connection) }
    do {
      return try connection.blockStatus(range)
    } catch .refused {
      return nil
    } catch {
      throw sourceError(error, range, loss)
    }
  }

  private static func sourceError(
    _ trouble: NBDConnection.Trouble, _ range: Range<UInt64>, _ loss: Locked<String?>
  ) -> SourceError {
    switch trouble {
    case .refused(let error): return SourceError(range, .unreadable(error))
    case .lost(let words):
      let reason = "the connection is lost: \(words)"
      loss.with { $0 = $0 ?? reason }
      return SourceError(range, .lost(reason))
    }
  }

  /// Says goodbye to all servers, and ends those that were started; when the process is about to
  /// end.
  public static func closeAll() {
    for disk in open.with({ $0 }) {
      // What is idle is closed by going out of use here.
      _ = disk.disk?.connections.drain()
    }
    ServerProcess.stopAll()
  }
}
