/// Objects that serve one thread at a time, made when all that are there are in use.
public final class Pool<Item>: @unchecked Sendable {
  private let make: @Sendable () -> Item
  private let idle: Locked<[Item]> = Locked([])

  /// - Parameter make: Makes one.
  public init(_ make: @escaping @Sendable () -> Item) { self.make = make }

  /// Runs `body` with an object that no other thread uses meanwhile.
  public func with<Result>(_ body: (Item) throws -> Result) rethrows -> Result {
    let item = idle.with { $0.popLast() } ?? make()
    defer { idle.with { $0.append(item) } }
    return try body(item)
  }
}
