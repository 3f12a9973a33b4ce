internal import Bytes

/// Puts the transactions of a log together from the operations in its records.
///
/// A transaction is a start, a header of 16 bytes, regions and a commit. Its regions make up items:
/// the first region of one begins with its type and how many regions it has, 2 bytes each. A region
/// that does not fit into a record goes on in the next one. What has no commit did not happen; what
/// has no start began before the tail, and is on the disk.
///
/// Linux, fs/xfs/xfs_log_recover.c, `xlog_recovery_process_trans`, `xlog_recover_add_to_trans`.
struct XFSTransactions {
  /// The most bytes that wait for their commits.
  private static let byteLimit = 64 << 20
  /// What an item takes besides the bytes of its regions.
  private static let itemByteCount = 128
  /// The most regions of an item.
  private static let regionLimit = 512
  private static let openLimit = 4096
  private static let headerByteCount = 16
  private static let headerMagic: UInt32 = 0x5452_414E

  /// A change to something.
  struct Item {
    /// Its first region: type, count of regions, and what depends on the type, little-endian.
    var format: [UInt8]
    /// The others, where they are of use.
    var regions: [[UInt8]] = []
    fileprivate var left = 0
    /// Whether its other regions are of use; nil before there is one.
    fileprivate var isKept: Bool?

    var type: UInt16 { UInt16(format[0]) | UInt16(format[1]) << 8 }
  }

  struct Transaction {
    /// The sequence of the record in which it began.
    var sequence: UInt64
    var items: [Item] = []
    fileprivate var header: [UInt8] = []
  }

  private var open: [UInt32: Transaction] = [:]
  private var byteCount = 0
  /// Whether the other regions of an item are of use, by its first one.
  private let isWanted: (_ format: [UInt8]) -> Bool

  init(isWanted: @escaping (_ format: [UInt8]) -> Bool) { self.isWanted = isWanted }

  /// Takes a record's operations; calls `commit` with each transaction that ends in it.
  mutating func add(
    _ record: XFSLogRecord, commit: (Transaction) throws -> Void
  ) throws {
    try record.forEachOperation { operation in
      try take(operation, record, commit)
    }
  }

  private mutating func take(
    _ operation: XFSLogRecord.Operation, _ record: XFSLogRecord,
    _ commit: (Transaction) throws -> Void
  ) throws {
    typealias Flag = XFSLogRecord.Operation.Flag
    let number = operation.transaction
    guard var transaction = open[number] else {
      guard operation.flags & Flag.start != 0 else { return }
      guard open.count < XFSTransactions.openLimit, operation.bytes.isEmpty else {
        throw doubt("it starts too many transactions")
      }
      open[number] = Transaction(sequence: record.sequence)
      return
    }
    // Without this, changing the transaction would copy it.
    open[number] = nil
    var flags = operation.flags & ~Flag.end
    if flags & Flag.wentOn != 0 { flags &= ~Flag.goesOn }
    switch flags {
    case 0, Flag.goesOn:
      try begin(record.body[operation.bytes], &transaction)
    case Flag.wentOn:
      try goOn(record.body[operation.bytes], &transaction)
    case Flag.commit:
      guard transaction.items.allSatisfy({ $0.left == 0 }) else {
        throw doubt("a transaction is not whole")
      }
      for item in transaction.items { byteCount -= XFSTransactions.byteCount(of: item) }
      return try commit(transaction)
    default:
      throw doubt("an operation has flags 0x\(String(flags, radix: 16))")
    }
    open[number] = transaction
  }

  private func doubt(_ problem: String) -> GuestDoubt {
    GuestDoubt("its log has not been replayed and is not understood: \(problem)")
  }

  /// Takes a region, or the beginning of one.
  private mutating func begin(
    _ bytes: ArraySlice<UInt8>, _ transaction: inout Transaction
  ) throws {
    guard !bytes.isEmpty else { return }
    guard transaction.header.count == XFSTransactions.headerByteCount else {
      return try takeHeader(bytes, &transaction)
    }
    let last = transaction.items.count - 1
    if last < 0 || transaction.items[last].left == 0 {
      guard bytes.count >= 4 else { throw doubt("an item is too short") }
      try count(bytes.count + XFSTransactions.itemByteCount)
      var item = Item(format: Array(bytes))
      let regionCount = Int(item.format[2]) | Int(item.format[3]) << 8
      guard (1...XFSTransactions.regionLimit).contains(regionCount) else {
        throw doubt("an item of \(regionCount) regions")
      }
      item.left = regionCount - 1
      transaction.items.append(item)
      return
    }
    let isKept = transaction.items[last].isKept ?? isWanted(transaction.items[last].format)
    transaction.items[last].isKept = isKept
    transaction.items[last].left -= 1
    guard isKept else { return }
    try count(bytes.count)
    transaction.items[last].regions.append(Array(bytes))
  }

  /// Takes more of a region.
  private mutating func goOn(
    _ bytes: ArraySlice<UInt8>, _ transaction: inout Transaction
  ) throws {
    guard transaction.header.count == XFSTransactions.headerByteCount else {
      return try takeHeader(bytes, &transaction)
    }
    let last = transaction.items.count - 1
    guard last >= 0 else { throw doubt("a region without a beginning") }
    guard let isKept = transaction.items[last].isKept else {
      try count(bytes.count)
      transaction.items[last].format += bytes
      return
    }
    guard isKept else { return }
    try count(bytes.count)
    transaction.items[last].regions[transaction.items[last].regions.count - 1] += bytes
  }

  private func takeHeader(
    _ bytes: ArraySlice<UInt8>, _ transaction: inout Transaction
  ) throws {
    transaction.header += bytes
    guard transaction.header.count <= XFSTransactions.headerByteCount else {
      throw doubt("a transaction without a header")
    }
    guard transaction.header.count == XFSTransactions.headerByteCount else { return }
    let header = transaction.header
    guard header.span.little32(at: 0) == XFSTransactions.headerMagic else {
      throw doubt("a transaction without a header")
    }
  }

  private mutating func count(_ more: Int) throws {
    byteCount += more
    guard byteCount <= XFSTransactions.byteLimit else {
      throw doubt("a transaction is too large")
    }
  }

  private static func byteCount(of item: Item) -> Int {
    item.regions.reduce(item.format.count + itemByteCount) { $0 + $1.count }
  }
}
