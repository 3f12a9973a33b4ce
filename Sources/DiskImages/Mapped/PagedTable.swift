internal import Blocks
internal import Bytes
internal import Platform

/// A table of numbers in a file, of which pages are read when they are asked for.
///
/// A file's tables may be larger than memory; a few pages serve whoever reads the disk in order.
final class PagedTable: Sendable {
  private static let pageByteCount: UInt64 = 64 << 10
  private let source: any BlockSource
  let structure: StaticString
  let order: ByteOrder
  private let owner = PageCache.tables.newOwner()
  private let data: Locked<DataCursor>

  /// - Parameters:
  ///   - source: The file.
  ///   - structure: The table's name, for errors.
  ///   - order: The byte order of its numbers.
  init(_ source: any BlockSource, of structure: StaticString, _ order: ByteOrder) {
    self.source = source
    self.structure = structure
    self.order = order
    data = Locked(DataCursor(source))
  }

  /// Whether the file has a hole where these bytes are: then all of them are zero.
  func isHole(_ range: Range<UInt64>) throws -> Bool {
    let (mayHoldData, end) = try data.with { try $0.extent(at: range.lowerBound) }
    return !mayHoldData && range.upperBound <= end
  }

  /// The number at `offset` of the file.
  func u64(at offset: UInt64) throws -> UInt64 {
    let (page, first) = try page(of: offset, 8)
    let value = page.span.little64(at: first)
    return order == .little ? value : value.byteSwapped
  }

  /// The number at `offset` of the file.
  func u32(at offset: UInt64) throws -> UInt32 {
    let (page, first) = try page(of: offset, 4)
    let value = page.span.little32(at: first)
    return order == .little ? value : value.byteSwapped
  }

  /// The page that `count` bytes at `offset` lie in, and where in it.
  private func page(of offset: UInt64, _ count: Int) throws -> (page: [UInt8], first: Int) {
    let number = offset / PagedTable.pageByteCount
    let start = number * PagedTable.pageByteCount
    guard offset < source.size else { throw FormatError("\(structure)", at: offset, .truncated) }
    let page = try PageCache.tables.page(number, of: owner) {
      let length = min(PagedTable.pageByteCount, source.size - start)
      return try source.bytes(Int(length), at: start) ?? []
    }
    let first = Int(offset - start)
    if first <= page.count - count { return (page, first) }
    // A table that does not start where it should: the number lies in two pages.
    guard let bytes = try source.bytes(count, at: offset) else {
      throw FormatError("\(structure)", at: offset, .truncated)
    }
    return (bytes, 0)
  }
}

/// A table of tables: the entries of the first say where second ones lie, all of one length.
struct TwoLevelTable: Sendable {
  /// How a table looks.
  struct Shape: Sendable {
    /// Bytes of an entry: 4 or 8.
    let firstEntry: UInt64
    /// Bytes of an entry, and how many of them make a table.
    let secondEntry: UInt64
    let secondCount: UInt64

    var secondByteCount: UInt64 { secondEntry * secondCount }

    /// How many second tables there may be for that many blocks.
    func firstCount(for blockCount: UInt64) -> UInt64 {
      blockCount / secondCount + (blockCount % secondCount == 0 ? 0 : 1)
    }
  }

  let shape: Shape
  /// Where the first table starts in the file.
  let offset: UInt64
  let second: PagedTable
  private let first: PagedTable
  private let fileByteCount: UInt64
  /// Whether all of the first table is in the file.
  let isWhole: Bool
  /// What belongs to neither second tables nor blocks: the header and the first table.
  private let taken: [Range<UInt64>]
  private let locate: @Sendable (UInt64) throws(Misplaced) -> UInt64?
  /// Tables without entries that several entries of the first one lead to: as good as not there.
  private var empty: Set<UInt64> = []

  /// An entry that leads nowhere: what it says.
  struct Misplaced: Error {
    let text: String
  }

  /// - Parameters:
  ///   - file: The file.
  ///   - shape: How the tables look.
  ///   - offset: Where the first one starts.
  ///   - blockCount: How many blocks the tables are for.
  ///   - header: Bytes at the file's start that are no table.
  ///   - names: The tables' names, for errors.
  ///   - order: The byte order of their numbers.
  ///   - locate: The place that an entry of the first table means; nil for none, as for 0.
  /// - Throws: `FormatError` when second tables lie on top of each other.
  init(
    of file: any BlockSource, _ shape: Shape, at offset: UInt64, for blockCount: UInt64,
    header: UInt64, _ names: (first: StaticString, second: StaticString), _ order: ByteOrder,
    locate: @escaping @Sendable (UInt64) throws(Misplaced) -> UInt64?
  ) throws {
    self.shape = shape
    self.offset = offset
    self.locate = locate
    fileByteCount = file.size
    let count = shape.firstCount(for: blockCount)
    let (length, overflow) = count.multipliedReportingOverflow(by: shape.firstEntry)
    let end = offset.addingReportingOverflow(length)
    // The end of one that is not all in the file is of no interest: `isWhole` tells.
    taken = [0..<header, offset..<(overflow || end.overflow ? .max : end.partialValue)]
    isWhole = !overflow && !end.overflow && end.partialValue <= file.size
    first = PagedTable(file, of: names.first, order)
    second = PagedTable(file, of: names.second, order)
    if isWhole { empty = try sharedEmptyTables(of: file, count) }
  }

  /// Where the second table lies that is for a block; nil without any.
  func table(of block: UInt64) throws -> UInt64? {
    let position = offset + block / shape.secondCount * shape.firstEntry
    let entry =
      shape.firstEntry == 8 ? try first.u64(at: position) : UInt64(try first.u32(at: position))
    do {
      guard let place = try place(of: entry), !empty.contains(place) else { return nil }
      return place
    } catch {
      throw refusal(position, .impossible(error.text))
    }
  }

  /// Where the second table lies that an entry of the first one leads to; nil for none.
  func place(of entry: UInt64) throws(Misplaced) -> UInt64? {
    guard let place = try locate(entry) else { return nil }
    guard place <= fileByteCount, shape.secondByteCount <= fileByteCount - place else {
      throw Misplaced(text: "a table at byte \(place) that is not all in the file")
    }
    guard !isTaken(place, shape.secondByteCount) else {
      throw Misplaced(text: "a table at byte \(place), on the header or on this very table")
    }
    return place
  }

  /// An error at an entry of the first table.
  func refusal(_ position: UInt64, _ reason: FormatError.Reason) -> FormatError {
    FormatError("\(first.structure)", at: position, reason)
  }

  /// Whether bytes of the file belong to the header or to the first table.
  private func isTaken(_ place: UInt64, _ count: UInt64) -> Bool {
    let end = place.addingReportingOverflow(count)
    return taken.contains {
      place < $0.upperBound && (end.overflow || $0.lowerBound < end.partialValue)
    }
  }

  /// Refuses a block of which the entry says that it lies where it cannot.
  ///
  /// - Parameters:
  ///   - block: Its number.
  ///   - place: Where it starts in the file.
  ///   - count: How many bytes of it must be there.
  ///   - position: The entry.
  ///   - byteCount: The file's length, where blocks are in another file.
  func check(
    _ block: UInt64, at place: UInt64, _ count: UInt64, _ position: UInt64,
    in byteCount: UInt64? = nil
  ) throws(FormatError) {
    let end = byteCount ?? fileByteCount
    guard place <= end, count <= end - place else {
      throw refusal(position, "block \(block) at byte \(place) is not all in the file")
    }
    guard byteCount != nil || !isTaken(place, count) else {
      throw refusal(position, "block \(block) at byte \(place) lies on the file's own tables")
    }
  }

  /// Where the entry of a block lies; nil without a table for it.
  func position(of block: UInt64) throws -> UInt64? {
    try table(of: block).map { $0 + block % shape.secondCount * shape.secondEntry }
  }

  /// The block after those of a second table that is not there; nil when it is.
  ///
  /// One that lies in a hole of the file has no entries, and is as good as not there: qemu-img makes
  /// all tables of a VMDK at once, of 4 GiB for a disk of 60 TiB.
  func endOfMissingTable(at block: UInt64) throws -> UInt64? {
    if let place = try table(of: block),
      try !second.isHole(place..<place + shape.secondByteCount)
    {
      return nil
    }
    return (block / shape.secondCount + 1) * shape.secondCount
  }

  /// An error at an entry of a second table.
  func refusal(_ position: UInt64, _ text: String) -> FormatError {
    FormatError("\(second.structure)", at: position, .impossible(text))
  }
}
