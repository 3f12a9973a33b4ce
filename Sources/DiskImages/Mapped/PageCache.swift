internal import Blocks
internal import Bytes
internal import Platform

/// Pages that were made at some cost and are wanted again soon, for several threads.
final class PageCache: Sendable {
  private struct State {
    var pages: [UInt64: [UInt8]] = [:]
    /// Pages in the order in which they came.
    var order: [UInt64] = []
  }

  private let pageCount: Int
  private let state = Locked(State())

  /// - Parameter pageCount: How many pages are kept.
  init(pageCount: Int) { self.pageCount = pageCount }

  /// The page of that number, made by `make` unless it is there; two threads may both make it.
  func page(_ number: UInt64, _ make: () throws -> [UInt8]) rethrows -> [UInt8] {
    if let page = state.with({ $0.pages[number] }) { return page }
    let page = try make()
    state.with { state in
      guard state.pages.updateValue(page, forKey: number) == nil else { return }
      state.order.append(number)
      if state.order.count > pageCount { state.pages[state.order.removeFirst()] = nil }
    }
    return page
  }
}

/// A table of numbers in a file, of which pages are read when they are asked for.
///
/// A file's tables may be larger than memory; a few pages serve whoever reads the disk in order.
final class PagedTable: Sendable {
  private static let pageByteCount: UInt64 = 64 << 10
  private let source: any BlockSource
  private let structure: StaticString
  private let order: ByteOrder
  private let cache: PageCache

  /// - Parameters:
  ///   - source: The file.
  ///   - structure: The table's name, for errors.
  ///   - order: The byte order of its numbers.
  init(_ source: any BlockSource, of structure: StaticString, _ order: ByteOrder) {
    self.source = source
    self.structure = structure
    self.order = order
    cache = PageCache(pageCount: 64)
  }

  /// The number at `offset` of the file, a multiple of eight.
  func u64(at offset: UInt64) throws -> UInt64 {
    let (page, first) = try page(of: offset, 8)
    let value = page.span.little64(at: first)
    return order == .little ? value : value.byteSwapped
  }

  /// The number at `offset` of the file, a multiple of four.
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
    let page = try cache.page(number) {
      let length = min(PagedTable.pageByteCount, source.size - start)
      return try source.bytes(Int(length), at: start) ?? []
    }
    let first = Int(offset - start)
    guard first <= page.count - count else {
      throw FormatError("\(structure)", at: offset, .truncated)
    }
    return (page, first)
  }
}
