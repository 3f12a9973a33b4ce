internal import Platform

/// Pages that were made at some cost and are wanted again soon, for several threads.
///
/// One cache serves all images of a process, as a disk may be made of very many: its parents, its
/// extents.
public final class PageCache: Sendable {
  /// Of tables, as they are in the file.
  public static let tables = PageCache(byteLimit: 48 << 20)
  /// Of blocks that were decompressed: whoever reads in smaller pieces than blocks would else
  /// decompress each block again and again.
  public static let unpacked = PageCache(byteLimit: 16 << 20)

  /// Of guests' file systems: their structures, which lie all over a disk.
  static let guests = PageCache(byteLimit: 32 << 20)

  private struct Key: Hashable {
    let owner: UInt64
    let number: UInt64
  }

  private struct State {
    var pages: [Key: [UInt8]] = [:]
    /// Pages in the order in which they came; the first `gone` are not there any more.
    var order: [Key] = []
    var gone = 0
    var byteCount = 0
    var ownerCount: UInt64 = 0

    mutating func dropOldest() {
      byteCount -= pages.removeValue(forKey: order[gone])?.count ?? 0
      gone += 1
      // Seldom, and as many as are left at most, so that each page is moved once on average.
      guard gone > order.count / 2 else { return }
      order.removeFirst(gone)
      gone = 0
    }
  }

  private let byteLimit: Int
  private let state = Locked(State())

  /// - Parameter byteLimit: How many bytes of pages are kept, and one page at least.
  public init(byteLimit: Int) { self.byteLimit = byteLimit }

  /// A number that tells one user's pages from those of others.
  public func newOwner() -> UInt64 {
    state.with { state in
      state.ownerCount += 1
      return state.ownerCount
    }
  }

  /// The page of that number, made by `make` unless it is there; two threads may both make it.
  public func page(
    _ number: UInt64, of owner: UInt64, _ make: () throws -> [UInt8]
  ) rethrows -> [UInt8] {
    let key = Key(owner: owner, number: number)
    if let page = state.with({ $0.pages[key] }) { return page }
    let page = try make()
    state.with { state in
      guard state.pages.updateValue(page, forKey: key) == nil else { return }
      state.order.append(key)
      state.byteCount += page.count
      while state.byteCount > byteLimit, state.pages.count > 1 { state.dropOldest() }
    }
    return page
  }
}
