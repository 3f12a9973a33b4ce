internal import Platform

/// What was made at some cost and is wanted again soon, for several threads; in bounded memory.
public final class RecentItems<Item: Sendable>: Sendable {
  private struct Key: Hashable {
    let owner: UInt64
    let number: UInt64
  }

  private struct State {
    var items: [Key: Item] = [:]
    /// Keys in the order in which they came; the first `gone` are not there any more.
    var order: [Key] = []
    var gone = 0
    var cost = 0
    var ownerCount: UInt64 = 0
  }

  private let limit: Int
  private let cost: @Sendable (Item) -> Int
  private let state = Locked(State())

  /// - Parameters:
  ///   - limit: How much all items that are kept may cost together; one is kept at least.
  ///   - cost: What an item costs, such as its bytes.
  public init(limit: Int, cost: @escaping @Sendable (Item) -> Int) {
    self.limit = limit
    self.cost = cost
  }

  /// A number that tells one user's items from those of others.
  public func newOwner() -> UInt64 {
    state.with { state in
      state.ownerCount += 1
      return state.ownerCount
    }
  }

  /// The item of that number, made by `make` unless it is there; two threads may both make it.
  public func item(
    _ number: UInt64, of owner: UInt64, _ make: () throws -> Item
  ) rethrows -> Item {
    let key = Key(owner: owner, number: number)
    if let item = state.with({ $0.items[key] }) { return item }
    let item = try make()
    state.with { state in
      guard state.items.updateValue(item, forKey: key) == nil else { return }
      state.order.append(key)
      state.cost += cost(item)
      while state.cost > limit, state.items.count > 1 { dropOldest(&state) }
    }
    return item
  }

  private func dropOldest(_ state: inout State) {
    if let item = state.items.removeValue(forKey: state.order[state.gone]) {
      state.cost -= cost(item)
    }
    state.gone += 1
    // Seldom, and as many as are left at most, so that each key is moved once on average.
    guard state.gone > state.order.count / 2 else { return }
    state.order.removeFirst(state.gone)
    state.gone = 0
  }
}

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

  private let pages: RecentItems<[UInt8]>

  /// - Parameter byteLimit: How many bytes of pages are kept, and one page at least.
  public init(byteLimit: Int) { pages = RecentItems(limit: byteLimit) { $0.count } }

  /// A number that tells one user's pages from those of others.
  public func newOwner() -> UInt64 { pages.newOwner() }

  /// The page of that number, made by `make` unless it is there; two threads may both make it.
  public func page(
    _ number: UInt64, of owner: UInt64, _ make: () throws -> [UInt8]
  ) rethrows -> [UInt8] {
    try pages.item(number, of: owner, make)
  }
}
