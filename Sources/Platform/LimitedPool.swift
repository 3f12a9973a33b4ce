/// A few objects, each for a few threads at a time; who finds none free may make one, or waits.
///
/// For what is dear to make and may not be had at all, such as further connections to a server.
public final class LimitedPool<Item>: @unchecked Sendable {
  private let monitor = Monitor()
  private let make: @Sendable () throws -> Item
  private var idle: [Item]
  private var count = 1
  private var limit: Int

  /// - Parameters:
  ///   - first: The object that there is for certain.
  ///   - limit: How many there may be at most, with the first.
  ///   - shares: How many threads may use the first at once; all others serve one.
  ///   - make: Makes another one; when it throws, none is asked for any more.
  public init(
    _ first: Item, limit: Int, shares: Int = 1, make: @escaping @Sendable () throws -> Item
  ) {
    idle = Array(repeating: first, count: shares)
    self.limit = limit
    self.make = make
  }

  /// Makes as many as there may be, or can be.
  public func fill() {
    monitor.lock()
    defer { monitor.unlock() }
    while count < limit, let item = makeUnlocked() { idle.append(item) }
    limit = min(limit, count)
  }

  /// Takes out what is idle, for good; who waits for one afterwards waits for those in use.
  public func drain() -> [Item] {
    monitor.lock()
    defer { monitor.unlock() }
    limit = 0
    defer { idle = [] }
    return idle
  }

  /// An object that is this thread's, or its share, until it is given back.
  public func take() -> Item {
    monitor.lock()
    defer { monitor.unlock() }
    while true {
      if let item = idle.popLast() { return item }
      if count < limit, let item = makeUnlocked() { return item }
      if let item = idle.popLast() { return item }
      monitor.wait()
    }
  }

  /// Makes one while others go on; the monitor is locked before and after.
  private func makeUnlocked() -> Item? {
    count += 1
    monitor.unlock()
    let item: Item?
    do { item = try make() } catch { item = nil }
    monitor.lock()
    if item == nil {
      count -= 1
      limit = min(limit, count)
    }
    return item
  }

  /// Gives back what was taken.
  public func give(_ item: Item) {
    monitor.lock()
    idle.append(item)
    monitor.wakeAll()
    monitor.unlock()
  }
}
