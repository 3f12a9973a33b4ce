import Platform
import TestSupport
import Testing

/// Threads that keep the order.
struct WorkersTests {
  private final class Job: @unchecked Sendable {
    let number: Int
    var result = 0
    /// Counts jobs that are alive.
    private let alive: Locked<Int>?

    init(_ number: Int, alive: Locked<Int>? = nil) {
      self.number = number
      self.alive = alive
      alive?.with { $0 += 1 }
    }

    deinit { alive?.with { $0 -= 1 } }
  }

  private struct Failed: Error, Equatable {
    let number: Int
  }

  /// Takes a while, and not always the same.
  private static func linger(_ turns: Int) -> Int {
    (0..<turns * 100).reduce(0) { $0 &* 31 &+ $1 }
  }

  @Test(arguments: [1, 2, 7])
  func `results come in the order in which jobs were given`(count: Int) throws {
    var noise = Noise(UInt64(count))
    let times = (0..<500).map { _ in noise.below(100) }
    let workers = Workers<Job>(count: count, window: 5) { job in
      _ = Self.linger(times[job.number])
      job.result = job.number * 2
    }
    defer { workers.close() }
    var next = 0
    for number in 0..<500 {
      while !workers.hasRoom {
        let job = try #require(try workers.take())
        #expect(job.number == next && job.result == next * 2)
        next += 1
      }
      workers.give(Job(number))
    }
    while let job = try workers.take() {
      #expect(job.number == next)
      next += 1
    }
    #expect(next == 500)
    #expect(workers.isEmpty)
  }

  @Test func `no more than the window is under way`() throws {
    let running = Locked((now: 0, most: 0))
    let workers = Workers<Job>(count: 4, window: 3) { _ in
      running.with {
        $0.now += 1
        $0.most = max($0.most, $0.now)
      }
      _ = Self.linger(50)
      running.with { $0.now -= 1 }
    }
    defer { workers.close() }
    for number in 0..<3 {
      #expect(workers.hasRoom)
      workers.give(Job(number))
    }
    #expect(!workers.hasRoom)
    for number in 3..<100 {
      _ = try workers.take()
      workers.give(Job(number))
    }
    while try workers.take() != nil {}
    #expect(running.with { $0.most } <= 3)
  }

  @Test func `an error comes when its job's turn has come`() throws {
    let workers = Workers<Job>(count: 3, window: 10) { job in
      if job.number % 3 == 1 { throw Failed(number: job.number) }
    }
    defer { workers.close() }
    for number in 0..<6 { workers.give(Job(number)) }
    for number in 0..<6 {
      if number % 3 == 1 {
        #expect(throws: Failed(number: number)) { _ = try workers.take() }
      } else {
        #expect(try workers.take()?.number == number)
      }
    }
    #expect(try workers.take() == nil)
  }

  @Test func `closing drops what was not begun and waits for what was`() throws {
    let done = Locked(0)
    let workers = Workers<Job>(count: 2, window: 50) { _ in
      _ = Self.linger(500)
      done.with { $0 += 1 }
    }
    for number in 0..<50 { workers.give(Job(number)) }
    workers.close()
    let count = done.with { $0 }
    #expect(count <= 50)
    _ = Self.linger(2000)
    #expect(done.with { $0 } == count)
  }

  /// Jobs hold buffers: who keeps them grows with the disk.
  @Test func `jobs that were taken are not kept`() throws {
    let alive = Locked(0)
    let workers = Workers<Job>(count: 2, window: 8) { _ in _ = Self.linger(3) }
    defer { workers.close() }
    var most = 0
    for number in 0..<5000 {
      if !workers.hasRoom { _ = try workers.take() }
      workers.give(Job(number, alive: alive))
      most = max(most, alive.with { $0 })
    }
    while try workers.take() != nil {}
    // The window, and what each thread has just let go of.
    #expect(most <= 8 + 4, "\(most) jobs alive")
  }

  @Test func `a locked value is used by one thread at a time`() throws {
    let value = Locked(0)
    let workers = Workers<Job>(count: 4, window: 4) { _ in
      for _ in 0..<10_000 { value.with { $0 += 1 } }
    }
    for number in 0..<4 { workers.give(Job(number)) }
    while try workers.take() != nil {}
    workers.close()
    #expect(value.with { $0 } == 40_000)
  }
}
