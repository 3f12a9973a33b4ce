internal import Bytes
internal import CNBD
internal import Platform

/// One connection to an NBD server, by libnbd; several threads may read by it at once.
@safe final class NBDConnection: @unchecked Sendable {
  /// Where a server is found.
  enum Place: Sendable {
    case uri(String)
    case socket(String)
  }

  /// What came of a request that was not fulfilled.
  enum Trouble: Error {
    /// The server could not do it, or would not.
    case refused(SystemError)
    /// The connection is gone, for the reason in the text.
    case lost(String)
  }

  /// What the server says of its export.
  struct Facts {
    var size: UInt64
    var allowsSeveralConnections: Bool
    var tellsHoles: Bool
    /// Limits of requests in bytes; 0 where the server names none.
    var minimumBlock: UInt64
    var maximumBlock: UInt64
  }

  /// A range that the server tells of, in the order of its answer.
  struct Extent: Equatable {
    var byteCount: UInt64
    /// Whether it reads as zeros; a hole without this promise is data.
    var isZero: Bool
  }

  /// How long connecting may take, in milliseconds; servers for hypervisors log in meanwhile.
  private static let connectTimeout: Int32 = 60_000
  /// How long nothing may come, in milliseconds; a server may try again itself for a while.
  private static let answerTimeout: Int32 = 300_000
  /// How long saying goodbye may take, in milliseconds.
  private static let goodbyeTimeout: Int32 = 200
  /// The most ranges that are taken from one answer; what is behind them is asked for again.
  private static let extentLimit = 16384

  private let connection: OpaquePointer

  /// Loads libnbd.
  static func load() throws(NetworkDiskError) {
    var status: Int32 = 0
    let reason = unsafe message { status = unsafe cn_load($0) }
    if status != 0 {
      throw NetworkDiskError(
        "NBD needs the library libnbd, which cannot be loaded: \(reason)",
        hint: "install it, in Debian: apt-get install libnbd0")
    }
  }

  /// Connects; `load` has been called.
  init(_ place: Place) throws(NetworkDiskError) {
    var connection: OpaquePointer?
    let reason = unsafe NBDConnection.message {
      switch place {
      case .uri(let uri):
        unsafe connection = cn_open(uri, nil, NBDConnection.connectTimeout, $0)
      case .socket(let path):
        unsafe connection = cn_open(nil, path, NBDConnection.connectTimeout, $0)
      }
    }
    guard let connection = unsafe connection else { throw NetworkDiskError(reason) }
    unsafe self.connection = connection
  }

  deinit { unsafe cn_close(connection, NBDConnection.goodbyeTimeout) }

  func facts() throws(NetworkDiskError) -> Facts {
    var facts = cn_facts()
    var status: Int32 = 0
    let reason = unsafe NBDConnection.message {
      unsafe status = cn_get_facts(connection, &facts, $0)
    }
    guard status == 0 else { throw NetworkDiskError(reason) }
    return Facts(
      size: facts.size, allowsSeveralConnections: facts.can_multi_conn != 0,
      tellsHoles: facts.has_extents != 0, minimumBlock: facts.minimum_block,
      maximumBlock: facts.maximum_block)
  }

  /// Fills `bytes` from `offset`.
  ///
  /// - Parameters:
  ///   - piece: The most bytes of one request.
  func read(
    into bytes: inout MutableSpan<UInt8>, at offset: UInt64, piece: Int
  ) throws(Trouble) {
    var status = 0
    var code: Int32 = 0
    let reason = unsafe bytes.withUnsafeMutableBytes { buffer in
      guard let base = buffer.baseAddress else { return "" }
      return unsafe NBDConnection.message {
        unsafe status = Int(
          cn_read(
            connection, base, buffer.count, offset, piece,
            NBDConnection.answerTimeout, &code, $0))
      }
    }
    try check(status, code, "read", reason)
  }

  /// What the server says of a range, from its start; it may tell less of it, or more.
  func blockStatus(_ range: Range<UInt64>) throws(Trouble) -> [Extent] {
    var answer = [cn_extent](repeating: cn_extent(), count: NBDConnection.extentLimit)
    var count = 0
    var status = 0
    var code: Int32 = 0
    let reason = unsafe NBDConnection.message {
      unsafe status = Int(
        cn_block_status(
          connection, range.upperBound - range.lowerBound, range.lowerBound, &answer,
          NBDConnection.extentLimit, &count, NBDConnection.answerTimeout, &code, $0))
    }
    try check(status, code, "block status", reason)
    return answer.prefix(count).map {
      Extent(byteCount: UInt64($0.length), isZero: $0.flags & cn_state_zero != 0)
    }
  }

  private func check(
    _ status: Int, _ code: Int32, _ operation: String, _ reason: String
  ) throws(Trouble) {
    switch status {
    case cn_done: return
    case cn_refused: throw .refused(SystemError(operation, code: code))
    default: throw .lost(reason)
    }
  }

  /// The text that `body` leaves in the buffer that it is given, in this project's manner.
  private static func message(_ body: (UnsafeMutablePointer<CChar>) -> Void) -> String {
    var text = [CChar](repeating: 0, count: cn_message_length)
    unsafe text.withUnsafeMutableBufferPointer { buffer in
      if let base = buffer.baseAddress { unsafe body(base) }
    }
    let words = String(
      decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // libnbd begins with the name of its function.
    guard words.hasPrefix("nbd_"), let colon = words.firstRange(of: ": ") else { return words }
    return String(words[colon.upperBound...])
  }
}
